"""Uvicorn's HTTP protocol without uvicorn's process, signal handlers, logs and clock."""

from __future__ import annotations

import asyncio
import enum
import logging
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from tiphys.ingest._application import ROUTE, Application, Route
from tiphys.ingest._patience import Patience

HEAD_LIMIT = 64 << 10  # bytes of request line and headers
EXCESS_LIMIT = 8 << 10  # bytes of a chunked body that are no data: trailers, for the most part
FRAMING = 16  # bytes beside each piece of data, and as many as it has, are not such excess
SHUT = 0.25  # seconds in which a connection that nobody waits for has to be closed in good order
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def _last_answer(status: bytes, text: bytes, headers: bytes = b"") -> bytes:
    return (
        b"HTTP/1.1 %b\r\ncontent-length: %d\r\ncontent-type: text/plain; charset=utf-8\r\n"
        b"%bconnection: close\r\n\r\n%b" % (status, len(text), headers, text)
    )


BAD_REQUEST = _last_answer(b"400 Bad Request", b"Invalid HTTP request received.")
TOO_LATE = _last_answer(b"408 Request Timeout", b"the request did not arrive in time")
HEAD_TOO_LARGE = _last_answer(b"431 Request Header Fields Too Large", b"")
GOING = _last_answer(b"503 Service Unavailable", b"endpoint is inactive", b"retry-after: 1\r\n")


class Connections:
    """
    The connections of one port.

    One timer for all of them finds those that have waited too long for their peers.
    """

    def __init__(self, application: Application, patience: Patience) -> None:
        self.patience = patience
        self.state = ServerState()
        self.empty = asyncio.Event()
        self.closing = False
        self._config = _config(application)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None  # runs while there are connections

    def protocol(self) -> asyncio.Protocol:
        """Make the protocol of a new connection."""
        if self._timer is None:
            self._timer = self._look_later()
        return _Protocol(self, self._config, self._loop)

    def cut(self, route: Route) -> None:
        """End the requests for *route* that have not arrived completely."""
        for connection in self._all():
            if connection.awaits_body_for(route):
                connection.end(GOING)

    async def close(self) -> None:
        """Close each connection, after the answer that is on its way, and wait until all are."""
        self.closing = True
        for connection in self._all():
            connection.shutdown()
        while self.state.connections:
            unneeded = [c for c in self._all() if not c.is_at_work]
            self.empty.clear()
            try:
                async with asyncio.timeout(SHUT):
                    await self.empty.wait()
            except TimeoutError:
                for connection in unneeded:
                    connection.transport.abort()

    def abort(self) -> None:
        """Cut the connections that there are."""
        for connection in self._all():
            connection.transport.abort()

    def _all(self) -> list[_Protocol]:
        return cast("list[_Protocol]", list(self.state.connections))

    def _look_later(self) -> asyncio.TimerHandle:
        return self._loop.call_later(self.patience.step, self._look, self._loop.time())

    def _look(self, last: float) -> None:
        now = self._loop.time()
        if now - last < 2 * self.patience.step:  # else the program stood still, and not the peers
            for connection in self._all():
                connection.look(now)
        self._timer = self._look_later() if self.state.connections else None


class _Transport:
    """
    A transport that sends the head of an answer together with its body.

    Uvicorn writes them one after the other, which costs a second system call and packet per
    request.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""
        self.get_extra_info = transport.get_extra_info
        self.is_closing = transport.is_closing
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading

    def write(self, data: bytes) -> None:
        """Send *data*, or keep it until the next call when it is a head."""
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(b"HTTP/1.1 ") and data != CONTINUE and data.endswith(b"\r\n\r\n"):
            self._head = data
            return
        self._transport.write(data)

    def flush(self) -> None:
        """Send what was kept: an answer to ``HEAD`` has no body."""
        if self._head:
            self.write(b"")

    def close(self) -> None:
        """Send what was kept, and close."""
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        """Cut the connection."""
        self._transport.abort()


class _Stage(enum.Enum):
    """How much of the newest request is there."""

    NOTHING = enum.auto()
    HEAD = enum.auto()  # a part of the head
    BODY = enum.auto()  # the head, and perhaps a part of the body
    ALL = enum.auto()


NOTHING, HEAD, BODY, ALL = _Stage  # quicker to read than the members of the class


class _Protocol(HttpToolsProtocol):
    """Bounds what a request may have beside its body, and how long it may take to arrive."""

    def __init__(
        self, owner: Connections, config: uvicorn.Config, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(config, owner.state, {}, loop)
        self._owner = owner
        self._now = loop.time
        self._stage = NOTHING
        self._since = loop.time()  # when the peer last took the step that it had to take
        self._head_size = 0
        self._excess = 0

    @property
    def is_at_work(self) -> bool:
        """Whether a request is complete and its answer not there yet."""
        return (
            self._is_answering()
            and not self.flow.write_paused  # else it is the peer who keeps us waiting
            and (self._stage is not BODY or bool(self.pipeline))
        )

    def awaits_body_for(self, route: Route) -> bool:
        """Whether the body of a request for *route* is missing, and its answer, too."""
        if self._stage is not BODY or not self._owes_answer():
            return False
        return cast("dict[str, Any]", self.cycle.scope).get(ROUTE) is route

    def look(self, now: float) -> None:
        """End the connection if the peer has kept it waiting for too long."""
        patience = self._owner.patience
        limit = patience.request if self._stage in (HEAD, BODY) else patience.idle
        if now - self._since <= limit or self.is_at_work:
            return
        if self.transport.is_closing():  # and does not take what is left for it
            self.transport.abort()
        else:
            self.end(TOO_LATE)

    def end(self, answer: bytes) -> None:
        """Close the connection, with *answer* for a request that has arrived in part."""
        if self._stage in (HEAD, BODY) and self._owes_answer():
            self.transport.write(answer)
        if self._is_answering():  # the application learns it at once
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    def shutdown(self) -> None:
        """Close the connection, after the answer that is on its way."""
        if self.is_at_work:
            self.cycle.keep_alive = False
        elif not self.transport.is_closing():
            self.end(GOING)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._wrapped = _Transport(cast(asyncio.Transport, transport))
        super().connection_made(self._wrapped)  # type: ignore[arg-type]  # what uvicorn uses of it
        if self._owner.closing:  # it was still about to agree on TLS
            self._wrapped.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if not self.connections:
            self._owner.empty.set()

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():  # TLS hands on what comes until the peer says farewell
            return
        before, cycle = self._stage, self.cycle
        if before is BODY:
            self._excess = max(0, self._excess) + len(data)
        super().data_received(data)
        if self._stage is HEAD:
            if before is not BODY and self.cycle is cycle:  # all of it belongs to this head
                self._head_size += len(data)
            if self._head_size > HEAD_LIMIT:
                self.end(HEAD_TOO_LARGE)
        elif self._stage is BODY and self._excess > EXCESS_LIMIT:
            self.end(BAD_REQUEST)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._stage, self._since, self._head_size = HEAD, self._now(), 0

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._stage is HEAD:  # the others are trailers, which are no headers of the request
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._stage, self._since, self._excess = BODY, self._now(), 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._excess -= FRAMING + 2 * len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._stage = ALL
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with the next request; uvicorn's own would start a timer for each."""
        self._wrapped.flush()
        self._since = self._now()
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())

    def pause_writing(self) -> None:
        self._since = self._now()
        super().pause_writing()

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _owes_answer(self) -> bool:
        """Whether nothing was said yet to the request that has arrived in part."""
        if self._stage is HEAD:
            return not self._is_answering()
        return self._is_answering() and not (self.cycle.response_started or self.pipeline)


def _config(application: Application) -> uvicorn.Config:
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # one line a broken request
    config = uvicorn.Config(
        application,
        interface="asgi3",
        http=HttpToolsProtocol,
        ws="none",
        lifespan="off",
        loop="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
    )
    config.load()
    return config
