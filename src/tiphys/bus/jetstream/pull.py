"""Pull requests: how messages of a consumer are asked for, and what the server says meanwhile."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable

import orjson
from nats.aio.msg import Msg

from tiphys.bus.jetstream.connection import Link
from tiphys.errors import BusUnavailable

_SECOND = 1_000_000_000
_EXPIRES = 30  # seconds until the server ends a request that brought too little
_HEARTBEAT = 10  # seconds between the server's signs of life during a request
_NO_WAIT = 5  # seconds for what is there to be sent
_SILENCE = 25.0  # seconds without one after which the request counts as lost

_NORMAL = ("404", "408")  # the ends of a request that say that there is nothing more


class Pull:
    """
    At most one pull request at a time, and the messages that it brings.

    *receive* is called with each message as it comes, and must not wait for another one.
    """

    def __init__(self, link: Link, stream: str, receive: Callable[[Msg], Awaitable[None]]) -> None:
        self._link = link
        self._stream = stream
        self._receive = receive
        self._inbox = ""
        self._requests = itertools.count(1)
        self._reply = ""
        self._missing = 0
        self._heard = 0.0
        self._changed = asyncio.Event()
        self.trouble = ""

    async def open(self) -> None:
        """Open the inbox; to be called once."""
        self._inbox = await self._link.listen(self._message, self._lost)

    async def close(self) -> None:
        """Take in what is on its way, and no more."""
        self.wake()
        await self._link.ignore(self._inbox)

    @property
    def idle(self) -> bool:
        """Whether no request is open; *trouble* tells why the last one ended, if that is odd."""
        return self._missing <= 0

    async def request(self, consumer: str, batch: int, *, wait: bool = True) -> None:
        """
        Ask for up to *batch* messages, without *wait* only for those that are there.

        Raises :exc:`BusUnavailable`.
        """
        body: dict[str, object] = {"batch": batch}
        if wait:
            body |= {"expires": _EXPIRES * _SECOND, "idle_heartbeat": _HEARTBEAT * _SECOND}
        else:
            body |= {"expires": _NO_WAIT * _SECOND, "no_wait": True}
        self._reply = f"{self._inbox}.{next(self._requests)}"
        self._missing = batch
        self._heard = asyncio.get_running_loop().time()
        self.trouble = ""
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{consumer}"
        if not await self._link.send(subject, orjson.dumps(body), reply=self._reply):
            self._end("no link")
            raise BusUnavailable("no link to the event bus")

    async def wait(self) -> None:
        """Wait until a message has come or the request has ended."""
        loop = asyncio.get_running_loop()
        self._changed.clear()
        while True:
            try:
                async with asyncio.timeout_at(self._heard + _SILENCE):
                    await self._changed.wait()
                    return
            except TimeoutError:
                if loop.time() >= self._heard + _SILENCE:
                    self._end("the server is silent")
                    return

    def wake(self) -> None:
        """Let :meth:`wait` return."""
        self._changed.set()

    async def _message(self, message: Msg) -> None:
        self._heard = asyncio.get_running_loop().time()
        if message.reply.startswith("$JS.ACK."):
            self._missing -= 1
            await self._receive(message)
            self._changed.set()
        elif message.subject == self._reply:
            self._status(message.headers or {})

    def _status(self, headers: dict[str, str]) -> None:
        status = headers.get("Status", "")
        if status != "100":
            # Every other status ends the request.
            text = headers.get("Description", "").strip()
            self._end("" if status in _NORMAL else f"{status} {text}".strip())

    def _lost(self) -> None:
        self._end("")

    def _end(self, trouble: str) -> None:
        self._missing = 0
        self.trouble = trouble
        self._changed.set()
