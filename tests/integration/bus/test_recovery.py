"""Whatever is killed, no accepted event is lost and everything goes on by itself."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from structlog.testing import capture_logs

from tests.integration.bus._servers import NatsServer
from tiphys.bus import Delivery, Limits, Subscription
from tiphys.bus.embedded import EmbeddedBus
from tiphys.bus.jetstream import Endpoint, JetStreamBus
from tiphys.errors import BusError
from tiphys.events import CloudEvent


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[EmbeddedBus]:
    bus = EmbeddedBus(tmp_path)
    await bus.start()
    yield bus
    await bus.close()


def event(id: str) -> CloudEvent:
    return CloudEvent(id, "es", "ev", "webhook", data=b'{"a":1}')


class Traffic:
    """Publishes events, and kills the server after some of them."""

    def __init__(self, bus: EmbeddedBus, count: int, kills: set[int]) -> None:
        self.bus = bus
        self.numbers = iter(range(count))
        self.kills = kills
        self.accepted: list[str] = []

    async def run(self) -> None:
        await asyncio.gather(*(self._worker() for _ in range(50)))
        assert not self.kills

    async def _worker(self) -> None:
        for number in self.numbers:
            if number in self.kills:
                while not kill(self.bus):
                    await asyncio.sleep(0.01)
                self.kills.remove(number)
            with contextlib.suppress(BusError):
                await self.bus.publish(event(str(number)), timeout=20.0)
                self.accepted.append(str(number))


def kill(bus: EmbeddedBus) -> bool:
    """Kill the server; false when there is none at the moment."""
    if (pid := bus.server.pid) is None:
        return False
    os.kill(pid, signal.SIGKILL)
    return True


async def stored(bus: JetStreamBus) -> list[str]:
    return [CloudEvent.decode(record.body).id async for record in bus.events().read()]


async def test_events_published_while_the_server_is_killed_are_all_stored_once(
    bus: EmbeddedBus,
) -> None:
    traffic = Traffic(bus, 10_000, {1000, 5000, 9900})
    await traffic.run()

    assert len(traffic.accepted) == 10_000
    assert sorted(await stored(bus), key=int) == sorted(traffic.accepted, key=int)


async def test_events_consumed_while_the_server_is_killed_all_arrive(bus: EmbeddedBus) -> None:
    subscription = await bus.subscribe("sn", "tr", "dep", "es", "ev")
    traffic = Traffic(bus, 6000, {1000, 3000})
    acknowledged: Counter[str] = Counter()
    kills = {500, 2500, 4500}

    async def acknowledge(delivery: Delivery) -> None:
        await delivery.ack()
        acknowledged[CloudEvent.decode(delivery.body).id] += 1
        if acknowledged.total() in kills and kill(bus):
            kills.remove(acknowledged.total())

    async def consume() -> None:
        while len(acknowledged) < 6000:
            deliveries = await subscription.fetch(200)
            await asyncio.gather(*(acknowledge(delivery) for delivery in deliveries))

    async with asyncio.timeout(50):
        await asyncio.gather(traffic.run(), consume())
    await subscription.close()

    assert sorted(acknowledged, key=int) == sorted(traffic.accepted, key=int)
    assert max(acknowledged.values()) == 1


async def test_a_kill_of_the_server_takes_one_line_down_and_one_up(bus: EmbeddedBus) -> None:
    with capture_logs() as lines:
        assert kill(bus)
        await until(lambda: not bus.connected)
        await bus.publish(event("1"), timeout=20.0)
        # The link may stand before the server is known to be well.
        await until(lambda: "nats-server is back" in [line["event"] for line in lines])

    assert sorted((line["log_level"], line["event"]) for line in lines) == [
        ("info", "Connected to the event bus"),
        ("info", "nats-server is back"),
        ("warning", "Lost the link to the event bus; trying to reconnect"),
        ("warning", "nats-server ended; starting it again"),
    ]


async def test_state_written_while_the_server_is_killed_is_consistent(bus: EmbeddedBus) -> None:
    state = await bus.state("sensor")

    async def count(name: str) -> None:
        revision = 0
        for number in range(1000):
            if name == "b" and number in (200, 700):
                assert kill(bus)
            revision = await state.put(name, b"%d" % number, revision=revision)

    await asyncio.gather(*(count(name) for name in "abc"))
    for name in "abc":
        entry = await state.get(name)
        assert entry is not None
        assert entry.value == b"999"


PROGRAM = """
import asyncio, sys
from pathlib import Path
from tiphys.bus.embedded import EmbeddedBus
from tiphys.events import CloudEvent

async def main():
    bus = EmbeddedBus(Path(sys.argv[1]))
    await bus.start()
    print(bus.server.pid, flush=True)
    async def worker(name):
        number = 0
        while True:
            id = f"{name}-{number}"
            await bus.publish(CloudEvent(id, "es", "ev", "webhook", data=b"{}"))
            print(id, flush=True)
            number += 1
    await asyncio.gather(*(worker(name) for name in range(20)))

asyncio.run(main())
"""


async def run_and_kill(directory: Path, events: int) -> tuple[int, list[str]]:
    """Run a program that publishes, kill it, and return its server and what it saw accepted."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, directory,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        limit=1 << 20,
    )  # fmt: skip
    assert process.stdout is not None
    pid = 0
    accepted: list[str] = []
    while len(accepted) < events:
        line = (await process.stdout.readline()).decode().strip()
        assert line, "the program ended"
        if line.isdigit():
            pid = int(line)
        elif line.count("-") == 1 and " " not in line:
            accepted.append(line)
    process.kill()
    accepted += [line for line in (await process.stdout.read()).decode().split("\n")[:-1] if line]
    await process.wait()
    return pid, accepted


async def test_events_accepted_by_a_program_that_is_killed_are_there_when_it_starts_again(
    tmp_path: Path,
) -> None:
    _, accepted = await run_and_kill(tmp_path, 3000)
    bus = EmbeddedBus(tmp_path)
    await bus.start()
    found = set(await stored(bus))
    await bus.close()

    assert set(accepted) <= found


async def test_the_server_of_a_program_that_is_killed_ends(tmp_path: Path) -> None:
    pid, _ = await run_and_kill(tmp_path, 1)
    await until(lambda: not is_running(pid))

    assert not is_running(pid)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def settle(subscription: Subscription, count: int) -> list[str]:
    ids: list[str] = []
    async with asyncio.timeout(30):
        while len(ids) < count:
            for delivery in await subscription.fetch(count - len(ids)):
                await delivery.ack()
                ids.append(CloudEvent.decode(delivery.body).id)
    return ids


async def test_a_consumer_that_vanished_is_created_again_where_it_was(bus: EmbeddedBus) -> None:
    subscription = await bus.subscribe("sn", "tr", "dep", "es", "ev")
    for id in "abc":
        await bus.publish(event(id))
    assert await settle(subscription, 2) == ["a", "b"]

    await bus.unsubscribe("sn", "tr", "dep")
    await bus.publish(event("d"))
    with capture_logs() as lines:
        assert await settle(subscription, 2) == ["c", "d"]
    assert "The event bus lost the position of a trigger; it was set again" in [
        line["event"] for line in lines
    ]


async def test_a_message_at_work_when_its_consumer_vanishes_is_settled_by_its_copy(
    bus: EmbeddedBus,
) -> None:
    subscription = await bus.subscribe("sn", "tr", "dep", "es", "ev")
    for id in "ab":
        await bus.publish(event(id))
    (at_work,) = await subscription.fetch(1)
    await bus.unsubscribe("sn", "tr", "dep")

    await at_work.ack()
    assert await settle(subscription, 1) == ["b"]


async def test_a_message_that_was_not_settled_when_its_consumer_vanishes_comes_again(
    bus: EmbeddedBus,
) -> None:
    subscription = await bus.subscribe("sn", "tr", "dep", "es", "ev")
    for id in "ab":
        await bus.publish(event(id))
    await subscription.fetch(1)
    await bus.unsubscribe("sn", "tr", "dep")

    assert await settle(subscription, 2) == ["a", "b"]


async def test_a_server_that_lost_everything_is_set_up_again(tmp_path: Path) -> None:
    server = NatsServer(tmp_path / "first")
    await server.start()
    bus = JetStreamBus(Endpoint((server.url,)))
    await bus.start()
    subscription = await bus.subscribe("sn", "tr", "dep", "es", "ev")
    for id in "abc":
        await bus.publish(event(id))
    assert await settle(subscription, 3) == ["a", "b", "c"]

    await server.stop()
    server.directory = tmp_path / "second"
    await server.start()
    for id in "de":
        await bus.publish(event(id), timeout=20.0)
    assert await settle(subscription, 2) == ["d", "e"]
    await subscription.close()
    await bus.close()
    await server.stop()


async def test_a_stream_that_was_deleted_is_created_again(tmp_path: Path) -> None:
    server = NatsServer(tmp_path)
    await server.start()
    bus = JetStreamBus(Endpoint((server.url,)))
    await bus.start()
    client = await nats.connect(server.url)
    await client.jetstream().delete_stream("default")
    with pytest.raises(BusError):
        await bus.publish(event("a"), timeout=0.5)
    await bus.publish(event("b"), timeout=20.0)

    assert await stored(bus) == ["b"]
    await client.close()
    await bus.close()
    await server.stop()


async def test_reading_a_journal_goes_on_after_a_lost_link(bus: EmbeddedBus) -> None:
    journal = await bus.journal("journal", Limits())
    await journal.append_many([("a", b"%d" % number) for number in range(2000)])
    read: list[bytes] = []
    async for record in journal.read():
        read.append(record.body)
        if len(read) in (100, 1000) and bus.server.pid is not None:
            os.kill(bus.server.pid, signal.SIGKILL)
            await asyncio.sleep(0.1)

    assert sorted(read, key=int) == [b"%d" % number for number in range(2000)]


async def impatient_consumer(bus: EmbeddedBus) -> str:
    """The name of the consumer that subscriptions use, whose messages come again after a second."""
    await (await bus.subscribe("sn", "tr", "dep", "es", "ev")).close()
    client = await connect(bus)
    (name,) = (await api(client, "CONSUMER.NAMES.default"))["consumers"]
    config = (await api(client, f"CONSUMER.INFO.default.{name}"))["config"]
    body = {"stream_name": "default", "config": {**config, "ack_wait": 10**9}}
    await api(client, f"CONSUMER.DURABLE.CREATE.default.{name}", body)
    await client.close()
    return str(name)


async def lose(bus: EmbeddedBus, consumer: str, count: int) -> None:
    """Have so many messages delivered to a client that vanishes with them."""
    client = await connect(bus)
    pull = await client.jetstream().pull_subscribe_bind(consumer, stream="default")
    while count > 0:
        count -= len(await pull.fetch(count))
    await client.close()


async def test_in_order_what_a_killed_process_had_comes_before_newer_messages(
    bus: EmbeddedBus,
) -> None:
    consumer = await impatient_consumer(bus)
    for id in "abc":
        await bus.publish(event(id))
    await lose(bus, consumer, 2)

    subscription = await bus.subscribe("sn", "tr", "dep", "es", "ev", in_order=True)
    assert await settle(subscription, 3) == ["a", "b", "c"]
    await subscription.close()


@pytest.mark.parametrize("killed", [False, True])
async def test_in_order_what_was_lost_on_its_way_comes_before_newer_messages(
    bus: EmbeddedBus, killed: bool
) -> None:
    consumer = await impatient_consumer(bus)
    subscription = await bus.subscribe("sn", "tr", "dep", "es", "ev", in_order=True)
    for id in "abcd":
        await bus.publish(event(id))
    assert await settle(subscription, 1) == ["a"]
    await lose(bus, consumer, 2)
    if killed:
        assert kill(bus)
        await until(lambda: not bus.connected)

    assert await settle(subscription, 3) == ["b", "c", "d"]
    await subscription.close()


async def test_in_order_nobody_waits_for_what_does_not_come_again(
    bus: EmbeddedBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiphys.bus.jetstream.arrival._LATE", 0.0)
    consumer = await impatient_consumer(bus)
    await bus.publish(event("a"))
    client = await connect(bus)
    pull = await client.jetstream().pull_subscribe_bind(consumer, stream="default")
    (taken,) = await pull.fetch(1)
    keeping = asyncio.create_task(keep(taken))
    await bus.publish(event("b"))

    subscription = await bus.subscribe("sn", "tr", "dep", "es", "ev", in_order=True)
    assert await settle(subscription, 1) == ["b"]
    keeping.cancel()
    await subscription.close()
    await client.close()


async def keep(message: Msg) -> None:
    """Keep a message from coming again."""
    while True:
        await message.in_progress()
        await asyncio.sleep(0.2)


async def test_a_message_that_waits_to_be_fetched_is_kept_from_coming_twice(
    bus: EmbeddedBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiphys.bus.jetstream.consumer._KEEP_ALIVE", 0.2)
    await impatient_consumer(bus)
    subscription = await bus.subscribe("sn", "tr", "dep", "es", "ev")
    fetching = asyncio.create_task(subscription.fetch(3))
    await asyncio.sleep(0.1)
    for id in "abc":
        await bus.publish(event(id))
    deliveries = list(await fetching)
    for delivery in deliveries:
        await delivery.ack()
    await asyncio.sleep(2.5)  # more than twice the time after which messages come again
    while len(deliveries) < 3:
        deliveries += await subscription.fetch(3)

    assert [delivery.attempt for delivery in deliveries] == [1, 1, 1]
    await subscription.close()


async def connect(bus: EmbeddedBus) -> Client:
    """A bare client of the embedded server."""
    endpoint = bus.server.endpoint()
    assert endpoint.credentials is not None
    access = endpoint.credentials
    return await nats.connect(
        list(endpoint.servers), user=access.username, password=access.password
    )


async def api(client: Client, operation: str, body: Any = None) -> dict[str, Any]:
    reply = await client.request(f"$JS.API.{operation}", json.dumps(body or {}).encode())
    answer: dict[str, Any] = json.loads(reply.data)
    return answer
