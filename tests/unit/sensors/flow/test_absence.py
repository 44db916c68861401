"""Absence: an action for an event that did not come."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.unit.sensors.flow.conftest import World, dependency, seconds, timed
from tiphys.bus.memory import MemoryState
from tiphys.sensors.decisions import unnoted
from tiphys.sensors.flow.absence import Absence
from tiphys.sensors.flow.control import FlowControl
from tiphys.sensors.flow.item import Item
from tiphys.sensors.flow.memory import Memory
from tiphys.sensors.flow.waiting import WaitingActions
from tiphys.testing.clock import VirtualClock

START = datetime(2026, 1, 1, tzinfo=UTC)


def orders(**more: Any) -> dict[str, Any]:
    """Acts on an ``a`` without ``b`` within ten seconds."""
    return timed(absence={"dependency": "b", "after": "10s"}, **more)


async def test_an_event_that_is_not_followed_acts_when_the_time_is_over(world: World) -> None:
    async with world.running(orders()):
        await world.publish("a", n=1)
        await world.at(9.999)
        assert world.acted == []
        await world.at(10)

        assert [(a.at, a.data) for a in world.acted] == [(10, {"a": {"n": 1}})]
        assert world.unsettled() == 0
        assert await world.kept("=flow/waiting") == []


async def test_an_event_that_is_followed_in_time_does_not_act(world: World) -> None:
    async with world.running(orders()):
        first = await world.publish("a", n=1)
        await world.at(9.999)
        await world.publish("b")
        await world.at(100)

        assert world.acted == []
        assert world.steps(first) == ["held", "disarmed"]
        assert world.unsettled("b") == 0


async def test_an_awaited_event_that_comes_first_disarms_nothing(world: World) -> None:
    async with world.running(orders()):
        await world.publish("b")
        await world.at(1)
        await world.publish("a", n=1)
        await world.at(100)

    assert [a.at for a in world.acted] == [11]


async def test_without_conditions_all_other_dependencies_arm(world: World) -> None:
    async with world.running(orders(conditions="")):
        await world.publish("a", n=1)
        await world.at(100)

    assert [a.data for a in world.acted] == [{"a": {"n": 1}}]


async def test_keys_are_awaited_each_for_itself(world: World) -> None:
    trigger = orders(conditionsJoin={"key": {"a": "id", "b": "order.id"}, "window": "1h"})
    async with world.running(trigger):
        await world.publish("a", id=1)
        await world.publish("a", id=2)
        await world.publish("b", order={"id": 1})
        await world.at(100)

    assert [a.data["a"]["id"] for a in world.acted] == [2]


async def test_timers_run_on_over_a_restart(world: World) -> None:
    async with world.running(orders()):
        await world.publish("a", n=1)
    await world.at(5)
    async with world.running(orders()):
        await world.at(9.999)
        assert world.acted == []
        await world.at(10)

        assert [a.at for a in world.acted] == [10]


async def test_an_event_that_came_in_time_during_a_stop_disarms(world: World) -> None:
    async with world.running(orders()):
        await world.publish("a", n=1)
    await world.at(9)
    await world.publish("b")
    await world.at(50)
    async with world.running(orders()):
        await world.at(100)

    assert world.acted == []


async def test_a_heartbeat_that_stops_acts_once(world: World) -> None:
    async with world.running(timed(absence={"after": "10s"})):
        for n in range(5):
            await world.publish("a", n=n)
            await world.at((n + 1) * 9)
        await world.at(1000)

    assert [(a.at, a.data["a"]["n"]) for a in world.acted] == [(46, 4)]


async def test_a_condition_with_and_arms_when_it_is_complete(world: World) -> None:
    names = [dependency(name) for name in "abc"]
    trigger = timed("a && b", absence={"dependency": "c", "after": "10s"})
    async with world.running(trigger, dependencies=names):
        await world.publish("a", n=1)
        await world.at(5)
        await world.publish("b", n=2)
        await world.at(14.999)
        assert world.acted == []
        await world.at(15)

    assert [a.data for a in world.acted] == [{"a": {"n": 1}, "b": {"n": 2}}]


async def test_awaited_events_of_a_backlog_disarm_however_many_are_read_first(
    world: World,
) -> None:
    async with world.running(timed(absence={"dependency": "b", "after": "3s"})) as sensor:
        await sensor.pause()
        for n in range(60):
            await world.publish("a", n=n)
        await world.publish("b")
        await world.at(4)
        for _ in range(60):
            await world.publish("b")
        await world.at(100)
        await sensor.resume()
        await world.at(200)

    assert world.acted == []


async def test_an_awaited_event_is_known_until_everything_before_it_has_been_read() -> None:
    """However long that takes."""
    clock, state = VirtualClock(START), MemoryState()
    released: list[Item] = []
    control = FlowControl(
        lambda: [Absence(10, Memory(state, "t/absence", "s", in_chunk=1))],
        WaitingActions(state, "t/waiting", clock),
        release=released.append,
        note=unnoted,
        clock=clock,
    )
    await control.open(frozenset())
    await control.came("", START + seconds(5), 2)
    clock.jump(10_000)
    await control.came("", START + seconds(10_000), 3)
    assert not await control.offer(Item("1", START, 1, {}))

    assert await state.keys("t/waiting") == []
    assert control.next_due() is not None
    clock.jump(10_000)
    await control.ripen(clock.now())
    assert released == []
    assert await state.keys() == []
    assert control.next_due() is None
