"""Bitbucket Data Center's REST API 1.0: hooks, repositories, pull requests of commits."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from tests.integration.sources._providers._server import CALL, Call, Provider, answer

TOKEN = "NjE2NzY0MDQyNzM3OhPqP6Sj"


def error(status: int, message: str) -> web.Response:
    entry = {"context": None, "message": message, "exceptionName": None}
    return answer(status, {"errors": [entry]})


class BitbucketServer(Provider):
    """The project ``ACME`` has the repositories ``app`` and ``lib``."""

    def __init__(self) -> None:
        super().__init__()
        self.hooks |= {self.place("app"): [], self.place("lib"): []}
        self.pull_requests: dict[str, list[str]] = {}  # states by commit

    @staticmethod
    def place(slug: str) -> str:
        return f"api/1.0/projects/ACME/repos/{slug}"

    def routes(self, router: web.UrlDispatcher) -> None:
        place = r"/rest/{place:api/1\.0/projects/[^/]+/repos/[^/]+}"
        router.add_get(f"{place}/webhooks", self._list)
        router.add_post(f"{place}/webhooks", self._create)
        router.add_put(place + r"/webhooks/{id:\d+}", self._update)
        router.add_delete(place + r"/webhooks/{id:\d+}", self._delete)
        router.add_get(place + "/commits/{commit}/pull-requests", self._pull_requests)
        router.add_get("/rest/api/1.0/projects/{project}/repos", self._repositories)
        router.add_route("*", "/{tail:.*}", self._not_found)

    def refusal(self, call: Call) -> web.Response | None:
        if call.headers.get("Authorization") != f"Bearer {TOKEN}":
            return error(401, "Authentication failed. Please check your credentials and try again.")
        if call.method != "GET" and call.headers.get("X-Atlassian-Token") != "no-check":
            return answer(403, "XSRF check failed")
        return None

    def add(self, place: str, url: str, **settings: Any) -> dict[str, Any]:
        """A hook that is there already."""
        id = self.next_id()
        hook = {
            "name": "other",
            "createdDate": 1513106011000 + id,
            "updatedDate": 1513106011000 + id,
            "events": ["repo:refs_changed"],
            "configuration": {},
            "url": url,
            "active": True,
            **settings,
            "id": id,
        }
        self.hooks[place].append(hook)
        return hook

    def _page(self, items: list[Any], request: web.Request, most: int) -> web.Response:
        start = int(request.query.get("start", "0"))
        end = start + min(int(request.query.get("limit", "25")), most)
        values = items[start:end]
        page = {"size": len(values), "limit": most, "start": start, "values": values}
        page["isLastPage"] = end >= len(items)
        page["nextPageStart"] = None if end >= len(items) else end
        return answer(200, page)

    async def _repositories(self, request: web.Request) -> web.Response:
        if request.match_info["project"] != "ACME":
            message = f"Project {request.match_info['project']} does not exist."
            return error(404, message)
        slugs = [place.rpartition("/")[2] for place in self.hooks]
        return self._page([{"slug": slug} for slug in slugs], request, 1)

    async def _list(self, request: web.Request) -> web.Response:
        hooks = self.hooks.get(request.match_info["place"])
        if hooks is None:
            return await self._not_found(request)
        return self._page(hooks, request, 100)

    async def _create(self, request: web.Request) -> web.Response:
        place, body = request.match_info["place"], request[CALL].body
        if place not in self.hooks:
            return await self._not_found(request)
        if body.get("configuration", {}).get("secret") == "":
            return error(500, "An internal error occurred")
        return answer(201, self.add(place, **body))

    async def _update(self, request: web.Request) -> web.Response:
        for hook in self.hooks.get(request.match_info["place"], []):
            if str(hook["id"]) == request.match_info["id"]:
                hook.update({"configuration": {}, **request[CALL].body, "id": hook["id"]})
                return answer(200, hook)
        return await self._not_found(request)

    async def _delete(self, request: web.Request) -> web.Response:
        hooks = self.hooks.get(request.match_info["place"], [])
        for hook in hooks:
            if str(hook["id"]) == request.match_info["id"]:
                hooks.remove(hook)
                return answer(204)
        return await self._not_found(request)

    async def _pull_requests(self, request: web.Request) -> web.Response:
        states = self.pull_requests.get(request.match_info["commit"])
        if states is None:
            return error(404, f"Commit '{request.match_info['commit']}' does not exist.")
        items = [{"id": n, "state": state} for n, state in enumerate(states)]
        return self._page(items, request, 2)

    async def _not_found(self, _: web.Request) -> web.Response:
        return error(404, "Repository does not exist.")
