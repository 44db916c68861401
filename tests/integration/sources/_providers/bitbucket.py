"""Bitbucket Cloud's REST API 2.0 for hooks of repositories."""

from __future__ import annotations

import base64
import uuid
from typing import Any

from aiohttp import web

from tests.integration.sources._providers._server import CALL, Call, Provider, answer, page_of

USER, PASSWORD, TOKEN = "robot", "ATBB-app-password", "oauth-7Kd93mXw"


def error(status: int, message: str) -> web.Response:
    return answer(status, {"type": "error", "error": {"message": message}})


class Bitbucket(Provider):
    """``acme`` has the repositories ``app`` and ``lib``; a secret is never shown."""

    def __init__(self) -> None:
        super().__init__()
        self.hooks |= {"repositories/acme/app": [], "repositories/acme/lib": []}
        self.secrets: dict[str, str] = {}

    def routes(self, router: web.UrlDispatcher) -> None:
        path = r"/2.0/{place:repositories/[^/]+/[^/]+}/hooks"
        router.add_get(path, self._list)
        router.add_post(path, self._create)
        router.add_put(path + "/{uuid:[^/]+}", self._update)
        router.add_delete(path + "/{uuid:[^/]+}", self._delete)
        router.add_route("*", "/{tail:.*}", self._not_found)

    def refusal(self, call: Call) -> web.Response | None:
        basic = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if call.headers.get("Authorization") in (basic, f"Bearer {TOKEN}"):
            return None
        return error(401, "Token is invalid or not supported for this endpoint.")

    def add(self, place: str, url: str, **settings: Any) -> dict[str, Any]:
        """A hook that is there already."""
        hook = {
            "type": "webhook_subscription",
            "uuid": f"{{{uuid.UUID(int=self.next_id())}}}",
            "url": url,
            "description": "",
            "created_at": f"2026-01-01T00:00:00.{self.next_id():06d}+00:00",
            "active": True,
            "events": ["repo:push"],
            "secret_set": False,
            **settings,
        }
        self.hooks[place].append(hook)
        return hook

    async def _list(self, request: web.Request) -> web.Response:
        hooks = self.hooks.get(request.match_info["place"])
        if hooks is None:
            return await self._not_found(request)
        page, last = page_of(hooks, request, "pagelen", 100)
        number = int(request.query.get("page", "1"))
        body = {"pagelen": 100, "size": len(hooks), "page": number, "values": page}
        if number < last:
            body["next"] = str(request.url.update_query({"page": number + 1}))
        return answer(200, body)

    async def _create(self, request: web.Request) -> web.Response:
        place = request.match_info["place"]
        if place not in self.hooks:
            return await self._not_found(request)
        settings = self._settings(request)
        hook = self.add(place, **settings)
        self._remember(hook, request)
        return answer(201, hook)

    async def _update(self, request: web.Request) -> web.Response:
        for hook in self.hooks.get(request.match_info["place"], []):
            if hook["uuid"] == request.match_info["uuid"]:
                hook.update(self._settings(request))
                self._remember(hook, request)
                return answer(200, hook)
        return await self._not_found(request)

    async def _delete(self, request: web.Request) -> web.Response:
        hooks = self.hooks.get(request.match_info["place"], [])
        for hook in hooks:
            if hook["uuid"] == request.match_info["uuid"]:
                hooks.remove(hook)
                return answer(204)
        return await self._not_found(request)

    async def _not_found(self, _: web.Request) -> web.Response:
        return error(404, "Resource not found")

    def _settings(self, request: web.Request) -> dict[str, Any]:
        body = dict(request[CALL].body)
        if "secret" in body:
            body["secret_set"] = bool(body.pop("secret"))
        return body

    def _remember(self, hook: dict[str, Any], request: web.Request) -> None:
        if secret := request[CALL].body.get("secret"):
            self.secrets[hook["uuid"]] = secret
