"""What every bus must do with what it keeps for others."""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import UTC, datetime

import pytest

from tiphys.bus import Bus, Limits
from tiphys.errors import Conflict
from tiphys.events import CloudEvent
from tiphys.testing._bus_actions import (
    event,
    following,
    read,
    until,
)
from tiphys.testing._bus_means import BusMeans


class StorageContract(BusMeans):
    """States and journals."""

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

    async def test_a_value_may_be_bigger_than_a_message(self, bus: Bus) -> None:
        state = await bus.state("sensor")
        big, bigger = b"x" * 9_000_000, b"y" * 20_000_000
        first = await state.put("a/b", big, revision=0)
        entry = await (await (await self.another(bus)).state("sensor")).get("a/b")
        assert entry is not None
        assert (entry.value == big, entry.revision) == (True, first)

        second = await state.put("a/b", bigger, revision=first)
        entry = await state.get("a/b")
        assert entry is not None
        assert (entry.value == bigger, entry.revision) == (True, second)
        assert await state.keys() == ["a/b"]

        await state.put("a/b", b"small")
        entry = await (await (await self.another(bus)).state("sensor")).get("a/b")
        assert entry is not None
        assert entry.value == b"small"
        await state.delete("a/b")
        assert await state.keys("a") == []

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

    async def test_records_are_read_in_order_and_by_subject(self, bus: Bus) -> None:
        journal = await bus.journal("journal", Limits())
        assert await read(journal) == []
        for subject, body in (("a.x", b"1"), ("b.x", b"2"), ("a.y", b"3"), ("a.x.z", b"4")):
            await journal.append(subject, body)

        assert [r.body for r in await read(journal)] == [b"1", b"2", b"3", b"4"]
        assert [r.subject for r in await read(journal)] == ["a.x", "b.x", "a.y", "a.x.z"]
        assert [r.body for r in await read(journal, "a.*")] == [b"1", b"3"]
        assert [r.body for r in await read(journal, "a.>")] == [b"1", b"3", b"4"]
        assert [r.body for r in await read(journal, "*.x")] == [b"1", b"2"]

    async def test_records_are_read_by_time(self, bus: Bus) -> None:
        journal = await bus.journal("journal", Limits())
        moments = []
        for body in (b"1", b"2", b"3"):
            await journal.append("a", body)
            await asyncio.sleep(0.02)
            moments.append(datetime.now(UTC))
            await asyncio.sleep(0.02)

        assert [r.body for r in await read(journal, since=moments[0])] == [b"2", b"3"]
        assert [r.body for r in await read(journal, until=moments[1])] == [b"1", b"2"]
        window = await read(journal, since=moments[0], until=moments[1])
        assert [r.body for r in window] == [b"2"]
        (second,) = window
        assert await read(journal, since=second.stored, until=second.stored) == []
        assert [r.body for r in await read(journal, since=second.stored)] == [b"2", b"3"]

    async def test_many_records_are_stored_and_read(self, bus: Bus) -> None:
        journal = await bus.journal("journal", Limits())
        bodies = [b"%d" % number for number in range(1500)]
        await journal.append_many([("a.b", body) for body in bodies])

        records = await read(journal)
        assert sorted((r.body for r in records), key=int) == bodies
        assert [r.sequence for r in records] == sorted(r.sequence for r in records)

    async def test_a_record_with_an_id_is_stored_once(self, bus: Bus) -> None:
        journal = await bus.journal("journal", Limits())
        first = await journal.append("a", b"1", id="x")
        second = await journal.append("a", b"1", id="x")

        assert first == second
        assert len(await read(journal)) == 1

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
        assert await read(journal) == []

    async def test_following_brings_what_comes_from_now_on(self, bus: Bus) -> None:
        journal = await bus.journal("journal", Limits())
        await journal.append("a", b"before")
        async with following(journal, "a") as records:
            await journal.append("b", b"other")
            await journal.append("a", b"1")
            await journal.append("a", b"2")
            assert [(await anext(records)).body for _ in range(2)] == [b"1", b"2"]

    async def test_following_survives_a_lost_link(self, bus: Bus) -> None:
        journal = await bus.journal("journal", Limits())
        async with following(journal, ">") as records:
            await journal.append("a", b"1")
            assert (await anext(records)).body == b"1"
            async with self.without_link(bus):
                await asyncio.sleep(0.05)
            await until(lambda: bus.connected)
            await journal.append("a", b"2")
            assert (await anext(records)).body == b"2"

    async def test_a_journal_keeps_to_its_limits(self, bus: Bus) -> None:
        journal = await bus.journal("journal", Limits(messages=3))
        for number in range(5):
            await journal.append("a", b"%d" % number)

        assert [r.body for r in await read(journal)] == [b"2", b"3", b"4"]

    async def test_a_journal_survives_the_client(self, bus: Bus) -> None:
        await (await bus.journal("journal", Limits())).append("a", b"1")
        again = await (await self.another(bus)).journal("journal", Limits())

        assert [r.body for r in await read(again)] == [b"1"]

    async def test_the_events_can_be_read_as_a_journal(self, bus: Bus) -> None:
        await bus.publish(event("a"))
        await bus.publish(event("b", name="other"))

        records = await read(bus.events())
        assert [r.subject for r in records] == ["default.source.name", "default.source.other"]
        assert [CloudEvent.decode(r.body).id for r in records] == ["a", "b"]
        assert len(await read(bus.events(), "default.source.other")) == 1

    async def test_an_event_lies_under_three_tokens_whatever_its_names_are(self, bus: Bus) -> None:
        await bus.publish(dataclasses.replace(event("a"), source="my.source", subject="an.event"))
        await bus.publish(event("b"))

        (record, _) = await read(bus.events(), "default.*.*")
        assert CloudEvent.decode(record.body).id == "a"
        assert len(await read(bus.events(), "default.source.*")) == 1
        assert await read(bus.events(), "default.my.source.an.event") == []
