"""Concurrency and order: serial for each key, side by side across keys."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.sensors.flow.conftest import Timed, World, dependency, timed


@pytest.mark.parametrize("at_least_once", [True, False, None])
async def test_actions_of_a_key_run_one_after_the_other_and_keys_side_by_side(
    world: World, at_least_once: bool | None
) -> None:
    Timed.takes = 10.0
    async with world.running(timed(orderBy="k", atLeastOnce=at_least_once)):
        for n in range(6):
            await world.publish("a", k=n % 2, n=n)
        await world.at(100)

        assert [(a.at, a.data["a"]["n"]) for a in world.acted] == [
            (0, 0), (0, 1), (10, 2), (10, 3), (20, 4), (20, 5),
        ]  # fmt: skip
        assert world.unsettled() == 0


async def test_a_message_is_acknowledged_when_its_turn_is_over(world: World) -> None:
    Timed.takes = 10.0
    async with world.running(timed(orderBy="k")):
        for n in range(3):
            await world.publish("a", k=1, n=n)
        await world.at(10)
        assert world.unsettled() == 2
        await world.at(30)
        assert world.unsettled() == 0


async def test_a_failing_action_holds_up_only_its_key_until_it_is_a_dead_letter(
    world: World,
) -> None:
    Timed.failing = {0}
    retry = {"steps": 3, "duration": "10s", "jitter": 0}
    async with world.running(timed(orderBy="k", retryStrategy=retry)):
        await world.publish("a", k="x", n=0)
        await world.publish("a", k="x", n=1)
        await world.publish("a", k="y", n=2)
        await world.at(100)

    assert [(a.at, a.data["a"]["n"]) for a in Timed.ended] == [(0, 2), (20, 1)]
    assert len(await world.dead_letters()) == 1


async def test_a_busy_key_leaves_room_for_others(world: World) -> None:
    Timed.takes = 10.0
    async with world.running(timed(orderBy="k", concurrency=2)):
        for n in range(300):
            await world.publish("a", k="busy", n=n)
        await world.publish("a", k="other", n=-1)
        await world.clock.settle()

        assert [a.data["a"]["n"] for a in world.acted] == [0, -1]


async def test_concurrency_bounds_how_many_actions_run_at_once(world: World) -> None:
    Timed.takes = 10.0
    async with world.running(timed(concurrency=3)):
        for n in range(7):
            await world.publish("a", n=n)
        await world.at(100)

    assert [a.at for a in world.acted] == [0, 0, 0, 10, 10, 10, 20]


async def test_concurrency_gives_up_the_order_of_at_least_once(world: World) -> None:
    Timed.takes = 10.0
    async with world.running(timed(concurrency=2, atLeastOnce=True)):
        for n in range(4):
            await world.publish("a", n=n)
        await world.at(100)

    assert [a.at for a in world.acted] == [0, 0, 10, 10]


async def test_what_has_not_begun_at_a_stop_acts_in_order_after_it(world: World) -> None:
    Timed.takes = 10.0
    trigger = timed(orderBy="k")
    async with world.running(trigger):
        for n in range(5):
            await world.publish("a", k=1, n=n)
        await world.at(10)
    async with world.running(trigger):
        await world.at(200)

    assert [a.data["a"]["n"] for a in Timed.ended] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("ordered", [{"orderBy": "k"}, {"atLeastOnce": True}])
async def test_order_survives_a_crash_after_which_the_bus_delivers_newer_events_first(
    world: World, ordered: dict[str, Any]
) -> None:
    Timed.takes = 10.0
    trigger = timed(**ordered)
    names = [dependency("a")]
    sensor = await world.start({"dependencies": names, "triggers": [trigger]})
    for n in range(4):
        await world.publish("a", k=1, n=n)
    await world.at(15)
    await world.kill(sensor)
    async with world.running(trigger, dependencies=names):
        await world.at(25)
        await world.publish("a", k=1, n=4)
        await world.publish("a", k=2, n=5)
        await world.at(300)

    assert [a.data["a"]["n"] for a in Timed.ended if a.data["a"]["k"] == 1] == [0, 1, 2, 3, 4]


async def test_batches_of_one_key_keep_their_order(world: World) -> None:
    Timed.takes = 10.0
    trigger = timed(orderBy="k", batch={"count": 2, "period": "1m", "key": "k"})
    async with world.running(trigger):
        for n in range(8):
            await world.publish("a", k=n % 2, n=n)
        await world.at(100)

    begun = [(a.at, [e["n"] for e in a.data["a"]["events"]]) for a in world.acted]
    assert begun == [(0, [0, 2]), (0, [1, 3]), (10, [4, 6]), (10, [5, 7])]


async def test_one_at_a_time_stays_so_with_other_mechanisms(world: World) -> None:
    Timed.takes = 10.0
    key: dict[str, Any] = {"key": "n", "window": "1h"}
    async with world.running(timed(atLeastOnce=True), dependencies=[dependency("a", dedupe=key)]):
        for n in (1, 2, 1, 3):
            await world.publish("a", n=n)
        await world.at(100)

    assert [(a.at, a.data["a"]["n"]) for a in world.acted] == [(0, 1), (10, 2), (20, 3)]
