"""What every bus must do with events."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime

import pytest

from tiphys.bus import Bus, Limits, Subscription
from tiphys.errors import BusUnavailable
from tiphys.events import CloudEvent
from tiphys.testing._bus_actions import (
    drain,
    event,
    fetch,
    ids_of,
    subscribe,
    until,
)
from tiphys.testing._bus_means import BusMeans


class EventsContract(BusMeans):
    """Publishing, subscribing, positions, and links that break."""

    async def test_a_subscription_sees_the_events_of_its_source_and_name_in_order(
        self, bus: Bus
    ) -> None:
        await bus.publish(event("before"))
        subscription = await subscribe(bus)
        for id in "abc":
            await bus.publish(event(id))
            await bus.publish(event(f"{id}2", name="other"))

        assert await drain(subscription, 3) == ["a", "b", "c"]

    async def test_an_event_arrives_as_it_was_sent(self, bus: Bus) -> None:
        subscription = await subscribe(bus)
        sent = CloudEvent(
            "1", "source", "name", "webhook", "2026-01-02T03:04:05.678901Z", "application/json",
            b'{"a": 1.0}', extensions={"traceparent": "00-1-2-3"},
        )  # fmt: skip
        before = datetime.now(UTC)
        await bus.publish(sent)

        (delivery,) = await fetch(subscription, 1)
        assert CloudEvent.decode(delivery.body) == sent
        assert delivery.attempt == 1
        assert abs((delivery.published - before).total_seconds()) < 60

    async def test_an_event_is_stored_once_however_often_it_is_sent(self, bus: Bus) -> None:
        subscription = await subscribe(bus)
        await bus.publish(event("a"))
        await bus.publish(event("a"))
        await bus.publish(event("b"))

        assert await drain(subscription, 2) == ["a", "b"]

    async def test_events_published_at_once_are_all_stored_and_keep_one_order(
        self, bus: Bus
    ) -> None:
        subscription = await subscribe(bus)
        ids = [str(number) for number in range(500)]
        await asyncio.gather(*(bus.publish(event(id)) for id in ids))

        sequences: list[int] = []
        arrived = await drain(subscription, len(ids), sequences=sequences)
        assert sorted(arrived, key=int) == ids
        assert sequences == sorted(sequences)

    async def test_a_big_event_arrives(self, bus: Bus) -> None:
        subscription = await subscribe(bus)
        data = b'"' + b"x" * 600_000 + b'"'
        await bus.publish(CloudEvent("1", "source", "name", "webhook", data=data))

        (delivery,) = await fetch(subscription, 1)
        assert CloudEvent.decode(delivery.body).data == data

    @pytest.mark.parametrize(
        "name", ["a.b", "two words", "*", ">", "a>b", "ünï", "=", "a=2Eb", "$x", "line\nbreak"]
    )
    async def test_an_event_may_have_any_name(self, bus: Bus, name: str) -> None:
        subscription = await subscribe(bus, name=name)
        other = await subscribe(bus, dependency="other", name="a=3Eb")
        await bus.publish(event("a", name=name))
        await bus.publish(event("b", name="a=3Eb"))

        assert await drain(subscription, 1) == ["a"]
        assert await drain(other, 1) == ["b"]

    async def test_fetching_waits_for_an_event(self, bus: Bus) -> None:
        subscription = await subscribe(bus)
        fetching = asyncio.create_task(drain(subscription, 1))
        await asyncio.sleep(0.05)
        assert not fetching.done()
        await bus.publish(event("a"))

        assert await fetching == ["a"]

    async def test_fetching_returns_no_more_than_asked_for(self, bus: Bus) -> None:
        subscription = await subscribe(bus)
        for id in "abcde":
            await bus.publish(event(id))

        assert 1 <= len(await fetch(subscription, 2)) <= 2

    async def test_no_event_is_lost_when_fetching_is_cancelled(self, bus: Bus) -> None:
        subscription = await subscribe(bus)
        arrived: list[str] = []
        for id in "abcdefgh":
            fetching = asyncio.create_task(fetch(subscription, 1))
            await bus.publish(event(id))
            fetching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                arrived += await ids_of(await fetching)

        arrived += await drain(subscription, 8 - len(arrived))
        assert arrived == list("abcdefgh")

    async def test_each_trigger_gets_every_event(self, bus: Bus) -> None:
        first = await subscribe(bus, trigger="first")
        second = await subscribe(bus, trigger="second")
        await bus.publish(event("a"))

        assert await drain(first, 1) == ["a"]
        assert await drain(second, 1) == ["a"]

    async def test_two_subscriptions_of_one_trigger_share_its_events(self, bus: Bus) -> None:
        first, second = await subscribe(bus), await subscribe(bus)
        for number in range(20):
            await bus.publish(event(str(number)))
        arrived: list[str] = []

        async def consume(subscription: Subscription) -> None:
            while len(arrived) < 20:
                arrived.extend(await ids_of(await subscription.fetch(1)))

        consumers = [asyncio.create_task(consume(s)) for s in (first, second)]
        async with asyncio.timeout(30):
            await asyncio.wait(consumers, return_when=asyncio.FIRST_COMPLETED)
        for consumer in consumers:
            consumer.cancel()
        await asyncio.gather(*consumers, return_exceptions=True)

        assert sorted(arrived, key=int) == [str(number) for number in range(20)]

    async def test_a_new_subscription_can_start_in_the_past(self, bus: Bus) -> None:
        await bus.publish(event("a"))
        await asyncio.sleep(0.05)
        between = datetime.now(UTC)
        await asyncio.sleep(0.05)
        await bus.publish(event("b"))

        assert await drain(await subscribe(bus, start=between), 1) == ["b"]

    async def test_a_position_survives_the_client(self, bus: Bus) -> None:
        subscription = await subscribe(bus)
        await bus.publish(event("a"))
        assert await drain(subscription, 1) == ["a"]
        await subscription.close()
        await bus.publish(event("b"))

        again = await self.another(bus)
        assert await drain(await subscribe(again), 1) == ["b"]

    async def test_what_was_not_acknowledged_comes_again_after_closing(self, bus: Bus) -> None:
        subscription = await subscribe(bus)
        for id in "ab":
            await bus.publish(event(id))
        deliveries = await fetch(subscription, 2)
        await deliveries[0].ack()
        await subscription.close()

        (delivery,) = await fetch(await subscribe(bus), 1)
        assert CloudEvent.decode(delivery.body).id == "b"
        assert delivery.attempt > 1

    async def test_an_acknowledged_event_does_not_come_again(self, bus: Bus) -> None:
        subscription = await subscribe(bus)
        for id in "abc":
            await bus.publish(event(id))
        assert await drain(subscription, 3) == ["a", "b", "c"]
        await subscription.close()

        await bus.publish(event("d"))
        assert await drain(await subscribe(bus), 1) == ["d"]

    async def test_an_event_may_be_acknowledged_twice(self, bus: Bus) -> None:
        subscription = await subscribe(bus)
        await bus.publish(event("a"))
        (delivery,) = await fetch(subscription, 1)
        await delivery.ack()
        await delivery.ack()

    async def test_a_refused_event_comes_again(self, bus: Bus) -> None:
        subscription = await subscribe(bus)
        await bus.publish(event("a"))
        (delivery,) = await fetch(subscription, 1)
        await delivery.in_progress()
        await delivery.nak()

        (delivery,) = await fetch(subscription, 1)
        assert delivery.attempt == 2

    async def test_a_refused_event_comes_again_after_the_delay(self, bus: Bus) -> None:
        subscription = await subscribe(bus)
        for id in "ab":
            await bus.publish(event(id))
        first, second = await fetch(subscription, 2)
        await first.nak(1.0)
        await second.nak()

        again = await fetch(subscription, 2)
        assert [CloudEvent.decode(delivery.body).id for delivery in again] == ["b", "a"]

    async def test_no_more_events_are_pending_than_allowed(self, bus: Bus) -> None:
        subscription = await subscribe(bus, max_pending=2)
        for id in "abc":
            await bus.publish(event(id))
        deliveries = await fetch(subscription, 2)
        third = asyncio.create_task(fetch(subscription, 1))
        await asyncio.sleep(0.1)
        assert not third.done()
        await deliveries[0].ack()

        assert await ids_of(await third) == ["c"]

    async def test_an_unsubscribed_trigger_begins_anew(self, bus: Bus) -> None:
        subscription = await subscribe(bus)
        await subscription.close()
        await bus.unsubscribe("sensor", "trigger", "dep")
        await bus.publish(event("missed"))
        subscription = await subscribe(bus)
        await bus.publish(event("a"))

        assert await drain(subscription, 1) == ["a"]

    async def test_unsubscribing_what_is_not_there_is_no_error(self, bus: Bus) -> None:
        await bus.unsubscribe("sensor", "trigger", "dep")

    async def test_listeners_hear_of_the_link(self, bus: Bus) -> None:
        heard: list[bool] = []
        bus.on_link_change(heard.append)
        assert bus.connected
        async with self.without_link(bus):
            await until(lambda: heard == [False])
            assert not bus.connected
        await until(lambda: heard == [False, True])
        assert bus.connected

    async def test_publishing_without_a_link_fails_after_its_time(self, bus: Bus) -> None:
        async with self.without_link(bus):
            with pytest.raises(BusUnavailable):
                await bus.publish(event("a"), timeout=0.2)

    async def test_publishing_waits_for_the_link(self, bus: Bus) -> None:
        subscription = await subscribe(bus)
        async with self.without_link(bus):
            publishing = [
                asyncio.create_task(bus.publish(event(str(number)), timeout=30.0))
                for number in range(50)
            ]
            await asyncio.sleep(0.05)
        await asyncio.gather(*publishing)

        arrived = await drain(subscription, 50)
        assert sorted(arrived, key=int) == [str(number) for number in range(50)]

    async def test_fetching_survives_a_lost_link(self, bus: Bus) -> None:
        subscription = await subscribe(bus)
        fetching = asyncio.create_task(drain(subscription, 1))
        await asyncio.sleep(0.05)
        async with self.without_link(bus):
            await asyncio.sleep(0.05)
        await bus.publish(event("a"), timeout=30.0)

        assert await fetching == ["a"]

    async def test_a_closed_bus_leaves_no_task_behind(self, bus: Bus) -> None:
        before = asyncio.all_tasks()
        other = await self.another(bus)
        subscription = await subscribe(other)
        state = await other.state("sensor")
        await state.put("key", b"value")
        journal = await other.journal("journal", Limits())

        async def follow() -> None:
            async for _ in journal.follow():
                pass

        following = asyncio.create_task(follow())
        fetching = asyncio.create_task(subscription.fetch(1))
        await asyncio.sleep(0.1)
        for task in (following, fetching):
            task.cancel()
        await asyncio.gather(following, fetching, return_exceptions=True)
        await other.close()

        await until(lambda: asyncio.all_tasks() <= before)
