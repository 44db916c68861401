"""Debounce: one action for a burst of events."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.sensors.flow.conftest import World, dependency, seconds, timed
from tiphys.bus.memory import MemoryState
from tiphys.sensors.flow.debounce import Debounce
from tiphys.sensors.flow.item import Item
from tiphys.sensors.flow.memory import LATE, Memory

START = datetime(2026, 1, 1, tzinfo=UTC)


async def test_the_last_event_of_a_burst_acts_when_the_period_is_over(world: World) -> None:
    async with world.running(timed(debounce={"period": "10s"})):
        first = await world.publish("a", n=1)
        await world.at(4)
        await world.publish("a", n=2)
        await world.at(13.999)
        assert world.acted == []
        await world.at(14)

        assert [(a.at, a.data) for a in world.acted] == [(14, {"a": {"n": 2}})]
        assert world.steps(first) == ["held", "superseded"]
        assert world.unsettled() == 0
        assert await world.kept("=flow/waiting") == []


@pytest.mark.parametrize("leading", [False, True])
async def test_nothing_is_remembered_of_a_burst_in_the_end(world: World, leading: bool) -> None:
    async with world.running(timed(debounce={"period": "10s", "leading": leading})):
        await world.publish("a", n=1)
        await world.at(15)
        assert len(await world.kept()) == 1
        await world.at(20 + LATE.total_seconds())

        assert await world.kept() == []


async def test_each_key_has_its_own_bursts(world: World) -> None:
    async with world.running(timed(debounce={"period": "10s", "key": "k"})):
        await world.publish("a", k="x", n=1)
        await world.at(5)
        await world.publish("a", k="y", n=2)
        await world.publish("a", n=3)
        await world.at(100)

    assert [(a.at, a.data["a"]["n"]) for a in world.acted] == [(10, 1), (15, 2), (15, 3)]


async def test_a_burst_goes_on_over_a_restart(world: World) -> None:
    trigger = timed(debounce={"period": "10s"})
    async with world.running(trigger):
        await world.publish("a", n=1)
        assert world.unsettled() == 0
    await world.at(4)
    async with world.running(trigger):
        await world.at(9.999)
        assert world.acted == []
        await world.at(10)
        assert [a.at for a in world.acted] == [10]
        await world.at(30)

    assert len(world.acted) == 1


async def test_what_came_during_a_stop_supersedes_what_became_due_in_it(world: World) -> None:
    trigger = timed(debounce={"period": "10s"})
    async with world.running(trigger):
        await world.publish("a", n=1)
    await world.at(8)
    await world.publish("a", n=2)
    await world.at(60)
    async with world.running(trigger):
        await world.at(100)

    assert [a.data["a"]["n"] for a in world.acted] == [2]


async def test_bursts_that_ended_during_a_stop_act_each(world: World) -> None:
    trigger = timed(debounce={"period": "10s"})
    async with world.running(trigger):
        await world.publish("a", n=1)
    await world.at(11)
    await world.publish("a", n=2)
    await world.at(60)
    async with world.running(trigger):
        await world.at(100)

    assert [a.data["a"]["n"] for a in world.acted] == [1, 2]


@pytest.mark.parametrize(
    ("leading", "expected"), [(False, [("b", 2), ("b", 4), ("a", 6)]), (True, [1, 3, 5])]
)
async def test_bursts_in_two_sources_act_each_whatever_is_read_first(
    world: World, leading: bool, expected: list[Any]
) -> None:
    """Those of ``b`` are older, and are read when those of ``a`` have been."""
    trigger = timed("a || b", debounce={"period": "10s", "leading": leading})
    async with world.running(trigger) as sensor:
        await sensor.pause()
        for n, (moment, source) in enumerate(
            [(0, "b"), (9, "b"), (60, "b"), (69, "b"), (120, "a"), (129, "a")], start=1
        ):
            await world.at(moment)
            await world.publish(source, n=n)
        await world.at(1000)
        await sensor.resume()
        await world.at(1100)

    acted = [(name, data["n"]) for each in world.acted for name, data in each.data.items()]
    if leading:
        assert sorted(n for _, n in acted) == expected
    else:
        assert acted == expected


@pytest.mark.parametrize("source", ["a", "b"])
async def test_a_burst_over_two_sources_acts_with_its_last_event(world: World, source: str) -> None:
    other = "b" if source == "a" else "a"
    trigger = timed("a || b", debounce={"period": "10s"})
    async with world.running(trigger) as sensor:
        await sensor.pause()
        for n, (moment, of) in enumerate([(0, source), (8, other), (16, source), (60, source)]):
            await world.at(moment)
            await world.publish(of, n=n)
        await world.at(1000)
        await sensor.resume()
        await world.at(1100)

    assert [acted.data for acted in world.acted] == [{source: {"n": 2}}, {source: {"n": 3}}]


async def test_a_burst_of_the_past_acts_again_when_another_start_brings_it_back(
    world: World,
) -> None:
    trigger = timed(debounce={"period": "10s"})
    async with world.running(trigger):
        await world.publish("a", n=1)
        await world.at(20)
    async with world.running(trigger, dependencies=[dependency("a", startFrom="all")]):
        await world.at(40)

    assert [acted.data["a"]["n"] for acted in world.acted] == [1, 1]


async def test_leading_acts_at_once_and_not_again_in_the_burst(world: World) -> None:
    trigger = timed(debounce={"period": "10s", "leading": True})
    async with world.running(trigger):
        await world.publish("a", n=1)
        await world.at(9)
        await world.publish("a", n=2)
    async with world.running(trigger):
        await world.at(18.999)
        await world.publish("a", n=3)
        await world.at(28.999)
        await world.publish("a", n=4)

    assert [(a.at, a.data["a"]["n"]) for a in world.acted] == [(0, 1), (28.999, 4)]


async def test_a_removed_debounce_lets_what_waits_act(world: World) -> None:
    async with world.running(timed(debounce={"period": "1h"})):
        await world.publish("a", n=1)
    async with world.running(timed()):
        await world.clock.settle()

    assert [a.data["a"]["n"] for a in world.acted] == [1]


async def test_nothing_is_remembered_for_a_removed_debounce(world: World) -> None:
    dependencies = [dependency("a", startFrom="all"), dependency("b")]
    async with world.running(timed(debounce={"period": "1s"}), dependencies=dependencies):
        await world.publish("a", n=1)
        await world.at(2)
    assert len(await world.kept("=flow/debounce")) == 1
    async with world.running(timed(), dependencies=dependencies):
        await world.clock.settle()

    assert await world.kept() == ["t/=flow/start/a"]


async def test_nothing_is_left_of_a_trigger_that_is_gone(world: World) -> None:
    async with world.running(timed(debounce={"period": "1h"})):
        await world.publish("a", n=1)
    assert len(await world.kept("=flow/waiting")) == 1
    async with world.running(timed(name="other")):
        await world.clock.settle()

    assert await world.kept("=flow") == []


def made(state: MemoryState) -> Debounce:
    """One with a period of ten seconds."""
    return Debounce(10, Memory(state, "t/d", "s"))


async def test_an_event_that_comes_late_does_not_act_after_a_newer_one_of_its_burst() -> None:
    state = MemoryState()
    machine = made(state)
    await machine.memory.load()
    old, new = (Item(f"{n}", START + seconds(n), n, {}) for n in (1, 2))
    machine.offer(new, START)
    (acted,) = machine.ripen(START + seconds(12), START).passed
    await machine.memory.save(START)
    again = made(state)
    await again.memory.load()

    for each in (machine, again):
        (dropped,) = each.offer(old, START).dropped
        assert (acted.id, dropped.item.id, dropped.step) == ("2", "1", "superseded")
        (dropped,) = each.offer(new, START).dropped
        assert (dropped.item.id, dropped.step) == ("2", "duplicate")
        assert each.next_due() is None


async def test_an_event_that_comes_late_acts_when_its_burst_ended_before_that_of_the_newer() -> (
    None
):
    machine = made(MemoryState())
    old, new = (Item(f"{n}", START + seconds(n), n, {}) for n in (1, 11))
    machine.offer(new, START)
    machine.offer(old, START)

    assert [item.id for item in machine.ripen(START + seconds(30), START).passed] == ["1", "11"]
