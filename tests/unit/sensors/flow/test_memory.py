"""What mechanisms remember, and the actions that wait, over restarts and failures."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiphys.bus import Entry
from tiphys.bus.memory import MemoryState
from tiphys.errors import BusUnavailable
from tiphys.events import CloudEvent
from tiphys.sensors.flow.item import Item
from tiphys.sensors.flow.memory import Memory
from tiphys.sensors.flow.waiting import KEPT, WaitingActions
from tiphys.testing.clock import VirtualClock

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """A moment after the beginning."""
    return START + timedelta(seconds=seconds)


class Refusing(MemoryState):
    """A bucket that fails when it is told to."""

    down = False

    async def put(self, key: str, value: bytes, *, revision: int | None = None) -> int:
        if self.down:
            raise BusUnavailable("down")
        return await super().put(key, value, revision=revision)

    async def get(self, key: str) -> Entry | None:
        return await super().get(key)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("set"), st.sampled_from("abcdefgh"), st.integers(1, 20)),
            st.tuples(st.just("wait"), st.none(), st.integers(1, 10)),
            st.tuples(st.just("restart"), st.none(), st.just(0)),
        ),
        max_size=60,
    ),
    st.integers(1, 4),
)
def test_a_memory_is_a_map_whose_entries_expire(
    actions: list[tuple[str, Any, int]], in_chunk: int
) -> None:
    asyncio.run(_compare(actions, in_chunk))


async def _compare(actions: list[tuple[str, Any, int]], in_chunk: int) -> None:
    state, now = MemoryState(), 0
    memory = Memory(state, "t/m", "shape", in_chunk=in_chunk)
    model: dict[str, tuple[int, int]] = {}
    for number, (action, key, amount) in enumerate(actions):
        if action == "set":
            # Later writings of a key never expire before earlier ones, as with all mechanisms.
            expires = max(now + amount, model.get(key, (0, 0))[0])
            memory.set(key, number, at(expires))
            model[key] = (expires, number)
            await memory.save(at(now))
        elif action == "wait":
            now += amount
        else:
            memory = Memory(state, "t/m", "shape", in_chunk=in_chunk)
            await memory.load()
        for name in "abcdefgh":
            expires, value = model.get(name, (0, None))
            assert memory.get(name, at(now)) == (value if now < expires else None)
    await memory.save(at(1000))
    assert await state.keys("t/m") == []


async def test_a_memory_forgets_the_oldest_beyond_its_limit() -> None:
    state = MemoryState()
    memory = Memory(state, "t/m", "s", limit=100, in_chunk=10)
    for number in range(1000):
        memory.set(str(number), number, at(1000))
        await memory.save(at(0))

    assert len(memory) <= 100
    assert memory.get("999", at(0)) == 999
    assert memory.get("0", at(0)) is None
    assert len(await state.keys("t/m")) <= 11


async def test_what_was_remembered_for_another_meaning_is_forgotten() -> None:
    state = MemoryState()
    old = Memory(state, "t/m", "by id")
    old.set("x", 1, at(1000))
    await old.save(at(0))
    new = Memory(state, "t/m", "by name")
    await new.load()

    assert new.get("x", at(0)) is None
    assert await state.keys("t/m") == []


async def test_what_could_not_be_saved_is_saved_the_next_time() -> None:
    state = Refusing()
    memory = Memory(state, "t/m", "s")
    memory.set("x", 1, at(1000))
    state.down = True
    with pytest.raises(BusUnavailable):
        await memory.save(at(0))
    state.down = False
    await memory.save(at(0))
    again = Memory(state, "t/m", "s")
    await again.load()

    assert again.get("x", at(0)) == 1


def item(item_id: str, *members: str, sequence: int = 1) -> Item:
    """An item whose data is not JSON."""
    event = CloudEvent("e", "a", "ev", "t", data=b'\x00"', extensions={"traceparent": "00-1"})
    origins = tuple(f"event of {member}" for member in members)
    return Item(item_id, at(1.5), sequence, {"a": event}, {"debounce": "k"}, "x", members, origins)


def test_an_item_is_the_same_after_it_was_stored() -> None:
    assert Item.decode(item("1", "m", "n").encode()) == item("1", "m", "n")
    assert Item.decode(b'{"done": 1, "ids": []}') is None
    assert Item.decode(b"nonsense") is None


async def test_what_waits_is_found_after_a_restart_in_the_order_of_the_stream() -> None:
    state, clock = MemoryState(), VirtualClock(START)
    waiting = WaitingActions(state, "t/w", clock)
    for number in (10, 9, 2):
        await waiting.put(item(str(number), sequence=number))
    again = WaitingActions(state, "t/w", clock)

    assert [found.id for found in await again.load()] == ["2", "9", "10"]
    assert again.knows("9")
    assert not again.knows("3")


async def test_a_done_item_whose_message_may_come_again_is_known_for_a_while() -> None:
    state, clock = MemoryState(), VirtualClock(START)
    waiting = WaitingActions(state, "t/w", clock)
    await waiting.put(item("1"))
    await waiting.remove("1")
    again = WaitingActions(state, "t/w", clock)

    assert await again.load() == []
    assert again.knows("1")
    clock.jump(KEPT.total_seconds() + 1)
    await again.remove("another")
    assert not again.knows("1")
    assert await state.keys("t/w") == []


async def test_nothing_is_left_of_a_done_item_whose_message_is_settled() -> None:
    state = MemoryState()
    waiting = WaitingActions(state, "t/w", VirtualClock(START))
    await waiting.put(item("1"))
    waiting.settled("1")
    await waiting.remove("1")

    assert not waiting.knows("1")
    assert await state.keys("t/w") == []


async def test_a_settlement_that_comes_after_the_action_removes_the_marker() -> None:
    state = MemoryState()
    waiting = WaitingActions(state, "t/w", VirtualClock(START))
    await waiting.put(item("1"))
    await waiting.remove("1")
    waiting.settled("1")
    await waiting.remove("another")

    assert await state.keys("t/w") == []


async def test_an_item_takes_the_place_of_its_members_whatever_was_settled() -> None:
    state, clock = MemoryState(), VirtualClock(START)
    waiting = WaitingActions(state, "t/w", clock)
    await waiting.put(item("1"))
    await waiting.put(item("2"))
    waiting.settled("1")
    await waiting.put(item("batch", "1", "2", "3"))
    assert [waiting.knows(one) for one in "123"] == [True, True, True]
    assert await state.keys("t/w") == ["t/w/batch"]
    await waiting.remove("batch")

    # The messages of 2 and 3 may come again, that of 1 may not.
    assert [waiting.knows(one) for one in "123"] == [False, True, True]
    again = WaitingActions(state, "t/w", clock)
    await again.load()
    assert [again.knows(one) for one in "123"] == [False, True, True]


async def test_members_that_a_crash_left_beside_their_batch_do_not_wait_any_more() -> None:
    state, clock = MemoryState(), VirtualClock(START)
    waiting = WaitingActions(state, "t/w", clock)
    await waiting.put(item("batch", "1", "2"))
    await waiting.put(item("1"))
    again = WaitingActions(state, "t/w", clock)

    assert [found.id for found in await again.load()] == ["batch"]
    assert again.knows("1")
    assert await state.keys("t/w") == ["t/w/batch"]
