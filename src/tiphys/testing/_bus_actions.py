"""What the contract of a bus does over and over: publish, fetch, read, wait."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from tiphys.bus import Bus, Delivery, Journal, Record, Subscription
from tiphys.events import CloudEvent


def event(id: str, *, name: str = "name") -> CloudEvent:
    return CloudEvent(id, "source", name, "webhook", data=b"{}")


async def subscribe(
    bus: Bus,
    *,
    trigger: str = "trigger",
    dependency: str = "dep",
    name: str = "name",
    **options: Any,
) -> Subscription:
    return await bus.subscribe("sensor", trigger, dependency, "source", name, **options)


async def fetch(subscription: Subscription, count: int) -> list[Delivery]:
    """Fetch until there are *count*, and acknowledge none."""
    deliveries: list[Delivery] = []
    async with asyncio.timeout(30):
        while len(deliveries) < count:
            deliveries += await subscription.fetch(count - len(deliveries))
    return deliveries


async def ids_of(deliveries: Sequence[Delivery]) -> list[str]:
    """Acknowledge *deliveries* and return the ids of their events."""
    for delivery in deliveries:
        await delivery.ack()
    return [CloudEvent.decode(delivery.body).id for delivery in deliveries]


async def drain(
    subscription: Subscription, count: int, *, sequences: list[int] | None = None
) -> list[str]:
    """Fetch and acknowledge *count* events, and return their ids."""
    ids: list[str] = []
    async with asyncio.timeout(30):
        while len(ids) < count:
            deliveries = await subscription.fetch(count - len(ids))
            ids += await ids_of(deliveries)
            if sequences is not None:
                sequences += [delivery.sequence for delivery in deliveries]
    return ids


async def read(journal: Journal, subject: str = ">", **period: Any) -> list[Record]:
    async with asyncio.timeout(30):
        return [record async for record in journal.read(subject, **period)]


@contextlib.asynccontextmanager
async def following(journal: Journal, subject: str) -> AsyncIterator[AsyncIterator[Record]]:
    """The records of a journal from a moment that is certainly before the block begins."""
    arrived: asyncio.Queue[Record] = asyncio.Queue()

    async def follow() -> None:
        async for record in journal.follow(subject):
            await arrived.put(record)

    async def records() -> AsyncIterator[Record]:
        while True:
            async with asyncio.timeout(30):
                record = await arrived.get()
            yield record

    following = asyncio.create_task(follow())
    await asyncio.sleep(0.2)  # there is no sign of a follower being ready
    try:
        yield records()
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until *condition* holds."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - of any thing, which has no event to wait for
            await asyncio.sleep(0.01)
