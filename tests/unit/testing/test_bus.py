"""The bus in memory keeps the contract of a bus."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from tiphys.aio import stop
from tiphys.bus import Limits, Subscription
from tiphys.errors import BusUnavailable, Conflict, PublishError
from tiphys.events import CloudEvent
from tiphys.testing.bus import MemoryBus
from tiphys.testing.clock import VirtualClock


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def bus(clock: VirtualClock) -> AsyncIterator[MemoryBus]:
    bus = MemoryBus(clock)
    await bus.start()
    yield bus
    await bus.close()


def event(id: str, *, source: str = "es", name: str = "ev") -> CloudEvent:
    return CloudEvent(id, source, name, "webhook", data=b"{}")


async def subscribe(bus: MemoryBus, **options: Any) -> Subscription:
    return await bus.subscribe("sensor", "trigger", "dep", "es", "ev", **options)


async def ids(subscription: Subscription, limit: int = 10) -> list[str]:
    return [CloudEvent.decode(delivery.body).id for delivery in await subscription.fetch(limit)]


async def test_a_subscription_sees_the_events_of_its_source_and_name_in_order(
    bus: MemoryBus,
) -> None:
    await bus.publish(event("before"))
    subscription = await subscribe(bus)
    for id in "abc":
        await bus.publish(event(id))
        await bus.publish(event(id + "2", name="other"))

    assert await ids(subscription, 2) == ["a", "b"]
    assert await ids(subscription) == ["c"]


async def test_fetching_waits_for_an_event(bus: MemoryBus) -> None:
    subscription = await subscribe(bus)
    fetching = asyncio.create_task(ids(subscription))
    await asyncio.sleep(0.01)
    assert not fetching.done()
    await bus.publish(event("a"))

    assert await fetching == ["a"]


async def test_a_subscription_may_start_in_the_past(bus: MemoryBus, clock: VirtualClock) -> None:
    for id in "abc":
        await bus.publish(event(id))
        await clock.advance(60)
    subscription = await subscribe(bus, start=clock.now() - timedelta(seconds=130))

    assert await ids(subscription) == ["b", "c"]


async def test_what_is_not_acknowledged_comes_again_after_the_ack_wait(
    bus: MemoryBus, clock: VirtualClock
) -> None:
    subscription = await subscribe(bus)
    await bus.publish(event("a"))
    await bus.publish(event("b"))
    first, second = await subscription.fetch(2)
    await second.ack()
    again = asyncio.create_task(subscription.fetch(2))
    await clock.advance(29)
    assert not again.done()
    await clock.advance(1)

    (delivery,) = await again
    assert (delivery.sequence, delivery.attempt) == (first.sequence, 2)
    await delivery.ack()
    assert bus.unsettled("sensor", "trigger", "dep") == 0


async def test_progress_puts_the_redelivery_off(bus: MemoryBus, clock: VirtualClock) -> None:
    subscription = await subscribe(bus)
    await bus.publish(event("a"))
    (delivery,) = await subscription.fetch(1)
    again = asyncio.create_task(subscription.fetch(1))
    await clock.advance(20)
    await delivery.in_progress()
    await clock.advance(20)
    assert not again.done()
    await clock.advance(10)

    assert again.done()


async def test_what_is_refused_comes_again_after_the_delay(
    bus: MemoryBus, clock: VirtualClock
) -> None:
    subscription = await subscribe(bus)
    await bus.publish(event("a"))
    (delivery,) = await subscription.fetch(1)
    await delivery.nak(5)
    again = asyncio.create_task(ids(subscription))
    await clock.advance(4)
    assert not again.done()
    await clock.advance(1)

    assert await again == ["a"]


async def test_closing_a_subscription_gives_back_what_it_held(bus: MemoryBus) -> None:
    first = await subscribe(bus)
    await bus.publish(event("a"))
    await first.fetch(1)
    await first.close()

    assert await ids(await subscribe(bus)) == ["a"]


async def test_two_subscribers_of_one_trigger_share_the_load(bus: MemoryBus) -> None:
    first, second = await subscribe(bus), await subscribe(bus)
    await bus.publish(event("a"))
    await bus.publish(event("b"))

    assert [await ids(first, 1), await ids(second, 1)] == [["a"], ["b"]]


async def test_no_more_than_the_allowed_number_is_pending(bus: MemoryBus) -> None:
    subscription = await subscribe(bus, max_pending=2)
    for id in "abc":
        await bus.publish(event(id))
    deliveries = await subscription.fetch(10)
    more = asyncio.create_task(ids(subscription))
    await asyncio.sleep(0.01)
    assert (len(deliveries), more.done()) == (2, False)
    await deliveries[0].ack()

    assert await more == ["c"]


async def test_an_unsubscribed_trigger_starts_anew(bus: MemoryBus) -> None:
    await subscribe(bus)
    await bus.publish(event("a"))
    await bus.unsubscribe("sensor", "trigger", "dep")
    subscription = await subscribe(bus)
    await bus.publish(event("b"))

    assert await ids(subscription) == ["b"]


async def test_an_id_is_stored_once_within_the_duplicate_window(
    bus: MemoryBus, clock: VirtualClock
) -> None:
    await bus.publish(event("a"))
    await clock.advance(300)
    await bus.publish(event("a"))
    assert len(bus.published) == 1
    await clock.advance(1)
    await bus.publish(event("a"))

    assert len(bus.published) == 2


async def test_it_refuses_as_often_as_it_was_told(bus: MemoryBus) -> None:
    bus.refuse = 1
    with pytest.raises(PublishError):
        await bus.publish(event("a"))
    await bus.publish(event("b"))

    assert [e.id for e in bus.published] == ["b"]


async def test_without_a_link_publishing_waits_and_then_gives_up(
    bus: MemoryBus, clock: VirtualClock
) -> None:
    bus.connected = False
    late = asyncio.create_task(bus.publish(event("a"), timeout=5))
    lost = asyncio.create_task(bus.publish(event("b"), timeout=2))
    await clock.advance(3)
    bus.connected = True
    await late

    with pytest.raises(BusUnavailable):
        await lost
    assert [e.id for e in bus.published] == ["a"]


async def test_a_fetch_survives_a_lost_link(bus: MemoryBus, clock: VirtualClock) -> None:
    subscription = await subscribe(bus)
    fetching = asyncio.create_task(ids(subscription))
    await clock.settle()
    bus.connected = False
    await clock.advance(100)
    bus.connected = True
    await bus.publish(event("a"))

    assert await fetching == ["a"]


async def test_listeners_hear_of_every_change_of_the_link_once(bus: MemoryBus) -> None:
    heard: list[bool] = []
    bus.on_link_change(heard.append)
    bus.connected = True
    bus.connected = False
    bus.connected = False
    bus.connected = True

    assert heard == [False, True]


async def test_state_is_written_only_over_the_revision_that_was_read(bus: MemoryBus) -> None:
    state = await bus.state("sensor")
    first = await state.put("a", b"1", revision=0)
    with pytest.raises(Conflict):
        await state.put("a", b"2", revision=0)
    second = await state.put("a", b"2", revision=first)
    await state.put("ab", b"3")

    assert second > first
    assert await state.keys("a") == ["a", "ab"]
    await state.delete("a")
    await state.delete("a")
    assert await (await bus.state("sensor")).get("a") is None


async def test_a_journal_keeps_what_its_limits_allow(bus: MemoryBus, clock: VirtualClock) -> None:
    journal = await bus.journal("history", Limits(age=60, messages=3))
    first = await journal.append("a.b", b"1")
    await journal.append_many([("a.c", b"2"), ("a.b", b"3"), ("x", b"4")])
    await clock.advance(50)
    assert await journal.append("a.b", b"5", id="five") == await journal.append("y", b"", id="five")

    assert await journal.get(first) is None
    assert [r.body async for r in journal.read("a.*")] == [b"3", b"5"]
    assert [r.body async for r in journal.read(until=clock.now() - timedelta(1))] == []
    await clock.advance(20)
    records = [r async for r in journal.read()]
    assert [r.body for r in records] == [b"5"]
    await journal.delete(records[0].sequence)
    await journal.delete(records[0].sequence)
    assert await journal.get(records[0].sequence) is None


async def test_a_journal_is_followed_from_now_on(bus: MemoryBus) -> None:
    journal = await bus.journal("history", Limits())
    await journal.append("a", b"old")
    got: list[bytes] = []

    async def follow() -> None:
        async for record in journal.follow("a"):
            got.append(record.body)

    following = asyncio.create_task(follow())
    await asyncio.sleep(0.01)
    await journal.append("b", b"other")
    await journal.append("a", b"new")
    await asyncio.sleep(0.01)
    await stop(following)

    assert got == [b"new"]


async def test_the_event_stream_is_read_by_subject(bus: MemoryBus) -> None:
    await bus.publish(event("a"))
    await bus.publish(event("b", name="other"))

    records = [r async for r in bus.events().read("default.es.other")]
    assert [CloudEvent.decode(r.body).id for r in records] == ["b"]
    assert records[0].headers == {"Nats-Msg-Id": "b"}
