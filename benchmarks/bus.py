"""
How fast the bus is, compared with nats-py alone on the same server in the same run.

Run it with ``python benchmarks/bus.py``; ``--messages`` and ``--sync`` change the load.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import nats
import uvloop
from nats.aio.client import Client
from nats.js.api import ConsumerConfig
from rich.console import Console
from rich.table import Table

from tiphys.bus.embedded import DEFAULT_SYNC, EmbeddedBus
from tiphys.bus.jetstream import Endpoint
from tiphys.events import CloudEvent

DATA = b'{"order":4711,"items":[{"sku":"a-1","count":2},{"sku":"b-7","count":1}],"note":"%s"}' % (
    b"x" * 200
)
ROUNDS = 3
_ids = itertools.count()


def event() -> CloudEvent:
    """A fresh event of about half a kilobyte on the wire."""
    return CloudEvent(f"benchmark-{next(_ids)}", "shop", "order", "webhook", data=DATA)


async def rate(action: Callable[[], Awaitable[object]], count: int, under_way: int) -> float:
    """Do *action* *count* times, *under_way* of them at once; returns the number per second."""
    rest = iter(range(count))

    async def worker() -> None:
        for _ in rest:
            await action()

    started = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(under_way)))
    return count / (time.perf_counter() - started)


async def publishing(
    bus: EmbeddedBus, client: Client, count: int, under_way: int
) -> tuple[float, float]:
    """
    Rates of nats-py's and of our publication of the same events, encoding included.

    The best of some rounds in turn, because a machine is never quiet.
    """
    stream = client.jetstream()

    async def theirs() -> None:
        sent = event()
        await stream.publish(
            "default.shop.order", sent.encode(), headers={"Nats-Msg-Id": sent.id}, timeout=30
        )

    async def ours() -> None:
        await bus.publish(event(), timeout=30)

    rates = [
        (await rate(theirs, count, under_way), await rate(ours, count, under_way))
        for _ in range(ROUNDS)
    ]
    return max(rate[0] for rate in rates), max(rate[1] for rate in rates)


async def theirs_consumed(client: Client, count: int, batch: int, *, confirmed: bool) -> float:
    """Rate at which nats-py fetches and acknowledges *count* messages."""
    stream = client.jetstream()
    durable = f"benchmark-{batch}-{confirmed}"
    config = ConsumerConfig(filter_subject="default.shop.order")
    subscription = await stream.pull_subscribe("default.shop.order", durable, config=config)
    started, done = time.perf_counter(), 0
    while done < count:
        messages = await subscription.fetch(batch, timeout=5)
        if confirmed:
            await asyncio.gather(*(message.ack_sync(timeout=30) for message in messages))
        else:
            await asyncio.gather(*(message.ack() for message in messages))
        done += len(messages)
    elapsed = time.perf_counter() - started
    await subscription.unsubscribe()
    return done / elapsed


async def ours_consumed(bus: EmbeddedBus, count: int, batch: int) -> float:
    """Rate at which our subscription fetches messages and acknowledges them, confirmed."""
    subscription = await bus.subscribe(
        "benchmark", f"batch-{batch}", "order", "shop", "order",
        start=datetime(2000, 1, 1, tzinfo=UTC), max_pending=1 if batch == 1 else 1000,
    )  # fmt: skip
    started, done = time.perf_counter(), 0
    while done < count:
        deliveries = await subscription.fetch(batch)
        await asyncio.gather(*(delivery.ack() for delivery in deliveries))
        done += len(deliveries)
    elapsed = time.perf_counter() - started
    await subscription.close()
    return done / elapsed


async def measure(count: int, sync: str) -> Table:
    """Run everything on one embedded server."""
    table = Table("what", "nats-py /s", "Tiphys /s", "ratio", title=f"{count} events, sync {sync}")

    def row(what: str, theirs: float, ours: float) -> None:
        table.add_row(what, f"{theirs:,.0f}", f"{ours:,.0f}", f"{ours / theirs:.2f}")

    with tempfile.TemporaryDirectory() as directory:
        bus = EmbeddedBus(Path(directory), sync=sync)
        await bus.start()
        where: Endpoint = bus.server.endpoint()
        access = where.credentials
        assert access is not None
        client = await nats.connect(
            list(where.servers), user=access.username, password=access.password
        )
        try:
            await publishing(bus, client, count // 10, 64)  # warm up
            for under_way in (1, 64, 1000):
                n = count // 10 if under_way == 1 else count
                row(f"publish, {under_way} under way", *await publishing(bus, client, n, under_way))
            for batch in (1, 256):
                n = count // 10 if batch == 1 else count
                ours = await ours_consumed(bus, n, batch)
                row(
                    f"consume by {batch}, ack confirmed",
                    await theirs_consumed(client, n, batch, confirmed=True),
                    ours,
                )
                row(
                    f"consume by {batch}, their ack unconfirmed",
                    await theirs_consumed(client, n, batch, confirmed=False),
                    ours,
                )
        finally:
            await client.close()
            await bus.close()
    return table


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--sync", default=DEFAULT_SYNC)
    given = parser.parse_args()
    Console().print(uvloop.run(measure(given.messages, given.sync)))


if __name__ == "__main__":
    main()
