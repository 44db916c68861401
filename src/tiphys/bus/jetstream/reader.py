"""Reading a stream from any place, without leaving a trace on the server."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from datetime import datetime
from typing import Any

from nats.aio.msg import Msg

from tiphys.aio import capped_backoff
from tiphys.bus.jetstream.api import API_TIMEOUT, JetStreamApi
from tiphys.bus.jetstream.pull import Pull
from tiphys.bus.jetstream.wire import parse_place
from tiphys.errors import BusError

_BATCH = 256
_GIVE_UP = 5  # attempts in a row that bring nothing, when reading what is there
_INACTIVE = 60_000_000_000  # nanoseconds after which the server drops a reader that went away


@dataclasses.dataclass(frozen=True, slots=True)
class StreamMessage:
    """A message as it lies in a stream."""

    sequence: int
    stored: datetime
    subject: str
    headers: Mapping[str, str]
    body: bytes


class StreamReader:
    """
    The messages of a stream under a subject, in order.

    A consumer that the server forgets by itself does the work.  It is created again behind the last
    message that came whenever the link breaks.
    """

    def __init__(
        self, api: JetStreamApi, stream: str, subject: str, start: Mapping[str, Any], **rest: Any
    ) -> None:
        self._api = api
        self._stream = stream
        self._start = dict(start)
        self._config = {
            "ack_policy": "none",
            "replay_policy": "instant",
            "mem_storage": True,
            "num_replicas": 1,
            "inactive_threshold": _INACTIVE,
            "filter_subject": subject,
            **rest,
        }
        self._pull = Pull(api.link, stream, self._receive)
        self._buffer: deque[tuple[StreamMessage, int]] = deque()
        self._consumer = ""
        self._epoch = 0  # of the link for which the consumer was created
        self._position: int | None = None

    async def stored(self) -> AsyncGenerator[StreamMessage, None]:
        """What is there.  Raises :exc:`BusError`."""
        await self._pull.open()
        failures = 0
        try:
            while True:
                try:
                    await self._more(wait=False)
                    failures = 0
                except BusError:
                    failures += 1
                    if failures == _GIVE_UP:
                        raise
                    await asyncio.sleep(0.1 * failures)
                    continue
                if not self._buffer:
                    return
                while self._buffer:
                    message, pending = self._buffer.popleft()
                    yield message
                    if not pending:
                        return
        finally:
            await self._close()

    async def coming(self) -> AsyncGenerator[StreamMessage, None]:
        """What is there and what will come, until cancelled."""
        await self._pull.open()
        pauses = capped_backoff(0.1, 5.0)
        try:
            while True:
                try:
                    await self._more(wait=True)
                except BusError:
                    await asyncio.sleep(next(pauses))
                    continue
                pauses = capped_backoff(0.1, 5.0)
                while self._buffer:
                    yield self._buffer.popleft()[0]
        finally:
            await self._close()

    async def _more(self, *, wait: bool) -> None:
        """Fill the empty buffer; without *wait* it stays empty when there is nothing."""
        link = self._api.link
        while not self._buffer:
            await link.until_up(None if wait else asyncio.get_running_loop().time() + API_TIMEOUT)
            # What a consumer sent through a link that broke is gone: each link needs a new one.
            if self._epoch != link.epoch and not await self._create() and not wait:
                return
            if self._pull.idle:
                await self._pull.request(self._consumer, _BATCH, wait=wait)
            while not self._buffer and not self._pull.idle:
                await self._pull.wait()
            if self._buffer or self._epoch != link.epoch:
                continue
            if self._pull.trouble:
                self._epoch = 0
                raise BusError(f"reading a stream stopped: {self._pull.trouble}")
            if not wait:
                return

    async def _create(self) -> int:
        """Create the consumer behind the last message; returns how many messages it will bring."""
        start = self._start
        if self._position is not None:
            start = {"deliver_policy": "by_start_sequence", "opt_start_seq": self._position + 1}
        epoch = self._api.link.epoch
        body = {"stream_name": self._stream, "config": {**self._config, **start}}
        info = await self._api.call(f"CONSUMER.CREATE.{self._stream}", body)
        if self._position is None:
            self._position = info["delivered"]["stream_seq"]
        self._consumer = info["name"]
        self._epoch = epoch
        pending: int = info["num_pending"]
        return pending

    async def _receive(self, message: Msg) -> None:
        place = parse_place(message.reply)
        if self._position is None or place.sequence > self._position:
            self._position = place.sequence
            record = StreamMessage(
                place.sequence, place.stored, message.subject, message.headers or {}, message.data
            )
            self._buffer.append((record, place.pending))

    async def _close(self) -> None:
        await self._pull.close()
        if self._consumer:
            subject = f"$JS.API.CONSUMER.DELETE.{self._stream}.{self._consumer}"
            await self._api.link.send(subject, b"")
