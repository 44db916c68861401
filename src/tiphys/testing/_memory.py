"""State and journals in memory, behind a link that can be cut."""

from __future__ import annotations

import asyncio
import dataclasses
from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta

from tiphys.aio import Clock, stop
from tiphys.bus import Entry, Journal, Limits, Record
from tiphys.bus.jetstream import names
from tiphys.bus.memory import MemoryState
from tiphys.errors import BusUnavailable


class Link:
    """Whether the bus can be reached, and a way to wait for anything that changes on it."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.listeners: list[Callable[[bool], None]] = []
        self._up = False
        self._changed = asyncio.Event()

    @property
    def up(self) -> bool:
        """Whether the link is up."""
        return self._up

    @up.setter
    def up(self, up: bool) -> None:
        if up is not self._up:
            self._up = up
            self.changed()
            for listener in self.listeners:
                listener(up)

    def require(self) -> None:
        """Raise :exc:`BusUnavailable` while the link is down."""
        if not self._up:
            raise BusUnavailable("the bus in memory is disconnected")

    def changed(self) -> None:
        """Wake everybody who waits for a change."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def change(self, within: float | None = None) -> None:
        """Wait for a change, at most *within* seconds of the clock."""
        if within is None:
            await self._changed.wait()
            return
        waits = [
            asyncio.ensure_future(self._changed.wait()),
            asyncio.ensure_future(self.clock.sleep(within)),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()  # both, before somebody cancels this a second time
            for wait in waits:
                await stop(wait)


class LinkedState(MemoryState):
    """A map in memory that is out of reach while the link is down."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self._link = link

    async def get(self, key: str) -> Entry | None:
        """The value of *key*."""
        self._link.require()
        return await super().get(key)

    async def put(self, key: str, value: bytes, *, revision: int | None = None) -> int:
        """Set *key* and return its new revision."""
        self._link.require()
        return await super().put(key, value, revision=revision)

    async def delete(self, key: str) -> None:
        """Remove *key*."""
        self._link.require()
        await super().delete(key)

    async def keys(self, prefix: str = "") -> list[str]:
        """The keys that begin with *prefix*, sorted."""
        self._link.require()
        return await super().keys(prefix)


class MemoryJournal(Journal):
    """A bounded list of records in memory, under the subjects that they would have on the wire."""

    def __init__(self, link: Link, limits: Limits, duplicates: float) -> None:
        self._link = link
        self._limits = limits
        self._duplicates = duplicates
        self._records: list[Record] = []
        self._seen: dict[str, tuple[float, int]] = {}
        self._last = 0
        self._size = 0

    @property
    def last(self) -> int:
        """The sequence of the newest record that ever was."""
        return self._last

    async def append(self, subject: str, body: bytes, *, id: str | None = None) -> int:
        """Add a record and return its sequence."""
        self._link.require()
        return self.store(names.subject(subject), body, id)

    async def append_many(self, records: Sequence[tuple[str, bytes]]) -> None:
        """Add records."""
        self._link.require()
        for subject, body in records:
            self.store(names.subject(subject), body, None)

    async def read(
        self, subject: str = ">", *, since: datetime | None = None, until: datetime | None = None
    ) -> AsyncIterator[Record]:
        """The records whose subject matches the filter, oldest first."""
        self._link.require()
        for record in self.after(0, names.subject(subject)):
            if (since is None or record.stored >= since) and (
                until is None or record.stored < until
            ):
                yield _read(record)

    async def follow(self, subject: str = ">") -> AsyncIterator[Record]:
        """The records that come from now on."""
        self._link.require()
        position, subject = self._last, names.subject(subject)
        while True:
            for record in self.after(position, subject):
                position = record.sequence
                yield _read(record)
            await self._link.change()

    async def get(self, sequence: int) -> Record | None:
        """One record."""
        self._link.require()
        self._expire()
        place = bisect_left(self._records, sequence, key=_sequence)
        found = self._records[place : place + 1]
        return _read(found[0]) if found and found[0].sequence == sequence else None

    async def delete(self, sequence: int) -> None:
        """Remove one record."""
        if await self.get(sequence) is not None:
            self._drop(bisect_left(self._records, sequence, key=_sequence))

    def store(self, subject: str, body: bytes, id: str | None) -> int:
        """Add a record unless its id was seen of late; return the sequence."""
        now = self._link.clock.monotonic()
        self._forget(now)
        if id is not None and id in self._seen:
            return self._seen[id][1]
        self._last += 1
        headers = {} if id is None else {"Nats-Msg-Id": id}
        stored = self._link.clock.now()
        self._records.append(Record(self._last, stored, subject, headers, bytes(body)))
        self._size += len(body)
        if id is not None:
            self._seen[id] = (now, self._last)
        self._expire()
        self._link.changed()
        return self._last

    def after(self, sequence: int, subject: str) -> list[Record]:
        """The records that follow *sequence* and match, as they are now."""
        self._expire()
        first = bisect_right(self._records, sequence, key=_sequence)
        return [record for record in self._records[first:] if matches(subject, record.subject)]

    def __len__(self) -> int:
        return len(self._records)

    def _expire(self) -> None:
        limits = self._limits
        oldest = self._link.clock.now() - timedelta(seconds=limits.age) if limits.age else None
        while self._records and (
            (limits.messages and len(self._records) > limits.messages)
            or (limits.size and self._size > limits.size)
            or (oldest is not None and self._records[0].stored < oldest)
        ):
            self._drop(0)

    def _drop(self, place: int) -> None:
        self._size -= len(self._records.pop(place).body)

    def _forget(self, now: float) -> None:
        while self._seen:
            id, (moment, _) = next(iter(self._seen.items()))
            if now - moment <= self._duplicates:
                break
            del self._seen[id]


def _sequence(record: Record) -> int:
    return record.sequence


def _read(record: Record) -> Record:
    """*record* as it is read: under the subject that it was given."""
    tokens = record.subject.split(".")
    return dataclasses.replace(record, subject=".".join(map(names.unescape, tokens)))


def matches(pattern: str, subject: str) -> bool:
    """Whether *subject* matches a NATS subject filter (``*`` one token, ``>`` the rest)."""
    wanted, tokens = pattern.split("."), subject.split(".")
    for position, token in enumerate(wanted):
        if token == ">":
            return len(tokens) > position
        if position >= len(tokens) or token not in ("*", tokens[position]):
            return False
    return len(wanted) == len(tokens)
