"""Debounce: one action for a burst of events."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.unit.sensors.flow.conftest import World, seconds, timed
from tiphys.sensors.flow.debounce import Debounce
from tiphys.sensors.flow.item import Item

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


async def test_nothing_is_left_of_a_trigger_that_is_gone(world: World) -> None:
    async with world.running(timed(debounce={"period": "1h"})):
        await world.publish("a", n=1)
    assert len(await world.kept("=flow/waiting")) == 1
    async with world.running(timed(name="other")):
        await world.clock.settle()

    assert await world.kept("=flow") == []


async def test_an_event_that_comes_late_does_not_act_after_a_newer_one() -> None:
    machine = Debounce(10)
    old, new = (Item(f"{n}", START + seconds(n), n, {}) for n in (1, 2))
    machine.offer(new, START)
    (acted,) = machine.ripen(START + seconds(12), START).passed

    (dropped,) = machine.offer(old, START).dropped
    assert (acted.id, dropped.item.id, dropped.step) == ("2", "1", "superseded")
    assert machine.next_due() is None
