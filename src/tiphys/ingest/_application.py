"""The ASGI application of one port: from a request to the handler and back."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Awaitable, Callable, MutableMapping
from email.utils import formatdate
from typing import Any
from urllib.parse import quote

import structlog

from tiphys.ingest._admission import Admission
from tiphys.ingest._patience import PATIENCE, Patience
from tiphys.ingest._types import Handler, Refused, Reply, Request
from tiphys.ingest.body import Disconnected, Receive, TooLarge, linger, read_body
from tiphys.ingest.headers import mask_authorization, request_headers
from tiphys.ingest.routes import Routes, clean_path

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]

TEXT: Header = (b"content-type", b"text/plain; charset=utf-8")
UNQUOTED = "/:@!$&'()*+,;=~-._"  # characters that a path may show as they are
HEALTH = "/health"
HEALTHY = Reply(200, b"OK")
NOT_FOUND = Reply(404, b"404 page not found\n", {"x-content-type-options": "nosniff"})
BROKEN = Reply(500, b"internal error")
ROUTE = "tiphys.route"  # the member of a scope that tells whose request it is
log = structlog.get_logger("argo-events.eventsource")


@dataclasses.dataclass(slots=True, eq=False)
class Route:
    """
    One endpoint of one event.

    *active* counts the requests that have no answer yet.  A route that is *closing* and *expected*
    will probably be mounted again, perhaps with other settings; it is *away* once its handler is
    gone.  *settled* tells that there is a *successor*, or that none will come.
    """

    endpoint: str
    handler: Handler
    admission: Admission
    owner: str
    active: int = 0
    closing: bool = False
    expected: bool = False
    away: bool = False
    successor: Route | None = None
    idle: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    settled: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)


class Application:
    """Answers every request of one port; holds the routes, and no other state."""

    def __init__(self, patience: Patience = PATIENCE) -> None:
        self._patience = patience
        self.routes: Routes[Route] = Routes()
        self._date: tuple[int, Header] = (0, (b"", b""))

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3)."""
        path: str = scope["path"]
        route = self.routes.exact.get(path)
        if route is None and path != HEALTH:
            route = self._find(path)
        if route is None:
            await self._send(send, _without_route(scope))
            return
        if route.closing:
            successor = await self._successor(route)
            if successor is None:
                await self._send(send, _inactive(route))
                return
            route = successor
        scope[ROUTE] = route
        route.active += 1
        try:
            reply = await self._answer(route, scope, receive)
        finally:
            route.active -= 1
            if route.closing and not route.active:
                route.idle.set()
        if reply is None:
            return
        if "connection" in reply.headers:
            await self._send_and_linger(send, receive, reply)
        else:
            await self._send(send, reply)

    def _find(self, path: str) -> Route | None:
        """The route of a template, provided that the path is canonical."""
        return self.routes.match(path) if path == clean_path(path) else None

    async def _successor(self, route: Route) -> Route | None:
        """The open route in place of a closing one, if it comes soon."""
        found: Route | None = route
        try:
            async with asyncio.timeout(self._patience.again):
                while found is not None and found.closing:
                    if not found.expected:
                        return None
                    await found.settled.wait()
                    found = found.successor
        except TimeoutError:
            return None
        return found

    async def _answer(self, route: Route, scope: Any, receive: Receive) -> Reply | None:
        """The answer; None when the sender is gone before the request was complete."""
        admission = route.admission
        raw = scope["headers"]
        headers = request_headers(raw)
        client = scope["client"]
        request = Request(
            scope["method"],
            scope["path"],
            scope["query_string"].decode("latin-1"),
            headers,
            b"",
            client[0] if client else "",
        )
        try:
            for guard in admission.before_body:
                await guard.check(request)
            request.body = await read_body(receive, raw, admission.limit(request))
            for guard in admission.after_body:
                await guard.check(request)
        except Refused as refused:
            admission.refused(refused, request)
            return refused.reply()
        except TooLarge:
            return _closing(admission.too_large(request))
        except Disconnected:
            return None
        mask_authorization(headers)
        try:
            return await route.handler(request)
        except Exception:  # one request's bug must not take the port down
            log.error("A request could not be handled", endpoint=route.endpoint, exc_info=True)
            return BROKEN

    async def _send(self, send: Send, reply: Reply) -> None:
        await send(self._start(reply))
        await send({"type": "http.response.body", "body": reply.body})

    async def _send_and_linger(self, send: Send, receive: Receive, reply: Reply) -> None:
        """Answer, and close the connection once the sender finished what it was sending."""
        await send(self._start(reply))
        await send({"type": "http.response.body", "body": reply.body, "more_body": True})
        await linger(receive)
        await send({"type": "http.response.body", "body": b""})

    def _start(self, reply: Reply) -> MutableMapping[str, Any]:
        headers = [(b"content-length", b"%d" % len(reply.body)), self._date_header()]
        if "content-type" not in reply.headers:
            headers.append(TEXT)
        for name, value in reply.headers.items():
            headers.append((name.encode("latin-1"), value.encode("latin-1")))
        return {"type": "http.response.start", "status": reply.status, "headers": headers}

    def _date_header(self) -> Header:
        now = int(time.time())
        if self._date[0] != now:
            self._date = (now, (b"date", formatdate(now, usegmt=True).encode()))
        return self._date[1]


def _closing(reply: Reply) -> Reply:
    return dataclasses.replace(reply, headers={**reply.headers, "connection": "close"})


def _inactive(route: Route) -> Reply:
    """The answer while an endpoint goes; only who may hope is told to come again."""
    if route.expected:
        return Reply(503, route.admission.inactive, {"retry-after": "1"})
    return Reply(400, route.admission.inactive)


def _without_route(scope: Any) -> Reply:
    path: str = scope["path"]
    cleaned = clean_path(path)
    if path != cleaned:
        query = scope["query_string"].decode("latin-1")
        location = quote(cleaned, safe=UNQUOTED) + (f"?{query}" if query else "")
        return Reply(301, b"", {"location": location})
    return HEALTHY if path == HEALTH else NOT_FOUND
