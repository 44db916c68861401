"""The REST API of Gerrit's webhooks plugin."""

from __future__ import annotations

import base64
import json
from typing import Any

from aiohttp import web

from tests.integration.sources._providers._server import CALL, Call, Provider, answer

USER, PASSWORD = "robot", "7Zg3-http-password"


class Gerrit(Provider):
    """There are the projects ``app`` and ``team/lib``; a remote is shown with its name."""

    def __init__(self) -> None:
        super().__init__()
        for project in ("app", "team%2Flib"):
            self.hooks[f"config/server/webhooks~projects/{project}"] = []

    def routes(self, router: web.UrlDispatcher) -> None:
        path = "/a/config/server/webhooks~projects/{project}/remotes/"
        router.add_get(path, self._list)
        router.add_put(path + "{name}/", self._put)
        router.add_delete(path + "{name}/", self._delete)
        router.add_route("*", "/{tail:.*}", self._not_found)

    def refusal(self, call: Call) -> web.Response | None:
        basic = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if call.path.startswith("/a/") and call.headers.get("Authorization") == basic:
            return None
        return web.Response(status=401, text="Unauthorized")

    def add(self, place: str, name: str, url: str, **settings: Any) -> None:
        """A remote that is there already."""
        self.hooks[place].append({"name": name, "url": url, **settings})

    def _place(self, request: web.Request) -> str:
        return "/".join(request.rel_url.raw_path.split("/")[2:6])

    async def _list(self, request: web.Request) -> web.Response:
        remotes = self.hooks.get(self._place(request))
        if remotes is None:
            return await self._not_found(request)
        shown = {
            remote["name"]: {key: value for key, value in remote.items() if key != "name"}
            for remote in remotes
        }
        return _guarded(200, shown)

    async def _put(self, request: web.Request) -> web.Response:
        remotes, name = self.hooks.get(self._place(request)), request.match_info["name"]
        if remotes is None:
            return await self._not_found(request)
        known = [remote for remote in remotes if remote["name"] == name]
        for remote in known:
            remotes.remove(remote)
        remotes.append({"name": name, **request[CALL].body})
        return _guarded(200 if known else 201, request[CALL].body)

    async def _delete(self, request: web.Request) -> web.Response:
        remotes = self.hooks.get(self._place(request), [])
        for remote in remotes:
            if remote["name"] == request.match_info["name"]:
                remotes.remove(remote)
                return answer(204)
        return await self._not_found(request)

    async def _not_found(self, _: web.Request) -> web.Response:
        return web.Response(status=404, text="Not found")


def _guarded(status: int, body: Any) -> web.Response:
    text = f")]}}'\n{json.dumps(body)}\n"
    return web.Response(status=status, text=text, content_type="application/json")
