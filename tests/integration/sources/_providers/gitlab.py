"""GitLab's REST API v4 for hooks of projects and groups."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from tests.integration.sources._providers._server import (
    CALL,
    Call,
    Provider,
    answer,
    links,
    page_of,
)

TOKEN = "glpat-Kq2vW8mZrT5yH9sXbN4c"
FLAGS = (
    "push_events",
    "tag_push_events",
    "issues_events",
    "confidential_issues_events",
    "merge_requests_events",
    "note_events",
    "confidential_note_events",
    "job_events",
    "pipeline_events",
    "wiki_page_events",
    "emoji_events",
    "deployment_events",
    "releases_events",
)


class GitLab(Provider):
    """There are the group ``acme`` and two projects in it; a hook's token is never shown."""

    def __init__(self) -> None:
        super().__init__()
        for place in ("groups/acme", "projects/acme%2Fapp", "projects/12"):
            self.hooks[place] = []
        self.tokens: dict[int, str] = {}

    def routes(self, router: web.UrlDispatcher) -> None:
        for place in ("projects", "groups"):
            path = f"/api/v4/{place}/{{id}}/hooks"
            router.add_get(path, self._list)
            router.add_post(path, self._create)
            router.add_delete(path + r"/{hook:\d+}", self._delete)
        router.add_route("*", "/{tail:.*}", self._not_found)

    def refusal(self, call: Call) -> web.Response | None:
        if call.headers.get("PRIVATE-TOKEN") == TOKEN:
            return None
        return answer(401, {"message": "401 Unauthorized"})

    def add(self, place: str, url: str, **settings: Any) -> dict[str, Any]:
        """A hook that is there already."""
        hook = {
            "id": self.next_id(),
            "url": url,
            "created_at": "2012-10-12T17:04:47Z",
            "enable_ssl_verification": True,
            **dict.fromkeys(FLAGS, False),
            "push_events": True,
            **settings,
        }
        self.hooks[place].append(hook)
        return hook

    def _place(self, request: web.Request) -> str:
        return "/".join(request.rel_url.raw_path.split("/")[3:5])

    async def _list(self, request: web.Request) -> web.Response:
        hooks = self.hooks.get(self._place(request))
        if hooks is None:
            return await self._not_found(request)
        page, last = page_of(hooks, request, "per_page", 100)
        return answer(200, page, links(request, last))

    async def _create(self, request: web.Request) -> web.Response:
        place, body = self._place(request), dict(request[CALL].body)
        if place not in self.hooks:
            return await self._not_found(request)
        if not str(body.get("url", "")).startswith("http"):
            return answer(422, {"message": {"url": ["is blocked: Only allowed schemes are http"]}})
        token = body.pop("token", None)
        hook = self.add(place, **body)
        if token is not None:
            self.tokens[hook["id"]] = token
        return answer(201, hook)

    async def _delete(self, request: web.Request) -> web.Response:
        hooks = self.hooks.get(self._place(request), [])
        for hook in hooks:
            if str(hook["id"]) == request.match_info["hook"]:
                hooks.remove(hook)
                return answer(204)
        return await self._not_found(request)

    async def _not_found(self, request: web.Request) -> web.Response:
        kind = "Project" if "/projects/" in request.path else "Group"
        return answer(404, {"message": f"404 {kind} Not Found"})
