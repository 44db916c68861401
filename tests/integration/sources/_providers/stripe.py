"""Stripe's API for webhook endpoints, which takes forms."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from tests.integration.sources._providers._server import CALL, Call, Provider, answer

KEY = "sk_test_4eC39HqLyjWDarjtT1zdp7dc"
PLACE = "webhook_endpoints"
PATH = f"/v1/{PLACE}"
EVENTS = re.compile(r"enabled_events\[\d*\]")


class Stripe(Provider):
    """One account; the newest endpoint comes first."""

    def __init__(self) -> None:
        super().__init__()
        self.hooks[PLACE] = []

    def routes(self, router: web.UrlDispatcher) -> None:
        router.add_get(PATH, self._list)
        router.add_post(PATH, self._create)
        router.add_post(PATH + "/{id}", self._update)
        router.add_delete(PATH + "/{id}", self._delete)

    def decoded(self, raw: bytes) -> Any:
        return dict(parse_qsl(raw.decode(), keep_blank_values=True, strict_parsing=True))

    def refusal(self, call: Call) -> web.Response | None:
        if call.headers.get("Authorization") == f"Bearer {KEY}":
            return None
        return _error(401, "Invalid API Key provided: sk_****")

    def add(self, url: str, *events: str, **settings: Any) -> dict[str, Any]:
        """An endpoint that is there already."""
        number = self.next_id()
        hook = {
            "id": f"we_{number}",
            "object": "webhook_endpoint",
            "created": 1_700_000_000 + number,
            "enabled_events": list(events),
            "status": "enabled",
            "url": url,
            **settings,
        }
        self.hooks[PLACE].insert(0, hook)
        return hook

    async def _list(self, request: web.Request) -> web.Response:
        hooks = self.hooks[PLACE]
        limit = min(int(request.query.get("limit", "10")), 100)
        start = 0
        if after := request.query.get("starting_after"):
            start = [hook["id"] for hook in hooks].index(after) + 1
        page = hooks[start : start + limit]
        more = start + limit < len(hooks)
        return answer(200, {"object": "list", "url": PATH, "has_more": more, "data": page})

    async def _create(self, request: web.Request) -> web.Response:
        form = request[CALL].body or {}
        events = _events(form)
        if not form.get("url", "").startswith("http"):
            return _error(400, "Invalid URL: An explicit scheme (such as https) must be provided.")
        if not events:
            return _error(400, "Missing required param: enabled_events.")
        hook = self.add(form["url"], *events)
        return answer(200, {**hook, "secret": "whsec_shown_once"})

    async def _update(self, request: web.Request) -> web.Response:
        for hook in self.hooks[PLACE]:
            if hook["id"] == request.match_info["id"]:
                hook["enabled_events"] = _events(request[CALL].body)
                return answer(200, hook)
        return _error(404, "No such webhook endpoint")

    async def _delete(self, request: web.Request) -> web.Response:
        for hook in self.hooks[PLACE]:
            if hook["id"] == request.match_info["id"]:
                self.hooks[PLACE].remove(hook)
                return answer(200, {"id": hook["id"], "deleted": True})
        return _error(404, "No such webhook endpoint")


def _events(form: dict[str, str]) -> list[str]:
    return [value for name, value in form.items() if EVENTS.fullmatch(name)]


def _error(status: int, message: str) -> web.Response:
    return answer(status, {"error": {"message": message, "type": "invalid_request_error"}})
