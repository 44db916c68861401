"""Lets event services wait for the bus."""

from __future__ import annotations

import asyncio

from tiphys.bus import Bus


class BusLink:
    """Follows the link of a bus; one serves all event services of an object."""

    def __init__(self, bus: Bus) -> None:
        self._up = asyncio.Event()
        self._follow(bus.connected)
        bus.on_link_change(self._follow)

    @property
    def up(self) -> bool:
        """Whether the link is up."""
        return self._up.is_set()

    async def wait(self) -> None:
        """Wait until the link is up."""
        await self._up.wait()

    def _follow(self, up: bool) -> None:
        if up:
            self._up.set()
        else:
            self._up.clear()
