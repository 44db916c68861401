"""Joins: only events with the same key, and close enough in time, act together."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.unit.sensors.flow.conftest import Timed, World, timed


def joined(**more: Any) -> dict[str, Any]:
    """Pairs ``a`` and ``b`` by their member ``id`` within ten seconds."""
    return timed("a && b", conditionsJoin={"key": "id", "window": "10s"}, **more)


async def test_only_events_with_the_same_key_are_paired(world: World) -> None:
    async with world.running(joined()):
        await world.publish("a", id=1, n=1)
        await world.publish("a", id=2, n=2)
        await world.publish("b", id=2, n=3)
        await world.publish("b", id=3, n=4)

        pairs = [(a.data["a"]["n"], a.data["b"]["n"]) for a in world.acted]
        assert pairs == [(2, 3)]
        assert world.unsettled() + world.unsettled("b") == 0


async def test_paths_may_differ_by_dependency(world: World) -> None:
    join = {"key": {"a": "id", "b": "ref.id"}, "window": "10s"}
    async with world.running(timed("a && b", conditionsJoin=join)):
        await world.publish("a", id="x")
        await world.publish("b", ref={"id": "x"})

    assert len(world.acted) == 1


async def test_events_too_far_apart_are_not_paired_and_expire(world: World) -> None:
    async with world.running(joined()):
        first = await world.publish("a", id=1, n=1)
        await world.at(10)
        assert world.steps(first) == ["held"]
        await world.at(10.001)
        assert world.steps(first) == ["held", "expired"]
        await world.publish("b", id=1, n=2)

        assert world.acted == []


async def test_an_event_at_the_very_end_of_the_window_is_paired(world: World) -> None:
    async with world.running(joined()):
        await world.publish("a", id=1)
        await world.at(10)
        await world.publish("b", id=1)

    assert len(world.acted) == 1


async def test_distance_counts_in_the_time_of_the_bus_after_a_stop(world: World) -> None:
    async with world.running(joined()):
        await world.publish("a", id=1)
        await world.publish("a", id=2)
    await world.at(9)
    await world.publish("b", id=1)
    await world.at(11)
    await world.publish("b", id=2)
    await world.at(500)
    async with world.running(joined()):
        await world.at(600)

    assert [a.data["a"]["id"] for a in world.acted] == [1]


async def test_an_event_without_the_key_is_dropped(world: World) -> None:
    async with world.running(joined()):
        event = await world.publish("a", n=1)

        assert world.steps(event) == ["dropped"]
        assert world.unsettled() == 0


async def test_nothing_is_left_of_a_key_in_the_end(world: World) -> None:
    async with world.running(joined()):
        await world.publish("a", id=1)
        await world.publish("b", id=1)
        await world.publish("a", id=2)
        await world.at(10_000)

        assert await world.kept() == []


async def test_a_joined_action_cut_off_by_a_crash_runs_again_with_the_same_events(
    world: World,
) -> None:
    Timed.takes = 5.0
    dependencies: list[dict[str, Any]] = [
        {"name": name, "eventSourceName": name, "eventName": "ev"} for name in "ab"
    ]
    sensor = await world.start({"dependencies": dependencies, "triggers": [joined()]})
    await world.publish("a", id=1, n=1)
    await world.publish("b", id=1, n=2)
    await world.kill(sensor)
    async with world.running(joined(), dependencies=dependencies):
        await world.publish("a", id=1, n=3)
        await world.at(2000)

    assert [a.data["a"]["n"] for a in Timed.ended] == [1]
    assert len({a.id for a in world.acted}) == 1


async def test_a_changed_join_forgets_what_it_held(world: World) -> None:
    async with world.running(joined()):
        await world.publish("a", id=1)
    changed = timed("a && b", conditionsJoin={"key": "id", "window": "20s"})
    async with world.running(changed):
        await world.publish("b", id=1)
        await asyncio.sleep(0)

    assert world.acted == []


async def test_a_reset_forgets_the_events_of_all_keys(world: World) -> None:
    trigger = timed("a && b", conditionsJoin={"key": "id", "window": "1h"})
    trigger["template"]["conditionsReset"] = [{"byTime": {"cron": "* * * * *"}}]
    async with world.running(trigger):
        await world.at(30)
        await world.publish("a", id=1)
        await world.at(61)
        await world.publish("b", id=1)
        await world.at(62)

    assert world.acted == []
