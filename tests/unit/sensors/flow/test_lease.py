"""Leases: of several replicas, one runs a trigger that must see every event."""

from __future__ import annotations

import asyncio

from tests.unit.sensors.flow.conftest import Timed, World, dependency, timed
from tiphys.aio import stop
from tiphys.bus.memory import MemoryState
from tiphys.sensors.flow.lease import EXPIRES, RENEWED, Lease
from tiphys.testing.clock import VirtualClock

THROTTLED = timed(throttle={"count": 1, "period": "1h"})


async def test_only_one_replica_runs_a_trigger_with_flow_control(world: World) -> None:
    async with world.running(THROTTLED) as one, world.running(THROTTLED) as other:
        phases = sorted(sensor.statuses["t"].phase for sensor in (one, other))
        assert phases == ["running", "standby"]
        assert one.ready
        assert other.ready
        for n in range(4):
            await world.publish("a", n=n)
            await world.at((n + 1) * 10)

    assert len(world.acted) == 1


async def test_all_replicas_run_a_trigger_without_it(world: World) -> None:
    async with world.running(timed()) as one, world.running(timed()) as other:
        assert [sensor.statuses["t"].phase for sensor in (one, other)] == ["running", "running"]


async def test_the_other_one_takes_over_at_once_after_a_stop(world: World) -> None:
    trigger = timed(debounce={"period": "10s"})
    async with world.running(trigger) as other:
        spec = {"dependencies": [dependency("a"), dependency("b")], "triggers": [trigger]}
        one = await world.start(spec)
        running, standing = (other, one)
        assert running.statuses["t"].phase == "running"
        await world.publish("a", n=1)
        await running.stop(grace=0)
        await world.at(2)
        assert standing.statuses["t"].phase == "running"
        await world.at(10)
        assert [(a.at, a.data["a"]["n"]) for a in world.acted] == [(10, 1)]
        await one.stop(grace=0)


async def test_the_other_one_takes_over_soon_after_a_crash(world: World) -> None:
    trigger = timed(debounce={"period": "60s"})
    spec = {"dependencies": [dependency("a"), dependency("b")], "triggers": [trigger]}
    one = await world.start(spec)
    async with world.running(trigger) as other:
        await world.publish("a", n=1)
        await world.kill(one)
        await world.at(EXPIRES + RENEWED)
        assert other.statuses["t"].phase == "running"
        await world.at(100)

    assert [a.at for a in world.acted] == [60]


async def test_actions_of_who_lost_the_lease_do_not_begin_twice(world: World) -> None:
    Timed.takes = 30.0
    trigger = timed(batch={"count": 1, "period": "1m"})
    async with world.running(trigger) as one, world.running(trigger):
        await world.publish("a", n=1)
        await one.pause("t")
        await one.resume("t")
        await world.at(200)

    assert len(world.acted) == 1


async def test_a_lease_that_is_renewed_is_never_taken() -> None:
    clock, state = VirtualClock(), MemoryState()
    one, other = Lease(state, "k", clock), Lease(state, "k", clock)
    await one.acquire()
    keeping = asyncio.create_task(one.keep())
    waiting = asyncio.create_task(other.acquire())
    await clock.advance(1000)
    assert (one.held, other.held) == (True, False)
    await stop(keeping)
    await clock.advance(EXPIRES + RENEWED)

    assert other.held
    assert waiting.done()


async def test_who_finds_the_lease_taken_knows_that_it_is_lost() -> None:
    clock, state = VirtualClock(), MemoryState()
    lease = Lease(state, "k", clock)
    await lease.acquire()
    await state.put("k", b"somebody else")
    keeping = asyncio.create_task(lease.keep())
    await clock.advance(RENEWED)

    assert keeping.done()
    assert not lease.held


async def test_a_lease_that_cannot_be_renewed_in_time_is_lost(world: World) -> None:
    lease = Lease(await world.bus.state("x"), "k", world.clock)
    await lease.acquire()
    keeping = asyncio.create_task(lease.keep())
    world.bus.connected = False
    await world.at(EXPIRES - 0.001)
    assert lease.held
    await world.at(EXPIRES)

    assert not lease.held
    assert keeping.done()
