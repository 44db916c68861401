"""Which triggers of a sensor a person has paused; kept in the sensor's bucket."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine
from typing import Any

import orjson

from tiphys.aio import Clock
from tiphys.bus import Bus, State
from tiphys.errors import BusError, Conflict

KEY = "=paused"
LOOK = 5.0  # seconds between two looks at what other replicas were told


class Pauses:
    """
    The pauses of one sensor.

    A pause of the sensor holds for all its triggers, also for later ones, until one is resumed.
    """

    def __init__(self, bus: Bus, sensor: str, clock: Clock) -> None:
        self._bus = bus
        self._sensor = sensor
        self._clock = clock
        self._all = False
        self._triggers: dict[str, bool] = {}
        self._changed = asyncio.Event()

    def paused(self, trigger: str) -> bool:
        """Whether *trigger* is paused."""
        return self._triggers.get(trigger, self._all)

    def change(self) -> Coroutine[Any, Any, bool]:
        """Waits until something changes, counted from the call and not from the first await."""
        return self._changed.wait()

    async def load(self) -> None:
        """Read what is stored.  Raises :exc:`BusError`."""
        entry = await (await self._state()).get(KEY)
        self._read(b"" if entry is None else entry.value)

    async def follow(self) -> None:
        """Look again and again, as other replicas may be told; until cancelled."""
        while True:
            await self._clock.sleep(LOOK)
            try:
                await self.load()
            except BusError:
                continue

    async def keep(self, triggers: Collection[str]) -> None:
        """Forget of triggers that are gone that they were paused.  Raises :exc:`BusError`."""
        for trigger in self._triggers.keys() - triggers:
            await self._set(trigger, None)

    async def pause(self, trigger: str | None) -> None:
        """Pause a trigger, or all.  Raises :exc:`BusError`."""
        await self._set(trigger, True)

    async def resume(self, trigger: str | None) -> None:
        """Resume a trigger, or all.  Raises :exc:`BusError`."""
        await self._set(trigger, False)

    async def _set(self, trigger: str | None, paused: bool | None) -> None:
        """Note that *trigger*, or all, are *paused* or not; None: nothing of that one."""
        while True:
            state = await self._state()
            entry = await state.get(KEY)
            self._read(b"" if entry is None else entry.value)
            everything = paused if trigger is None else self._all
            triggers = {} if trigger is None else {**self._triggers, trigger: paused}
            known = {name: whether for name, whether in triggers.items() if whether is not None}
            body = orjson.dumps({"sensor": everything, "triggers": known})
            try:
                await state.put(KEY, body, revision=0 if entry is None else entry.revision)
            except Conflict:
                continue
            self._read(body)
            return

    def _read(self, body: bytes) -> None:
        everything, triggers = self._all, self._triggers
        members: dict[str, Any] = orjson.loads(body) if body else {}
        self._all = bool(members.get("sensor"))
        self._triggers = dict(members.get("triggers") or {})
        if (self._all, self._triggers) != (everything, triggers):
            self._changed.set()
            self._changed = asyncio.Event()

    async def _state(self) -> State:
        return await self._bus.state(self._sensor)
