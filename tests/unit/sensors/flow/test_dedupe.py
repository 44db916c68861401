"""Dedupe: an event whose key came already is dropped."""

from __future__ import annotations

from typing import Any

from tests.unit.sensors.flow.conftest import Timed, World, dependency, timed

DEDUPE: dict[str, Any] = {"dependencies": [dependency("a", dedupe={"key": "k", "window": "10s"})]}


async def test_a_key_counts_once_in_a_window(world: World) -> None:
    async with world.running(timed(), **DEDUPE):
        ids = []
        for n in range(6):
            await world.at(n * 4)
            ids.append(await world.publish("a", k="x", n=n))

        assert [a.data["a"]["n"] for a in world.acted] == [0, 3]
        assert world.steps(ids[1]) == ["duplicate"]
        assert world.unsettled() == 0


async def test_events_without_a_key_all_count(world: World) -> None:
    async with world.running(timed(), **DEDUPE):
        for n in range(3):
            await world.publish("a", n=n)

    assert len(world.acted) == 3


async def test_keys_are_known_after_a_restart(world: World) -> None:
    async with world.running(timed(), **DEDUPE):
        await world.publish("a", k="x", n=1)
    await world.at(9)
    async with world.running(timed(), **DEDUPE):
        await world.publish("a", k="x", n=2)
        await world.publish("a", k="y", n=3)

    assert [a.data["a"]["n"] for a in world.acted] == [1, 3]


async def test_an_event_cut_off_by_a_crash_is_no_duplicate_of_itself(world: World) -> None:
    Timed.takes = 5.0
    sensor = await world.start({**DEDUPE, "triggers": [timed()]})
    await world.publish("a", k="x", n=1)
    await world.kill(sensor)
    async with world.running(timed(), **DEDUPE):
        await world.at(100)

    assert [a.data["a"]["n"] for a in Timed.ended] == [1]


async def test_triggers_know_keys_each_for_itself(world: World) -> None:
    async with world.running(timed(name="t"), timed(name="u"), **DEDUPE):
        await world.publish("a", k="x", n=1)
        await world.publish("a", k="x", n=2)

    assert [a.data["a"]["n"] for a in world.acted] == [1, 1]


async def test_what_the_filters_drop_is_not_remembered(world: World) -> None:
    filters = {"data": [{"path": "n", "type": "number", "comparator": ">", "value": ["1"]}]}
    names = [dependency("a", dedupe={"key": "k", "window": "1h"}, filters=filters)]
    async with world.running(timed(), dependencies=names):
        await world.publish("a", k="x", n=1)
        await world.publish("a", k="x", n=2)

    assert [a.data["a"]["n"] for a in world.acted] == [2]
