"""Throttle: at most so many actions in any span of time."""

from __future__ import annotations

from tests.unit.sensors.flow.conftest import Timed, World, dependency, timed


async def test_what_comes_too_early_is_dropped(world: World) -> None:
    async with world.running(timed(throttle={"count": 2, "period": "10s"})):
        ids = []
        for n in range(6):
            ids.append(await world.publish("a", n=n))
            await world.at(4 * (n + 1))

        # 0 and 4 fill the first ten seconds; 10 and 14 are the first moments with room again.
        assert [a.at for a in world.acted] == [0, 4, 12, 16]
        assert world.steps(ids[2]) == ["dropped"]
        assert world.unsettled() == 0


async def test_latest_keeps_the_newest_for_the_first_moment_with_room(world: World) -> None:
    trigger = timed(throttle={"count": 1, "period": "10s", "strategy": "latest"})
    async with world.running(trigger):
        for n in range(5):
            await world.publish("a", n=n)
            await world.at(n + 1)
        await world.at(9.999)
        assert len(world.acted) == 1
        await world.at(10)

        assert [(a.at, a.data["a"]["n"]) for a in world.acted] == [(0, 0), (10, 4)]
        assert await world.kept("=flow/waiting") == []


async def test_keys_count_for_themselves(world: World) -> None:
    async with world.running(timed(throttle={"count": 1, "period": "10s", "key": "k"})):
        for n in range(4):
            await world.publish("a", n=n, k=n % 2)

    assert [a.data["a"]["n"] for a in world.acted] == [0, 1]


async def test_what_began_before_a_restart_counts(world: World) -> None:
    trigger = timed(throttle={"count": 1, "period": "10s", "strategy": "latest"})
    async with world.running(trigger):
        await world.publish("a", n=1)
        await world.publish("a", n=2)
    await world.at(3)
    async with world.running(trigger):
        await world.publish("a", n=3)
        await world.at(9.999)
        assert len(world.acted) == 1
        await world.at(10)

    assert [a.data["a"]["n"] for a in world.acted] == [1, 3]


async def test_an_action_cut_off_by_a_crash_is_not_dropped_because_of_itself(world: World) -> None:
    trigger = timed(throttle={"count": 1, "period": "1h"})
    spec = {"dependencies": [dependency("a")], "triggers": [trigger]}
    Timed.takes = 5.0
    sensor = await world.start(spec)
    await world.publish("a", n=1)
    await world.kill(sensor)
    async with world.running(trigger, dependencies=[dependency("a")]):
        await world.at(100)

    assert [a.data["a"]["n"] for a in Timed.ended] == [1]


async def test_debounced_actions_are_throttled(world: World) -> None:
    trigger = timed(
        debounce={"period": "1s", "key": "k"},
        throttle={"count": 1, "period": "10s", "strategy": "latest"},
    )
    async with world.running(trigger):
        for n in range(3):
            await world.publish("a", n=n, k=n)
            await world.at(n + 1)
        await world.at(100)

    assert [(a.at, a.data["a"]["n"]) for a in world.acted] == [(1, 0), (11, 2)]


async def test_a_batch_that_is_throttled_away_is_gone_with_its_events(world: World) -> None:
    trigger = timed(batch={"count": 2, "period": "1m"}, throttle={"count": 1, "period": "1h"})
    async with world.running(trigger):
        for n in range(4):
            await world.publish("a", n=n)
        await world.at(1)

        assert [a.data["a"]["count"] for a in world.acted] == [2]
        assert await world.kept("=flow/waiting") == []
        assert world.unsettled() == 0
