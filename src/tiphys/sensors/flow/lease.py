"""
A lease: of several replicas, the one that runs a trigger whose flow control must see every event.

The holder writes the entry anew every few seconds.  Who finds it unchanged for long enough, by its
own clock, takes it over; so the clocks of machines need not agree.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress

from tiphys.aio import Clock, stop
from tiphys.bus import Entry, State
from tiphys.errors import BusError, Conflict

RENEWED = 2.0  # seconds between two writings
EXPIRES = 6.0  # seconds without one


class Lease:
    """The lease at *key*."""

    def __init__(self, state: State, key: str, clock: Clock) -> None:
        self._state = state
        self._key = key
        self._clock = clock
        self._me = secrets.token_hex(8).encode()
        self._revision = 0
        self._renewed = 0.0

    @property
    def held(self) -> bool:
        """Whether the lease is ours, as far as we know."""
        return self._revision > 0

    async def acquire(self) -> None:
        """Wait until the lease is ours."""
        seen: Entry | None = None
        since = self._clock.monotonic()
        while not self.held:
            try:
                entry = await self._state.get(self._key)
                if entry is None:
                    await self._write(0)
                elif seen is None or entry.revision != seen.revision:
                    seen, since = entry, self._clock.monotonic()
                elif self._clock.monotonic() - since >= EXPIRES:
                    await self._write(entry.revision)
            except BusError:
                seen = None  # it may have been renewed meanwhile
            if not self.held:
                await self._clock.sleep(RENEWED / 2)

    async def keep(self) -> None:
        """Renew the lease; returns when it is lost."""
        while (left := self._renewed + EXPIRES - self._clock.monotonic()) > 0:
            await self._clock.sleep(min(RENEWED, left))
            try:
                await self._renew()
            except Conflict:
                break
            except BusError:
                continue
        self._revision = 0

    async def release(self) -> None:
        """Let another one have it at once; best effort."""
        if self.held:
            with suppress(BusError):
                entry = await self._state.get(self._key)
                if entry is not None and entry.value == self._me:
                    await self._state.delete(self._key)
        self._revision = 0

    async def _renew(self) -> None:
        """One attempt, which ends when the lease does."""
        left = self._renewed + EXPIRES - self._clock.monotonic()
        attempt = asyncio.create_task(self._write(self._revision))
        limit = asyncio.create_task(self._clock.sleep(left))
        try:
            await asyncio.wait([attempt, limit], return_when=asyncio.FIRST_COMPLETED)
            if attempt.done():
                attempt.result()
        finally:
            await stop(attempt)
            await stop(limit)

    async def _write(self, revision: int) -> None:
        started = self._clock.monotonic()
        try:
            self._revision = await self._state.put(self._key, self._me, revision=revision)
        except Conflict:
            # Ours all the same, if an earlier attempt succeeded after we had given it up.
            entry = await self._state.get(self._key)
            if entry is None or entry.value != self._me:
                raise
            self._revision = entry.revision
        self._renewed = started
