"""The durable position of a trigger: a pull consumer, its messages and their settlement."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

import orjson
import structlog
from nats.aio.msg import Msg

from tiphys.aio import Recent, capped_backoff, stop
from tiphys.bus._base import Delivery, Subscription
from tiphys.bus.jetstream import durables
from tiphys.bus.jetstream.arrival import Arrival
from tiphys.bus.jetstream.connection import Link, NobodyThere
from tiphys.bus.jetstream.durables import Durable
from tiphys.bus.jetstream.pull import Pull
from tiphys.bus.jetstream.wire import parse_place
from tiphys.errors import BusError, BusUnavailable

log = structlog.get_logger("argo-events.eventbus")

_KEEP_ALIVE = durables.ACK_WAIT / 3  # seconds between signs of life for what lies here
_ACK_ATTEMPT = 1.0  # seconds for the answer to one acknowledgement
_COPIES = 256  # messages asked for to find the copy of one
_REMEMBERED = 10.0  # seconds for which an acknowledged message is recognised when it comes again


class JetStreamDelivery(Delivery):
    """One message; see :class:`tiphys.bus.Delivery`."""

    __slots__ = (
        "_subscription", "arrived", "attempt", "body", "identity", "link", "number", "published",
        "reply", "sequence", "settled",
    )  # fmt: skip

    def __init__(self, subscription: JetStreamSubscription, message: Msg) -> None:
        self._subscription = subscription
        self.reply = message.reply
        self.body = message.data
        place = parse_place(message.reply)
        self.attempt = place.attempt
        self.sequence = place.sequence
        self.number = place.number
        self.published = place.stored
        self.identity = (place.sequence, place.time)
        self.link = subscription.link.epoch
        self.arrived = time.monotonic()
        self.settled = False

    async def ack(self) -> None:
        """Settle the message; returns when the bus has confirmed."""
        await self._subscription.acknowledge(self)

    async def nak(self, delay: float = 0.0) -> None:
        """Ask for the message again after *delay* seconds."""
        await self._subscription.refuse(self, delay)

    async def in_progress(self) -> None:
        """Put off the redelivery."""
        await self._subscription.prolong(self)


class JetStreamSubscription(Subscription):
    """
    A trigger's consumer.

    Messages are asked for as many as :meth:`fetch` wants, so little lies here unseen; what does is
    kept from being delivered again.  With *in_order*, what comes waits here for what was lost on
    its way.  *closed* is called when the subscription is closed.
    """

    def __init__(
        self,
        link: Link,
        durable: Durable,
        max_pending: int,
        closed: Callable[[JetStreamSubscription], None],
        *,
        in_order: bool = False,
    ) -> None:
        self.link = link
        self._tell_closed = closed
        self._durable = durable
        self._one_at_a_time = max_pending == 1
        self._pull = Pull(link, durables.STREAM, self._receive)
        self._buffer: deque[JetStreamDelivery] = deque()
        self._unsettled: dict[tuple[int, int], JetStreamDelivery] = {}
        self._acknowledging: dict[tuple[int, int], asyncio.Event] = {}
        self._acknowledged = Recent(_REMEMBERED)
        self._arrival: Arrival | None = None
        if in_order:
            self._arrival = Arrival(durable, self._unsettled, self._acknowledging, self._arrived)
        self._checked = 0  # the link over which arrival was checked
        self._epoch = 0.0
        self._pauses = capped_backoff(0.1, 5.0)
        self._troubled = False
        self._mending = asyncio.Lock()
        self._closed = False
        self._keeper: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Start; to be called once."""
        await self._pull.open()
        self._keeper = asyncio.create_task(self._keep_alive(), name=f"keeper {self._durable.name}")

    async def fetch(self, limit: int) -> Sequence[Delivery]:
        """Wait for messages and return 1 to *limit* of them, in stream order."""
        while not self._buffer or not (self._arrival is None or self._arrival.complete):
            if self._closed:
                raise BusError("the subscription is closed")
            if self._pull.idle:
                await self._ask(limit)
            if not self._pull.idle:
                await self._pull.wait()
        taken = [self._buffer.popleft() for _ in range(min(limit, len(self._buffer)))]
        if self._one_at_a_time and self._pull.idle:
            # The server holds the next message back until this one is acknowledged: ask already.
            with suppress(BusError):
                await self._request(1)
        return taken

    async def close(self) -> None:
        """Stop fetching; what is not settled is delivered again at once, to whoever comes next."""
        if self._closed:
            return
        self._closed = True
        self._tell_closed(self)
        if self._keeper is not None:
            await stop(self._keeper)
        if self._arrival is not None:
            await self._arrival.close()
        await self._pull.close()
        for delivery in list(self._unsettled.values()):
            await self.refuse(delivery, 0.0)
        self._buffer.clear()

    async def acknowledge(self, delivery: JetStreamDelivery) -> None:
        """Settle *delivery*, confirmed.  Raises :exc:`BusError`."""
        identity = delivery.identity
        if delivery.settled or identity in self._acknowledged:
            return
        copied = self._acknowledging.setdefault(identity, asyncio.Event())
        try:
            # The bus counts the message as ours for as long as we try.
            deadline = asyncio.get_running_loop().time() + durables.ACK_WAIT
            while not await self._confirmed(delivery, copied, deadline):
                pass
        finally:
            self._acknowledging.pop(identity, None)
        self._forget(delivery)
        self._acknowledged.add(identity, time.monotonic())

    async def refuse(self, delivery: JetStreamDelivery, delay: float) -> None:
        """Have *delivery* come again."""
        newest = self._newest(delivery)
        if delivery.settled or newest.arrived < self._epoch:
            return
        self._forget(delivery)
        options = orjson.dumps({"delay": int(delay * 1e9)}) if delay > 0 else b""
        await self.link.send(newest.reply, b"-NAK " + options if options else b"-NAK")

    async def prolong(self, delivery: JetStreamDelivery) -> None:
        """Put off the time at which *delivery* comes again."""
        if not delivery.settled:
            await self.link.send(self._newest(delivery).reply, b"+WPI")

    def _newest(self, delivery: JetStreamDelivery) -> JetStreamDelivery:
        """The newest copy of *delivery*: the bus listens to what is said of that one only."""
        return self._unsettled.get(delivery.identity, delivery)

    async def _confirmed(
        self, delivery: JetStreamDelivery, copied: asyncio.Event, deadline: float
    ) -> bool:
        """One attempt to acknowledge the newest copy of *delivery*; false when it was in vain."""
        newest = self._newest(delivery)
        left = deadline - asyncio.get_running_loop().time()
        if newest.arrived >= self._epoch:
            try:
                await self.link.request(newest.reply, b"+ACK", timeout=min(_ACK_ATTEMPT, left))
                return True
            except BusUnavailable as error:
                if left <= _ACK_ATTEMPT:
                    raise
                if isinstance(error, NobodyThere):
                    await self._mend(str(error))
            if newest.link == self.link.epoch and newest.arrived >= self._epoch:
                return False
        # The bus has forgotten this delivery: nats-server stores positions a moment after it
        # delivers, and was killed.  It ignores the acknowledgement and delivers the message anew.
        with suppress(BusError, TimeoutError):
            copied.clear()
            await self.link.until_up(asyncio.get_running_loop().time() + _ACK_ATTEMPT)
            if self._pull.idle:
                await self._request(_COPIES)
            async with asyncio.timeout(min(_ACK_ATTEMPT, left)):
                await copied.wait()
        if left <= _ACK_ATTEMPT:
            raise BusError("the bus lost the position of the trigger; the message comes again")
        return False

    def _forget(self, delivery: JetStreamDelivery) -> None:
        """Note that *delivery* is settled, and so are its copies."""
        delivery.settled = True
        newest = self._unsettled.pop(delivery.identity, delivery)
        if newest is not delivery:
            newest.settled = True
            with suppress(ValueError):
                self._buffer.remove(newest)

    async def _receive(self, message: Msg) -> None:
        delivery = JetStreamDelivery(self, message)
        identity = delivery.identity
        self._troubled = False
        if self._arrival is not None:
            self._arrival.came(delivery.number)
        self._durable.delivered(delivery.sequence)
        if identity in self._acknowledged:
            # Confirmed, and forgotten by a nats-server that was killed.
            await self.link.send(delivery.reply, b"+ACK")
            return
        older = self._unsettled.get(identity)
        self._unsettled[identity] = delivery
        if (copied := self._acknowledging.get(identity)) is not None:
            copied.set()
        elif older is not None and older in self._buffer:
            self._buffer[self._buffer.index(older)] = delivery
        else:
            self._buffer.append(delivery)

    def _arrived(self) -> None:
        """Nothing is missing any more: what waited may be fetched."""
        waited = sorted(self._buffer, key=lambda delivery: delivery.sequence)
        self._buffer.clear()
        self._buffer.extend(waited)
        self._pull.wake()

    async def _ask(self, limit: int) -> None:
        """Open a pull request, and mend what keeps it from working."""
        try:
            await self.link.until_up()
            if self._pull.trouble:
                await self._mend(self._pull.trouble)
            else:
                self._pauses = capped_backoff(0.1, 5.0)
            await self._request(limit)
        except BusError as error:
            self._report(str(error))
            await asyncio.sleep(next(self._pauses))

    async def _request(self, batch: int) -> None:
        """Open a pull request; over a new link, once it is known whether the last one lost any."""
        if self._arrival is not None and self._checked != self.link.epoch:
            epoch = self.link.epoch
            await self._arrival.check()
            self._checked = epoch
        await self._pull.request(self._durable.name, batch)

    async def _mend(self, trouble: str) -> None:
        """Find out whether the consumer is still there, and create it again if not."""
        await asyncio.sleep(next(self._pauses))
        async with self._mending:
            if await self._durable.info() is not None:
                return
            self._report(trouble)
            start = await self._durable.recreate([d.sequence for d in self._unsettled.values()])
            self._epoch = time.monotonic()
            self._buffer.clear()
            self._unsettled.clear()
        log.error(
            "The event bus lost the position of a trigger; it was set again",
            **self._durable.labels, startSequence=start,
        )  # fmt: skip

    def _report(self, trouble: str) -> None:
        if not self._troubled:
            self._troubled = True
            log.warning("Waiting for the event bus", error=trouble, **self._durable.labels)

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(_KEEP_ALIVE)
            oldest = time.monotonic() - _KEEP_ALIVE / 2
            for delivery in list(self._buffer):
                if delivery.arrived < oldest:
                    await delivery.in_progress()
