"""A bus in memory that keeps the whole contract, and that a test can cut off or make refuse."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from datetime import datetime

from tiphys.aio import Clock, SystemClock
from tiphys.bus import Bus, Delivery, Journal, Limits, Record, State, Subscription
from tiphys.bus.jetstream import names
from tiphys.errors import BusUnavailable, EventTooLarge, PublishError
from tiphys.events import CloudEvent
from tiphys.testing._memory import Link, LinkedState, MemoryJournal


class MemoryBus(Bus):
    """
    Everything a bus does, in one process and without durability.

    :meth:`close` keeps what is stored, so a later :meth:`start` is a restart of the client.
    *refuse* is the number of coming publications that fail with :exc:`PublishError`,
    *largest* that of the bytes of an event's data that it takes.  Setting
    :attr:`connected` cuts or mends the link.  A message comes again *ack_wait* seconds of the clock
    after it was delivered and not settled, and at once when its subscription was closed.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        ack_wait: float = 30.0,
        duplicates: float = 300.0,
        limits: Limits | None = None,
    ) -> None:
        self.refuse = 0
        self.largest: int | None = None
        self.ack_wait = ack_wait
        self._duplicates = duplicates
        self._link = Link(clock or SystemClock())
        self._events = MemoryJournal(self._link, limits or Limits(), duplicates)
        self._durables: dict[tuple[str, str, str], _Durable] = {}
        self._states: dict[str, LinkedState] = {}
        self._journals: dict[str, MemoryJournal] = {}

    async def start(self) -> None:
        """Connect."""
        self._link.up = True

    async def close(self) -> None:
        """Disconnect; what is stored stays."""
        self._link.up = False

    @property
    def connected(self) -> bool:
        """Whether the link is up; may be set."""
        return self._link.up

    @connected.setter
    def connected(self, up: bool) -> None:
        self._link.up = up

    def on_link_change(self, listener: Callable[[bool], None]) -> None:
        """Call *listener* whenever :attr:`connected` changes."""
        self._link.listeners.append(listener)

    async def publish(self, event: CloudEvent, *, timeout: float = 5.0) -> None:
        """Store *event*."""
        await asyncio.sleep(0)  # as any real bus: a caller in a loop does not starve the others
        clock = self._link.clock
        deadline = clock.monotonic() + timeout
        while not self._link.up:
            left = deadline - clock.monotonic()
            if left <= 0:
                raise BusUnavailable(f"no link to the bus within {timeout:g} s")
            await self._link.change(left)
        if self.largest is not None and len(event.data or b"") > self.largest:
            raise EventTooLarge(f"the bus in memory takes {self.largest} bytes")
        if self.refuse:
            self.refuse -= 1
            raise PublishError("the bus in memory was told to refuse")
        subject = names.event_subject(event.source, event.subject)
        self._events.store(subject, event.encode(), event.id)

    async def subscribe(
        self,
        sensor: str,
        trigger: str,
        dependency: str,
        event_source: str,
        event_name: str,
        *,
        start: datetime | None = None,
        max_pending: int = 1000,
        in_order: bool = False,
    ) -> Subscription:
        """Open the durable subscription of a trigger's dependency."""
        self._link.require()
        key = (sensor, trigger, dependency)
        subject = names.event_subject(event_source, event_name)
        durable = self._durables.get(key)
        if durable is None or durable.subject != subject:
            durable = _Durable(subject, self._start_after(subject, start))
            self._durables[key] = durable
        return _MemorySubscription(self, durable, max_pending, in_order=in_order)

    async def unsubscribe(self, sensor: str, trigger: str, dependency: str) -> None:
        """Delete the durable subscription."""
        self._link.require()
        self._durables.pop((sensor, trigger, dependency), None)

    async def state(self, name: str) -> State:
        """The map *name*."""
        self._link.require()
        return self._states.setdefault(name, LinkedState(self._link))

    async def journal(self, name: str, limits: Limits) -> Journal:
        """The journal *name*."""
        self._link.require()
        if name not in self._journals:
            self._journals[name] = MemoryJournal(self._link, limits, self._duplicates)
        return self._journals[name]

    def events(self) -> Journal:
        """The event stream itself."""
        return self._events

    @property
    def published(self) -> list[CloudEvent]:
        """The events on the bus, oldest first, readable also while the link is down."""
        return [CloudEvent.decode(record.body) for record in self._events.after(0, ">")]

    async def wait_for_events(self, count: int) -> list[CloudEvent]:
        """Wait until *count* events are on the bus, and return all that are."""
        while len(self._events) < count:
            await self._link.change()
        return self.published

    def unsettled(self, sensor: str, trigger: str, dependency: str) -> int:
        """How many messages were delivered to a trigger and not settled yet."""
        durable = self._durables.get((sensor, trigger, dependency))
        return len(durable.pending) if durable else 0

    def forget(self, sensor: str, trigger: str, dependency: str, *, after: int = 0) -> None:
        """
        Forget what was acknowledged *after* a sequence: all of that is delivered again.

        So does nats-server with what it confirmed a moment before it is killed.
        """
        durable = self._durables[sensor, trigger, dependency]
        durable.position = after
        durable.pending.clear()
        self._link.changed()

    def _start_after(self, subject: str, start: datetime | None) -> int:
        if start is None:
            return self._events.last
        records = self._events.after(0, subject)
        return next((r.sequence - 1 for r in records if r.stored >= start), self._events.last)


@dataclasses.dataclass(slots=True)
class _Pending:
    """A message that was delivered: when it comes again, how often it came, and through whom."""

    record: Record
    due: float
    attempt: int
    holder: object


@dataclasses.dataclass(slots=True)
class _Durable:
    """The position of one trigger: everything up to *position* was delivered at least once."""

    subject: str
    position: int
    pending: dict[int, _Pending] = dataclasses.field(default_factory=dict)


class _MemorySubscription(Subscription):
    def __init__(
        self, bus: MemoryBus, durable: _Durable, max_pending: int, *, in_order: bool
    ) -> None:
        self._bus = bus
        self._durable = durable
        self._max_pending = max_pending
        self._in_order = in_order

    async def fetch(self, limit: int) -> Sequence[Delivery]:
        """Wait for messages and return 1 to *limit* of them, in stream order."""
        link = self._bus._link
        while True:
            if link.up and (batch := self._take(limit)):
                return batch
            due = self._next_due() if link.up else None
            await link.change(None if due is None else max(0.0, due - link.clock.monotonic()))

    async def close(self) -> None:
        """Stop fetching; what was delivered through this subscription comes again."""
        for pending in self._durable.pending.values():
            if pending.holder is self:
                pending.due = 0.0
        self._bus._link.changed()

    def _next_due(self) -> float | None:
        """When a message comes again; in order, when all have that another one left behind."""
        pending = self._durable.pending.values()
        left = [one.due for one in pending if one.holder is not self] if self._in_order else []
        return max(left) if left else min((one.due for one in pending), default=None)

    def _take(self, limit: int) -> list[Delivery]:
        durable, now = self._durable, self._bus._link.clock.monotonic()
        left = any(pending.holder is not self for pending in durable.pending.values())
        if self._in_order and left and (self._next_due() or 0.0) > now:
            return []
        due = [pending for pending in durable.pending.values() if pending.due <= now]
        due.sort(key=lambda pending: pending.record.sequence)
        for pending in due[:limit]:
            pending.attempt += 1
        free = min(limit - len(due), self._max_pending - len(durable.pending))
        fresh = self._bus._events.after(durable.position, durable.subject)[: max(0, free)]
        for record in fresh:
            durable.position = record.sequence
            durable.pending[record.sequence] = _Pending(record, 0.0, 1, self)
        taken = due[:limit] + [durable.pending[record.sequence] for record in fresh]
        for pending in taken:
            pending.due, pending.holder = now + self._bus.ack_wait, self
        return [_MemoryDelivery(self._bus, durable, pending) for pending in taken]


class _MemoryDelivery(Delivery):
    def __init__(self, bus: MemoryBus, durable: _Durable, pending: _Pending) -> None:
        self.body = pending.record.body
        self.sequence = pending.record.sequence
        self.published = pending.record.stored
        self.attempt = pending.attempt
        self._bus = bus
        self._durable = durable

    async def ack(self) -> None:
        """Settle the message."""
        self._bus._link.require()
        self._durable.pending.pop(self.sequence, None)
        self._bus._link.changed()

    async def nak(self, delay: float = 0.0) -> None:
        """Ask for the message again after *delay* seconds."""
        self._postpone(delay)

    async def in_progress(self) -> None:
        """Put off the redelivery."""
        self._postpone(self._bus.ack_wait)

    def _postpone(self, delay: float) -> None:
        link, pending = self._bus._link, self._durable.pending.get(self.sequence)
        if link.up and pending is not None:
            pending.due = link.clock.monotonic() + delay
            link.changed()
