"""
The part of Slack's Web API that posts messages.

From https://docs.slack.dev/reference/methods/chat.postMessage and
https://docs.slack.dev/apis/web-api/rate-limits.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import web

TOKEN = "xoxb-1234-token-of-a-bot"


class SlackAPI:
    """Knows one token and some channels; keeps what is posted."""

    def __init__(self) -> None:
        self.posts: list[dict[str, str]] = []
        self.channels = {"builds", "C024BE91L"}
        self.limited: list[str] = []  # the `Retry-After` of the answers to come
        self.status = 200
        self.error = ""
        self.calls = 0
        self.flowing = asyncio.Event()
        self.flowing.set()

    def application(self) -> web.Application:
        """The server."""
        application = web.Application()
        application.router.add_post("/api/chat.postMessage", self.post_message)
        return application

    async def post_message(self, request: web.Request) -> web.Response:
        """One call."""
        await self.flowing.wait()
        self.calls += 1
        if self.limited:
            headers = {"Retry-After": self.limited.pop(0)}
            body = {"ok": False, "error": "ratelimited"}
            return web.json_response(body, status=429, headers=headers)
        if self.status != 200:
            return web.Response(status=self.status, text="upstream is away")
        form = {name: str(value) for name, value in (await request.post()).items()}
        error = self.error or self._problem(form)
        if error:
            return web.json_response({"ok": False, "error": error})
        timestamp = f"1700000000.{len(self.posts) + 1:06}"
        self.posts.append({**form, "ts": timestamp})
        return web.json_response({"ok": True, "channel": form["channel"], "ts": timestamp})

    def _problem(self, form: dict[str, Any]) -> str:
        if form.get("token") != TOKEN:
            return "invalid_auth"
        if form.get("channel") not in self.channels:
            return "channel_not_found"
        if not any(form.get(name) for name in ("text", "blocks", "attachments")):
            return "no_text"
        for name in ("blocks", "attachments"):
            if name in form and not isinstance(json.loads(form[name]), list):
                return f"invalid_{name}"
        known = {post["ts"] for post in self.posts}
        if "thread_ts" in form and form["thread_ts"] not in known:
            return "thread_not_found"
        return ""
