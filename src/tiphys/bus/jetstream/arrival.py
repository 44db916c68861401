"""
Whether everything has arrived that a server delivered: what keeping the order depends on.

What was on its way when a link broke or a process was killed comes again, but only after a while
and behind newer messages.  A subscription in stream order holds those back meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Any

from tiphys.aio import stop
from tiphys.bus._base import Delivery
from tiphys.bus.jetstream.durables import Durable
from tiphys.errors import BusError

_LATE = 5.0  # seconds that a message may take beyond the time after which it comes again
_INTERVAL = 0.25  # seconds between questions to the server

_Identity = tuple[int, int]


class Arrival:
    """
    Compares what the server counts as delivered with what is here.

    *unsettled* and *settling* are tables of the subscription: what is here, and of that what is
    being acknowledged.  *changed* is called when :attr:`complete` becomes true.
    """

    def __init__(
        self,
        durable: Durable,
        unsettled: Mapping[_Identity, Delivery],
        settling: Collection[_Identity],
        changed: Callable[[], None],
    ) -> None:
        self._durable = durable
        self._unsettled = unsettled
        self._settling = settling
        self._changed = changed
        self._last: int | None = None  # the number of the last delivery
        self._deadline = 0.0
        self._waiting: asyncio.Task[None] | None = None

    @property
    def complete(self) -> bool:
        """Whether nothing is missing; if something is, only until it cannot come any more."""
        return self._waiting is None

    async def close(self) -> None:
        """Wait no more."""
        if self._waiting is not None:
            await stop(self._waiting)

    async def check(self) -> None:
        """
        Ask the server what it has delivered, before messages are asked for over a new link.

        Raises :exc:`BusError`.
        """
        info = await self._durable.info()
        if info is None:
            return  # it will be created anew, and deliver everything in order
        delivered = info["delivered"]["consumer_seq"]
        lost = info["num_ack_pending"] > 0 if self._last is None else delivered > self._last
        self._last = delivered
        if lost or not self.complete:
            self._wait()

    def came(self, number: int) -> None:
        """Take note of a delivery; the server numbers them without gaps."""
        if self._last is not None and number > self._last + 1:
            self._wait()
        self._last = number

    def _wait(self) -> None:
        """Wait for what is missing, for as long as the server takes to deliver it again."""
        now = asyncio.get_running_loop().time()
        self._deadline = now + self._durable.ack_wait + _LATE
        if self._waiting is None:
            name = f"arrival at {self._durable.name}"
            self._waiting = asyncio.create_task(self._until_complete(), name=name)

    async def _until_complete(self) -> None:
        while asyncio.get_running_loop().time() < self._deadline:
            with suppress(BusError):
                info = await self._durable.info()
                if info is None or self._is_all_of(info):
                    break
            await asyncio.sleep(_INTERVAL)
        self._waiting = None
        self._changed()

    def _is_all_of(self, info: dict[str, Any]) -> bool:
        if self._settling:
            return False  # the server may have settled what is still counted here
        # A server that was killed may have forgotten deliveries; it does not count those, either.
        newest = info["delivered"]["stream_seq"]
        here = sum(delivery.sequence <= newest for delivery in self._unsettled.values())
        return bool(info["num_ack_pending"] <= here)
