"""Runs one source: publish, settle, and start again.  Sources stay unaware of all three."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable
from contextlib import aclosing
from typing import Any

from tiphys.aio import capped_backoff
from tiphys.errors import (
    BusUnavailable,
    EventTooLarge,
    ManifestError,
    MissingExtraError,
    PublishError,
    SourceError,
    TiphysError,
)
from tiphys.sources._base import Incoming, Source, SourceContext
from tiphys.sources._dispatch import Dispatcher, new_id
from tiphys.sources._link import BusLink
from tiphys.sources._waiting import end, first, unless

WINDOW = 64  # events that are read and not yet settled
PAUSE = 0.25  # seconds after a refusal; without a pause a refusing bus would spin the loop
LONGEST_PAUSE = 2.0
TRIES = 5  # for an event that its service cannot give again
STEADY = 5.0  # seconds after which a source that had failed works, and may pause shortly again


class PullService:
    """
    One event service of a source that goes and gets its events.

    Up to *window* events are on their way to the bus at a time.  While the bus is away nothing more
    is read, and what was read is kept; what the bus refuses goes back to the service that it came
    from.  The events of an ordered source are published one after the other, each until the bus
    takes it: of several under way at once, the bus could refuse one and take those behind it.

    The service is ready from the source's word that its connection stands, or its first event,
    until the source ends.  A source that had failed works again once it has stood for a while, or
    one of its events was acknowledged: one that breaks at each attempt is still the same failure.
    """

    def __init__(
        self,
        source: Source[Any],
        ctx: SourceContext,
        dispatcher: Dispatcher,
        link: BusLink,
        *,
        window: int = WINDOW,
    ) -> None:
        self.status = dispatcher.status
        self._source = source
        self._ctx = dataclasses.replace(ctx, connected=self._connected)
        self._dispatcher = dispatcher
        self._link = link
        self._window = window
        self._log = dispatcher.log
        self._stopping = asyncio.Event()
        self._room = asyncio.Event()
        self._under_way: set[asyncio.Task[None]] = set()
        self._reader: asyncio.Task[None] | None = None
        self._standing: asyncio.Task[None] | None = None
        self._last: asyncio.Future[bool] | None = None  # whether the bus has the newest event
        self._refusals = 0

    def stop(self) -> None:
        """Read no more; :meth:`run` ends when what is under way is settled."""
        self._stopping.set()

    async def run(self) -> None:
        """
        Forward events until :meth:`stop`.

        Cancelling is like a crash: nothing more is settled, and the service will give the events
        again if it can.  Raises :exc:`ManifestError` and :exc:`MissingExtraError`, after which
        running again cannot help.
        """
        pauses = capped_backoff()
        while not self._stopping.is_set():
            await self._unless_stopping(self._link.wait())
            started = self._ctx.clock.monotonic()
            error = await self._run_once()
            if self._stopping.is_set():
                break
            if isinstance(error, ManifestError | MissingExtraError):
                raise error
            if self._ctx.clock.monotonic() - started >= STEADY:
                pauses = capped_backoff()
            self._in_trouble(error or SourceError("it ended"))
            await self._unless_stopping(self._ctx.clock.sleep(next(pauses)))

    async def _run_once(self) -> BaseException | None:
        """Read until the source ends; return the error that it ended with."""
        self._last = None
        self._reader = reader = asyncio.create_task(self._read())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await first(reader, stopping)
            while self._under_way:
                await asyncio.wait(self._under_way)
            return _error_of(reader)
        finally:
            standing = [self._standing] if self._standing is not None else []
            await end([reader, stopping, *standing, *self._under_way])
            self._standing = None

    async def _read(self) -> None:
        stream = self._source.events(self._ctx)
        async with aclosing(stream):  # type: ignore[type-var]  # sources are generators
            try:
                await self._clearance()
                async for incoming in stream:
                    if self._stopping.is_set():
                        return  # not settled, so it comes again
                    self._connected()
                    self._begin(incoming)
                    await self._clearance()
            finally:
                self.status.ready = False
                if self._standing is not None:
                    self._standing.cancel()

    async def _clearance(self) -> None:
        """Wait until there is room for one more event, and a bus to bring it to."""
        while True:
            await self._link.wait()
            if len(self._under_way) < self._window:
                return
            self._room.clear()
            await self._room.wait()

    def _begin(self, incoming: Incoming) -> None:
        before = self._last
        if self._source.ordered:
            self._last = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._handle(incoming, before, self._last))
        self._under_way.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._room.set()

    async def _handle(
        self,
        incoming: Incoming,
        before: asyncio.Future[bool] | None,
        done: asyncio.Future[bool] | None,
    ) -> None:
        """Publish and settle one event once the bus has the one *before*; else give it back."""
        stored = False
        try:
            if before is None or await before:
                stored = await self._publish(incoming)
        finally:
            if done is not None and not done.done():
                done.set_result(stored)
        try:
            await (incoming.ack() if stored else incoming.nack())
        except Exception as error:  # noqa: BLE001 - whatever the client library raises
            self._log.warning("An event could not be settled, it may come again", error=str(error))
        else:
            if stored:
                self._works()
        if not stored:
            self._went_back()

    def _went_back(self) -> None:
        if self._source.delivery != "at-least-once":
            self._log.error("An event was lost, because its service cannot give it again")
        elif self._source.ordered and self._reader is not None and not self._reader.cancelling():
            self._reader.cancel()  # what was read behind it must come again after it

    async def _publish(self, incoming: Incoming) -> bool:
        """Bring an event to the bus; false when it must go back."""
        if incoming.id is None:
            incoming = dataclasses.replace(incoming, id=new_id())  # the same for all attempts
        tries = 0
        while True:
            try:
                await self._dispatcher.send(incoming, last=tries + 1 == self._tries)
            except BusUnavailable:
                if not await self._unless_stopping(self._link.wait()):
                    return False
            except EventTooLarge:
                return True  # reported; given back, it would come again for ever
            except PublishError:
                tries += 1
                if tries >= self._tries and not self._source.ordered:
                    await self._pause()
                    return False
            except Exception:  # noqa: BLE001 - one event's bug must not stop the others
                self._log.error("An event could not be processed", exc_info=True)
                self._dispatcher.failed()
                await self._pause()
                return False
            else:
                self._refusals = 0
                return True
            if not await self._pause():
                return False

    @property
    def _tries(self) -> int:
        """After how many refusals an event has failed: it goes back, unless order demands it."""
        gives_back = self._source.delivery == "at-least-once" and not self._source.ordered
        return 1 if gives_back else TRIES

    async def _pause(self) -> bool:
        """Let a bus that refuses come to itself; false when the service is stopping."""
        pause = min(LONGEST_PAUSE, PAUSE * 2 ** min(self._refusals, 8))
        self._refusals += 1
        return await self._unless_stopping(self._ctx.clock.sleep(pause))

    async def _unless_stopping(self, wait: Awaitable[object]) -> bool:
        return await unless(self._stopping, wait)

    def _in_trouble(self, error: BaseException) -> None:
        text = str(error) if isinstance(error, TiphysError) else f"{type(error).__name__}: {error}"
        if self.status.error is None:
            self._log.warning("The event source failed and is tried again", error=text)
        self.status.error = text

    def _connected(self) -> None:
        self.status.ready = True
        if self.status.error is not None and self._standing is None:
            self._standing = asyncio.create_task(self._stands())

    async def _stands(self) -> None:
        await self._ctx.clock.sleep(STEADY)
        self._works()

    def _works(self) -> None:
        if self.status.error is not None:
            self._log.info("The event source works again")
        self.status.error = None


def _error_of(reader: asyncio.Task[None]) -> BaseException | None:
    if not reader.done():
        return None
    if reader.cancelled():
        return SourceError("an event could not be stored, so reading starts again before it")
    return reader.exception()
