"""
What every bus must do, as tests to inherit.

A bus' own test class derives from :class:`BusContract` and says how to make a bus.  Needs pytest
and pytest-asyncio in its automatic mode.
"""

from __future__ import annotations

import abc
import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any

import pytest

from tiphys.bus import Bus, Delivery, Journal, Limits, Record, Subscription
from tiphys.errors import BusUnavailable, Conflict
from tiphys.events import CloudEvent

_ids = itertools.count(1)


class BusContract(abc.ABC):
    """
    The contract of :class:`tiphys.bus.Bus`.

    Each test gets a bus that is started and empty.
    """

    @pytest.fixture
    @abc.abstractmethod
    def bus(self) -> Any:
        """A fixture: an empty bus, started; closed after the test."""

    @abc.abstractmethod
    async def another(self, bus: Bus) -> Bus:
        """A second client of the same bus, started; the fixture closes it."""

    @abc.abstractmethod
    def without_link(self, bus: Bus) -> AbstractAsyncContextManager[None]:
        """The link is down inside, and able to come back by itself from the end on."""

    # Publishing and subscribing

    async def test_a_subscription_sees_the_events_of_its_source_and_name_in_order(
        self, bus: Bus
    ) -> None:
        await bus.publish(_event("before"))
        subscription = await _subscribe(bus)
        for id in "abc":
            await bus.publish(_event(id))
            await bus.publish(_event(f"{id}2", name="other"))

        assert await _drain(subscription, 3) == ["a", "b", "c"]

    async def test_an_event_arrives_as_it_was_sent(self, bus: Bus) -> None:
        subscription = await _subscribe(bus)
        sent = CloudEvent(
            "1", "source", "name", "webhook", "2026-01-02T03:04:05.678901Z", "application/json",
            b'{"a": 1.0}', extensions={"traceparent": "00-1-2-3"},
        )  # fmt: skip
        before = datetime.now(UTC)
        await bus.publish(sent)

        (delivery,) = await _fetch(subscription, 1)
        assert CloudEvent.decode(delivery.body) == sent
        assert delivery.attempt == 1
        assert abs((delivery.published - before).total_seconds()) < 60

    async def test_an_event_is_stored_once_however_often_it_is_sent(self, bus: Bus) -> None:
        subscription = await _subscribe(bus)
        await bus.publish(_event("a"))
        await bus.publish(_event("a"))
        await bus.publish(_event("b"))

        assert await _drain(subscription, 2) == ["a", "b"]

    async def test_events_published_at_once_are_all_stored_and_keep_one_order(
        self, bus: Bus
    ) -> None:
        subscription = await _subscribe(bus)
        ids = [str(number) for number in range(500)]
        await asyncio.gather(*(bus.publish(_event(id)) for id in ids))

        sequences: list[int] = []
        arrived = await _drain(subscription, len(ids), sequences=sequences)
        assert sorted(arrived, key=int) == ids
        assert sequences == sorted(sequences)

    async def test_a_big_event_arrives(self, bus: Bus) -> None:
        subscription = await _subscribe(bus)
        data = b'"' + b"x" * 600_000 + b'"'
        await bus.publish(CloudEvent("1", "source", "name", "webhook", data=data))

        (delivery,) = await _fetch(subscription, 1)
        assert CloudEvent.decode(delivery.body).data == data

    @pytest.mark.parametrize(
        "name", ["a.b", "two words", "*", ">", "a>b", "ünï", "=", "a=2Eb", "$x", "line\nbreak"]
    )
    async def test_an_event_may_have_any_name(self, bus: Bus, name: str) -> None:
        subscription = await _subscribe(bus, name=name)
        other = await _subscribe(bus, dependency="other", name="a=3Eb")
        await bus.publish(_event("a", name=name))
        await bus.publish(_event("b", name="a=3Eb"))

        assert await _drain(subscription, 1) == ["a"]
        assert await _drain(other, 1) == ["b"]

    async def test_fetching_waits_for_an_event(self, bus: Bus) -> None:
        subscription = await _subscribe(bus)
        fetching = asyncio.create_task(_drain(subscription, 1))
        await asyncio.sleep(0.05)
        assert not fetching.done()
        await bus.publish(_event("a"))

        assert await fetching == ["a"]

    async def test_fetching_returns_no_more_than_asked_for(self, bus: Bus) -> None:
        subscription = await _subscribe(bus)
        for id in "abcde":
            await bus.publish(_event(id))

        assert 1 <= len(await _fetch(subscription, 2)) <= 2

    async def test_no_event_is_lost_when_fetching_is_cancelled(self, bus: Bus) -> None:
        subscription = await _subscribe(bus)
        arrived: list[str] = []
        for id in "abcdefgh":
            fetching = asyncio.create_task(_fetch(subscription, 1))
            await bus.publish(_event(id))
            fetching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                arrived += await _ids_of(await fetching)

        arrived += await _drain(subscription, 8 - len(arrived))
        assert arrived == list("abcdefgh")

    async def test_each_trigger_gets_every_event(self, bus: Bus) -> None:
        first = await _subscribe(bus, trigger="first")
        second = await _subscribe(bus, trigger="second")
        await bus.publish(_event("a"))

        assert await _drain(first, 1) == ["a"]
        assert await _drain(second, 1) == ["a"]

    async def test_two_subscriptions_of_one_trigger_share_its_events(self, bus: Bus) -> None:
        first, second = await _subscribe(bus), await _subscribe(bus)
        for number in range(20):
            await bus.publish(_event(str(number)))
        arrived: list[str] = []

        async def consume(subscription: Subscription) -> None:
            while len(arrived) < 20:
                arrived.extend(await _ids_of(await subscription.fetch(1)))

        consumers = [asyncio.create_task(consume(s)) for s in (first, second)]
        async with asyncio.timeout(30):
            await asyncio.wait(consumers, return_when=asyncio.FIRST_COMPLETED)
        for consumer in consumers:
            consumer.cancel()
        await asyncio.gather(*consumers, return_exceptions=True)

        assert sorted(arrived, key=int) == [str(number) for number in range(20)]

    async def test_a_new_subscription_can_start_in_the_past(self, bus: Bus) -> None:
        await bus.publish(_event("a"))
        await asyncio.sleep(0.05)
        between = datetime.now(UTC)
        await asyncio.sleep(0.05)
        await bus.publish(_event("b"))

        assert await _drain(await _subscribe(bus, start=between), 1) == ["b"]

    # Positions

    async def test_a_position_survives_the_client(self, bus: Bus) -> None:
        subscription = await _subscribe(bus)
        await bus.publish(_event("a"))
        assert await _drain(subscription, 1) == ["a"]
        await subscription.close()
        await bus.publish(_event("b"))

        again = await self.another(bus)
        assert await _drain(await _subscribe(again), 1) == ["b"]

    async def test_what_was_not_acknowledged_comes_again_after_closing(self, bus: Bus) -> None:
        subscription = await _subscribe(bus)
        for id in "ab":
            await bus.publish(_event(id))
        deliveries = await _fetch(subscription, 2)
        await deliveries[0].ack()
        await subscription.close()

        (delivery,) = await _fetch(await _subscribe(bus), 1)
        assert CloudEvent.decode(delivery.body).id == "b"
        assert delivery.attempt > 1

    async def test_an_acknowledged_event_does_not_come_again(self, bus: Bus) -> None:
        subscription = await _subscribe(bus)
        for id in "abc":
            await bus.publish(_event(id))
        assert await _drain(subscription, 3) == ["a", "b", "c"]
        await subscription.close()

        await bus.publish(_event("d"))
        assert await _drain(await _subscribe(bus), 1) == ["d"]

    async def test_an_event_may_be_acknowledged_twice(self, bus: Bus) -> None:
        subscription = await _subscribe(bus)
        await bus.publish(_event("a"))
        (delivery,) = await _fetch(subscription, 1)
        await delivery.ack()
        await delivery.ack()

    async def test_a_refused_event_comes_again(self, bus: Bus) -> None:
        subscription = await _subscribe(bus)
        await bus.publish(_event("a"))
        (delivery,) = await _fetch(subscription, 1)
        await delivery.in_progress()
        await delivery.nak()

        (delivery,) = await _fetch(subscription, 1)
        assert delivery.attempt == 2

    async def test_a_refused_event_comes_again_after_the_delay(self, bus: Bus) -> None:
        subscription = await _subscribe(bus)
        for id in "ab":
            await bus.publish(_event(id))
        first, second = await _fetch(subscription, 2)
        await first.nak(1.0)
        await second.nak()

        again = await _fetch(subscription, 2)
        assert [CloudEvent.decode(delivery.body).id for delivery in again] == ["b", "a"]

    async def test_no_more_events_are_pending_than_allowed(self, bus: Bus) -> None:
        subscription = await _subscribe(bus, max_pending=2)
        for id in "abc":
            await bus.publish(_event(id))
        deliveries = await _fetch(subscription, 2)
        third = asyncio.create_task(_fetch(subscription, 1))
        await asyncio.sleep(0.1)
        assert not third.done()
        await deliveries[0].ack()

        assert await _ids_of(await third) == ["c"]

    async def test_an_unsubscribed_trigger_begins_anew(self, bus: Bus) -> None:
        subscription = await _subscribe(bus)
        await subscription.close()
        await bus.unsubscribe("sensor", "trigger", "dep")
        await bus.publish(_event("missed"))
        subscription = await _subscribe(bus)
        await bus.publish(_event("a"))

        assert await _drain(subscription, 1) == ["a"]

    async def test_unsubscribing_what_is_not_there_is_no_error(self, bus: Bus) -> None:
        await bus.unsubscribe("sensor", "trigger", "dep")

    # The link

    async def test_listeners_hear_of_the_link(self, bus: Bus) -> None:
        heard: list[bool] = []
        bus.on_link_change(heard.append)
        assert bus.connected
        async with self.without_link(bus):
            await _until(lambda: heard == [False])
            assert not bus.connected
        await _until(lambda: heard == [False, True])
        assert bus.connected

    async def test_publishing_without_a_link_fails_after_its_time(self, bus: Bus) -> None:
        async with self.without_link(bus):
            with pytest.raises(BusUnavailable):
                await bus.publish(_event("a"), timeout=0.2)

    async def test_publishing_waits_for_the_link(self, bus: Bus) -> None:
        subscription = await _subscribe(bus)
        async with self.without_link(bus):
            publishing = [
                asyncio.create_task(bus.publish(_event(str(number)), timeout=30.0))
                for number in range(50)
            ]
            await asyncio.sleep(0.05)
        await asyncio.gather(*publishing)

        arrived = await _drain(subscription, 50)
        assert sorted(arrived, key=int) == [str(number) for number in range(50)]

    async def test_fetching_survives_a_lost_link(self, bus: Bus) -> None:
        subscription = await _subscribe(bus)
        fetching = asyncio.create_task(_drain(subscription, 1))
        await asyncio.sleep(0.05)
        async with self.without_link(bus):
            await asyncio.sleep(0.05)
        await bus.publish(_event("a"), timeout=30.0)

        assert await fetching == ["a"]

    async def test_a_closed_bus_leaves_no_task_behind(self, bus: Bus) -> None:
        before = asyncio.all_tasks()
        other = await self.another(bus)
        subscription = await _subscribe(other)
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
        await subscription.close()
        await other.close()

        await _until(lambda: asyncio.all_tasks() <= before)

    # State

    async def test_a_value_is_what_was_put_last(self, bus: Bus) -> None:
        state = await bus.state("sensor")
        assert await state.get("a/b") is None
        first = await state.put("a/b", b"1")
        second = await state.put("a/b", b"2")
        entry = await state.get("a/b")

        assert entry is not None
        assert (entry.value, entry.revision) == (b"2", second)
        assert first != second

    async def test_a_value_survives_the_client(self, bus: Bus) -> None:
        await (await bus.state("sensor")).put("a", b"1")
        entry = await (await (await self.another(bus)).state("sensor")).get("a")

        assert entry is not None
        assert entry.value == b"1"

    async def test_a_write_with_an_old_revision_is_refused(self, bus: Bus) -> None:
        state = await bus.state("sensor")
        first = await state.put("a", b"1", revision=0)
        await state.put("a", b"2", revision=first)
        for revision in (first, 0):
            with pytest.raises(Conflict):
                await state.put("a", b"3", revision=revision)
        with pytest.raises(Conflict):
            await state.put("other", b"3", revision=first)

    async def test_of_writers_with_one_revision_one_wins(self, bus: Bus) -> None:
        state = await bus.state("sensor")
        revision = await state.put("a", b"0")
        results = await asyncio.gather(
            *(state.put("a", b"%d" % n, revision=revision) for n in range(10)),
            return_exceptions=True,
        )

        assert sum(isinstance(result, int) for result in results) == 1
        assert sum(isinstance(result, Conflict) for result in results) == 9

    async def test_a_deleted_value_is_gone_and_can_be_put_again(self, bus: Bus) -> None:
        state = await bus.state("sensor")
        await state.put("a", b"1")
        await state.delete("a")
        await state.delete("a")
        assert await state.get("a") is None
        assert await state.keys() == []

        await state.put("a", b"2", revision=0)
        assert await state.keys() == ["a"]

    async def test_keys_are_listed_by_prefix(self, bus: Bus) -> None:
        state = await bus.state("sensor")
        assert await state.keys() == []
        for key in ("b/x", "a/y", "a/x", "Triggers"):
            await state.put(key, b"1")

        assert await state.keys() == ["Triggers", "a/x", "a/y", "b/x"]
        assert await state.keys("a/") == ["a/x", "a/y"]

    async def test_keys_and_names_may_have_any_characters(self, bus: Bus) -> None:
        keys = sorted(["t é/d", "a..b", ".a.", "*", ">", "a=2Eb", "a.b", "x\ty", "=", "/"])
        for name in ("a.b", "a_2Eb", "a b"):
            state = await bus.state(name)
            for key in keys:
                await state.put(key, f"{name} {key}".encode())
        for name in ("a.b", "a_2Eb", "a b"):
            state = await bus.state(name)
            assert await state.keys() == keys
            for key in keys:
                entry = await state.get(key)
                assert entry is not None
                assert entry.value == f"{name} {key}".encode()

    async def test_states_of_different_names_are_apart(self, bus: Bus) -> None:
        await (await bus.state("one")).put("a", b"1")
        assert await (await bus.state("two")).get("a") is None

    # Journals

    async def test_records_are_read_in_order_and_by_subject(self, bus: Bus) -> None:
        journal = await bus.journal("journal", Limits())
        assert await _read(journal) == []
        for subject, body in (("a.x", b"1"), ("b.x", b"2"), ("a.y", b"3"), ("a.x.z", b"4")):
            await journal.append(subject, body)

        assert [r.body for r in await _read(journal)] == [b"1", b"2", b"3", b"4"]
        assert [r.subject for r in await _read(journal)] == ["a.x", "b.x", "a.y", "a.x.z"]
        assert [r.body for r in await _read(journal, "a.*")] == [b"1", b"3"]
        assert [r.body for r in await _read(journal, "a.>")] == [b"1", b"3", b"4"]
        assert [r.body for r in await _read(journal, "*.x")] == [b"1", b"2"]

    async def test_records_are_read_by_time(self, bus: Bus) -> None:
        journal = await bus.journal("journal", Limits())
        moments = []
        for body in (b"1", b"2", b"3"):
            await journal.append("a", body)
            await asyncio.sleep(0.02)
            moments.append(datetime.now(UTC))
            await asyncio.sleep(0.02)

        assert [r.body for r in await _read(journal, since=moments[0])] == [b"2", b"3"]
        assert [r.body for r in await _read(journal, until=moments[1])] == [b"1", b"2"]
        window = await _read(journal, since=moments[0], until=moments[1])
        assert [r.body for r in window] == [b"2"]

    async def test_many_records_are_stored_and_read(self, bus: Bus) -> None:
        journal = await bus.journal("journal", Limits())
        bodies = [b"%d" % number for number in range(1500)]
        await journal.append_many([("a.b", body) for body in bodies])

        read = await _read(journal)
        assert sorted((r.body for r in read), key=int) == bodies
        assert [r.sequence for r in read] == sorted(r.sequence for r in read)

    async def test_a_record_with_an_id_is_stored_once(self, bus: Bus) -> None:
        journal = await bus.journal("journal", Limits())
        first = await journal.append("a", b"1", id="x")
        second = await journal.append("a", b"1", id="x")

        assert first == second
        assert len(await _read(journal)) == 1

    async def test_a_record_can_be_got_and_deleted(self, bus: Bus) -> None:
        journal = await bus.journal("journal", Limits())
        sequence = await journal.append("a.b", b"1", id="x")
        record = await journal.get(sequence)
        assert record is not None
        assert (record.sequence, record.subject, record.body) == (sequence, "a.b", b"1")

        await journal.delete(sequence)
        await journal.delete(sequence)
        await journal.delete(sequence + 1000)
        assert await journal.get(sequence) is None
        assert await journal.get(sequence + 1000) is None
        assert await _read(journal) == []

    async def test_following_brings_what_comes_from_now_on(self, bus: Bus) -> None:
        journal = await bus.journal("journal", Limits())
        await journal.append("a", b"before")
        async with _following(journal, "a") as records:
            await journal.append("b", b"other")
            await journal.append("a", b"1")
            await journal.append("a", b"2")
            assert [(await anext(records)).body for _ in range(2)] == [b"1", b"2"]

    async def test_following_survives_a_lost_link(self, bus: Bus) -> None:
        journal = await bus.journal("journal", Limits())
        async with _following(journal, ">") as records:
            await journal.append("a", b"1")
            assert (await anext(records)).body == b"1"
            async with self.without_link(bus):
                await asyncio.sleep(0.05)
            await _until(lambda: bus.connected)
            await journal.append("a", b"2")
            assert (await anext(records)).body == b"2"

    async def test_a_journal_keeps_to_its_limits(self, bus: Bus) -> None:
        journal = await bus.journal("journal", Limits(messages=3))
        for number in range(5):
            await journal.append("a", b"%d" % number)

        assert [r.body for r in await _read(journal)] == [b"2", b"3", b"4"]

    async def test_a_journal_survives_the_client(self, bus: Bus) -> None:
        await (await bus.journal("journal", Limits())).append("a", b"1")
        again = await (await self.another(bus)).journal("journal", Limits())

        assert [r.body for r in await _read(again)] == [b"1"]

    async def test_the_events_can_be_read_as_a_journal(self, bus: Bus) -> None:
        await bus.publish(_event("a"))
        await bus.publish(_event("b", name="other"))

        read = await _read(bus.events())
        assert [r.subject for r in read] == ["default.source.name", "default.source.other"]
        assert [CloudEvent.decode(r.body).id for r in read] == ["a", "b"]
        assert len(await _read(bus.events(), "default.source.other")) == 1


def _event(id: str, *, name: str = "name") -> CloudEvent:
    return CloudEvent(id, "source", name, "webhook", data=b"{}")


async def _subscribe(
    bus: Bus,
    *,
    trigger: str = "trigger",
    dependency: str = "dep",
    name: str = "name",
    **options: Any,
) -> Subscription:
    return await bus.subscribe("sensor", trigger, dependency, "source", name, **options)


async def _fetch(subscription: Subscription, count: int) -> list[Delivery]:
    """Fetch until there are *count*, and acknowledge none."""
    deliveries: list[Delivery] = []
    async with asyncio.timeout(30):
        while len(deliveries) < count:
            deliveries += await subscription.fetch(count - len(deliveries))
    return deliveries


async def _ids_of(deliveries: Sequence[Delivery]) -> list[str]:
    """Acknowledge *deliveries* and return the ids of their events."""
    for delivery in deliveries:
        await delivery.ack()
    return [CloudEvent.decode(delivery.body).id for delivery in deliveries]


async def _drain(
    subscription: Subscription, count: int, *, sequences: list[int] | None = None
) -> list[str]:
    """Fetch and acknowledge *count* events, and return their ids."""
    ids: list[str] = []
    async with asyncio.timeout(30):
        while len(ids) < count:
            deliveries = await subscription.fetch(count - len(ids))
            ids += await _ids_of(deliveries)
            if sequences is not None:
                sequences += [delivery.sequence for delivery in deliveries]
    return ids


async def _read(journal: Journal, subject: str = ">", **period: Any) -> list[Record]:
    async with asyncio.timeout(30):
        return [record async for record in journal.read(subject, **period)]


@contextlib.asynccontextmanager
async def _following(journal: Journal, subject: str) -> AsyncIterator[AsyncIterator[Record]]:
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


async def _until(condition: Callable[[], bool]) -> None:
    """Wait until *condition* holds."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - of any thing, which has no event to wait for
            await asyncio.sleep(0.01)
