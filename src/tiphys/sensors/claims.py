"""
Claims: which actions of a trigger have begun, so that none begins twice (design: delivery, rule 3).

An acknowledgement is not enough for that.  nats-server confirms it and stores the position some
tenths of a second later; killed in between, it delivers the message again.  So an action that must
not be repeated begins with a durable claim, which only one can lay, in whatever process.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Collection

from tiphys.aio import Clock
from tiphys.bus import Bus, State, insist
from tiphys.errors import BusError, Conflict

INTERVAL = 10.0  # seconds of a round of tidying
KEPT = 12  # rounds for which a claim stays after the action's message was acknowledged
INHERITED = 360  # rounds for which the claims of a process before this one stay
MARK = "=claims"  # in a sensor's own bucket: there is one with claims
_AT_ONCE = 16  # claims that are removed side by side


def bucket(sensor: str) -> str:
    """The name of the bucket with a sensor's claims; no sensor can have a name like it."""
    return f"{sensor}/claims"


async def sweep(
    bus: Bus, state: State, sensor: str, claiming: Collection[str], broken: Collection[str]
) -> None:
    """
    Remove the claims of triggers that are gone, or whose actions may be repeated now.

    *state* is the sensor's own, *claiming* are the triggers that lay claims; those that are
    *broken* keep theirs.  Raises :exc:`BusError`.
    """
    marked = await state.get(MARK) is not None
    if not marked and not claiming:
        return
    if not marked:
        await state.put(MARK, b"")
    claims = await bus.state(bucket(sensor))
    for key in await claims.keys():
        if _trigger_of(key) not in (*claiming, *broken):
            await claims.delete(key)
    if not claiming and not broken:
        await state.delete(MARK)


def _trigger_of(key: str) -> str:
    return key.rpartition("/")[0]


class Claims:
    """The claims of one trigger, in the bucket *state* of its sensor's claims on *bus*."""

    def __init__(self, bus: Bus, state: State, trigger: str, clock: Clock) -> None:
        self._bus = bus
        self._state = state
        self._trigger = trigger
        self._clock = clock
        self._round = 0
        self._removable: dict[str, int] | None = None  # keys, and the round from which on

    async def open(self) -> None:
        """Take over the claims of the process before this one; later calls do nothing."""
        if self._removable is None:
            keys = await insist(lambda: self._state.keys(self._key("")), self._clock)
            own = (key for key in keys if _trigger_of(key) == self._trigger)
            self._removable = dict.fromkeys(own, INHERITED)

    async def lay(self, name: str) -> bool:
        """Claim the action *name*, durably; false when it was claimed before, by whomever."""
        key, token = self._key(name), secrets.token_hex(12).encode()

        async def laid() -> bool:
            try:
                await self._state.put(key, token, revision=0)
            except Conflict:
                # An attempt before this one may have come through without its answer.
                entry = await self._state.get(key)
                return entry is not None and entry.value == token
            return True

        return await insist(laid, self._clock)

    async def withdraw(self, name: str) -> None:
        """The action *name* was certainly not done, and may begin again.  Raises BusError."""
        await self._state.delete(self._key(name))

    def settled(self, name: str) -> None:
        """What led to the action *name* is acknowledged, or removed; it hardly comes again."""
        if self._removable is not None:
            self._removable[self._key(name)] = self._round + KEPT

    async def tidy(self) -> None:
        """
        Remove claims that are not needed any more; to run while messages are consumed.

        Time counts only then, and only while the bus is there: what it will deliver again after a
        restart cannot come at other times.
        """
        while True:
            await self._clock.sleep(INTERVAL)
            if self._bus.connected:
                self._round += 1
                await self._remove()

    def _key(self, name: str) -> str:
        return f"{self._trigger}/{name}"

    async def _remove(self) -> None:
        removable = self._removable or {}
        due = (key for key, since in list(removable.items()) if since <= self._round)
        while keys := list(itertools.islice(due, _AT_ONCE)):
            try:
                await asyncio.gather(*(self._state.delete(key) for key in keys))
            except BusError:
                return
            for key in keys:
                del removable[key]
