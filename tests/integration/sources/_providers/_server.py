"""What the servers have in common: a port, a record of the calls, failures on demand."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

from aiohttp import web

from tests._ports import free_port

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclasses.dataclass(frozen=True)
class Call:
    """A request that the server got; *path* is escaped and has no query."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


CALL = web.RequestKey("call", Call)


@dataclasses.dataclass
class Failure:
    """What to answer instead, and to which of the next calls."""

    status: int
    body: Any
    headers: Mapping[str, str]
    applies: Callable[[Call], bool]
    times: int


class Provider:
    """
    A provider's API on the loopback.

    ``hooks[place]`` are the hooks there, as the API shows them.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self.calls: list[Call] = []
        self.hooks: dict[str, list[dict[str, Any]]] = {}
        self.deliveries: list[asyncio.Task[int]] = []
        self._ids = itertools.count(100)
        self._failures: list[Failure] = []
        self._together: asyncio.Barrier | None = None
        self._held: list[tuple[Callable[[Call], bool], asyncio.Event]] = []
        app = web.Application(middlewares=[self._note])
        self.routes(app.router)
        self._runner = web.AppRunner(app, access_log=None)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def routes(self, router: web.UrlDispatcher) -> None:
        """Add what the API has."""
        raise NotImplementedError

    def refusal(self, call: Call) -> web.Response | None:
        """The answer to a call without the right credentials."""
        raise NotImplementedError

    def address(self, hook: dict[str, Any]) -> str:
        """Where a hook delivers to."""
        return str(hook["url"])

    def decoded(self, raw: bytes) -> Any:
        """A body as the API understands it."""
        return json.loads(raw)

    def fail(
        self,
        status: int,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        times: int = 1,
        applies: Callable[[Call], bool] = lambda _: True,
    ) -> None:
        """Answer the next calls with an error."""
        self._failures.append(Failure(status, body, headers or {}, applies, times))

    def heal(self) -> None:
        """Fail no more."""
        self._failures.clear()

    def look_up_together(self, count: int) -> None:
        """Answer the next *count* look-ups at the same time, before anything else happens."""
        self._together = asyncio.Barrier(count)

    @contextmanager
    def holding(self, applies: Callable[[Call], bool]) -> Iterator[asyncio.Event]:
        """Do what some calls ask for, but answer them only once the event is set, or at the end."""
        released = asyncio.Event()
        self._held.append((applies, released))
        try:
            yield released
        finally:
            released.set()

    def count(self, method: str, ending: str = "") -> int:
        """How many calls of a method there were to paths that end so."""
        return sum(call.method == method and call.path.endswith(ending) for call in self.calls)

    def next_id(self) -> int:
        return next(self._ids)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.deliveries:
            await asyncio.gather(*self.deliveries, return_exceptions=True)
        await self._runner.cleanup()

    @web.middleware
    async def _note(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        raw = await request.read()
        call = Call(
            request.method,
            request.rel_url.raw_path,
            dict(request.query),
            dict(request.headers),
            self.decoded(raw) if raw else None,
        )
        self.calls.append(call)
        for failure in self._failures:
            if failure.times and failure.applies(call):
                failure.times -= 1
                return answer(failure.status, failure.body, failure.headers)
        if (refusal := self.refusal(call)) is not None:
            return refusal
        request[CALL] = call
        if call.method == "GET" and (barrier := self._together):
            response = await handler(request)
            if await barrier.wait() == 0:
                self._together = None
            return response
        response = await handler(request)
        for applies, released in self._held:
            if applies(call):
                await released.wait()
        return response


def answer(status: int, body: Any = None, headers: Mapping[str, str] | None = None) -> web.Response:
    """JSON, text as it is, or nothing."""
    if body is None:
        return web.Response(status=status, headers=headers)
    if isinstance(body, str):
        return web.Response(status=status, headers=headers, text=body, content_type="text/html")
    return web.json_response(body, status=status, headers=headers)


def page_of(items: list[Any], request: web.Request, size: str, most: int) -> tuple[list[Any], int]:
    """The page that the query asks for, and the number of the last one."""
    per_page = min(int(request.query.get(size, "30")), most)
    page = int(request.query.get("page", "1"))
    last = max(1, -(-len(items) // per_page))
    return items[(page - 1) * per_page : page * per_page], last


def links(request: web.Request, last: int) -> dict[str, str]:
    """A ``Link`` header as GitHub and GitLab write it."""
    page = int(request.query.get("page", "1"))
    if page >= last:
        return {}
    next_page = request.url.update_query({"page": page + 1})
    last_page = request.url.update_query({"page": last})
    return {"Link": f'<{next_page}>; rel="next", <{last_page}>; rel="last"'}
