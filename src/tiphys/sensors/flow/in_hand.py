"""
The messages that an ordered trigger has in hand, written down so that order survives a restart.

The bus delivers what was in hand again, but only after a while and behind newer messages.  Whoever
starts therefore knows what to expect, and lets newer messages wait until it has come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import orjson

from tiphys.aio import Clock
from tiphys.bus import State
from tiphys.sensors.delivery import Work
from tiphys.sensors.flow.item import microseconds

RETURN = 35.0  # seconds within which the bus has delivered again what a crash left behind


class InHand:
    """The record at *key*."""

    def __init__(self, state: State, key: str, clock: Clock) -> None:
        self._state = state
        self._key = key
        self._clock = clock
        self._unsettled: dict[tuple[int, int], Work] = {}
        self._expected: set[tuple[int, int]] = set()
        self._until = 0.0
        self._early: list[Work] = []
        self._one_at_a_time = asyncio.Lock()
        self._written = b""

    def __len__(self) -> int:
        """How many messages are not settled."""
        return len(self._unsettled)

    def begin(self, work: Work) -> None:
        """A message is in hand."""
        self._unsettled[_place(work)] = work

    def settled(self, work: Work) -> None:
        """A message was acknowledged, confirmed."""
        self._unsettled.pop(_place(work), None)

    async def load(self, here: Iterable[Work]) -> None:
        """Find out what is to be expected beyond the messages that are *here*; raises BusError."""
        entry = await self._state.get(self._key)
        present = {_place(work): work for work in here}
        if entry is None or entry.value != self._written:
            # Another process had the trigger meanwhile, or this one has just begun.
            known: list[tuple[int, int]] = [] if entry is None else orjson.loads(entry.value)
            self._expected = {(number, moment) for number, moment in known}
            self._unsettled = {}
        self._expected = (self._expected | self._unsettled.keys()) - present.keys()
        self._unsettled = present
        self._until = self._clock.monotonic() + RETURN
        self._early = []

    async def save(self) -> None:
        """Write down what is in hand now.  Raises BusError."""
        async with self._one_at_a_time:
            body = orjson.dumps(sorted({*self._unsettled, *self._expected}))
            if body != self._written:
                await self._state.put(self._key, body)
                self._written = body

    def come(self, work: Work) -> list[Work]:
        """A message came; returns those that may be handled now, in the order of the stream."""
        self._expected.discard(_place(work))
        self._early.append(work)
        return [] if self.waiting else self.take()

    @property
    def waiting(self) -> bool:
        """Whether newer messages have to wait."""
        return bool(self._expected) and self._clock.monotonic() < self._until

    async def given_up(self) -> None:
        """Wait until nothing is expected any more, because it has come or its time is over."""
        while self.waiting:
            await self._clock.sleep(self._until - self._clock.monotonic())
        self._expected.clear()

    def take(self) -> list[Work]:
        """The messages that wait, in the order of the stream."""
        taken, self._early = self._early, []
        return sorted(taken, key=lambda work: work.delivery.sequence)


def _place(work: Work) -> tuple[int, int]:
    return work.delivery.sequence, microseconds(work.delivery.published)
