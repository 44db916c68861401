"""Pausing: events wait on the bus, also over a restart, and act when the trigger resumes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.sensors.flow.conftest import Timed, World, timed
from tiphys.errors import BusError, ManifestError


async def test_a_paused_trigger_keeps_its_backlog_on_the_bus(world: World) -> None:
    async with world.running(timed()) as sensor:
        await sensor.pause("t")
        assert (sensor.statuses["t"].phase, sensor.statuses["t"].reason) == ("paused", "paused")
        assert sensor.ready
        for n in range(3):
            await world.publish("a", n=n)
        await world.at(1000)
        assert (world.acted, world.unsettled()) == ([], 0)
        await sensor.resume("t")
        await world.clock.settle()

        assert [a.data["a"]["n"] for a in world.acted] == [0, 1, 2]
        assert sensor.statuses["t"].phase == "running"


async def test_what_waits_in_the_bucket_of_a_broken_trigger_acts_when_it_is_mended(
    world: World,
) -> None:
    batch = {"batch": {"count": 2, "period": "1h"}}
    async with world.running(timed(**batch)):
        await world.publish("a", n=1)
        assert world.unsettled() == 0
    for _ in range(2):
        async with world.running(timed("a && nobody", **batch)) as sensor:
            assert sensor.statuses["t"].phase == "broken"
    async with world.running(timed(**batch)):
        await world.publish("a", n=2)

    assert len(world.acted) == 1


async def test_a_pause_lasts_over_a_restart(world: World) -> None:
    async with world.running(timed()) as sensor:
        await sensor.pause()
    await world.publish("a", n=1)
    async with world.running(timed()) as sensor:
        await world.publish("a", n=2)
        assert sensor.statuses["t"].phase == "paused"
        assert world.acted == []
        await sensor.resume()
        await world.clock.settle()

    assert [a.data["a"]["n"] for a in world.acted] == [1, 2]


async def test_a_trigger_of_the_name_of_one_that_is_gone_is_not_paused(world: World) -> None:
    async with world.running(timed(name="t"), timed(name="u")) as sensor:
        await sensor.pause("t")
        await sensor.pause("u")
    async with world.running(timed(name="u")) as sensor:
        assert sensor.statuses["u"].phase == "paused"
    async with world.running(timed(name="t"), timed(name="u")) as sensor:
        assert (sensor.statuses["t"].phase, sensor.statuses["u"].phase) == ("running", "paused")


async def test_only_the_named_trigger_is_paused(world: World) -> None:
    async with world.running(timed(name="t"), timed(name="u")) as sensor:
        await sensor.pause("t")
        await world.publish("a", n=1)

        assert (sensor.statuses["t"].phase, sensor.statuses["u"].phase) == ("paused", "running")
    assert len(world.acted) == 1


async def test_one_trigger_of_a_paused_sensor_can_be_resumed(world: World) -> None:
    async with world.running(timed(name="t"), timed(name="u")) as sensor:
        await sensor.pause()
        await sensor.resume("u")
        await world.clock.settle()

        assert (sensor.statuses["t"].phase, sensor.statuses["u"].phase) == ("paused", "running")


@pytest.mark.parametrize("at_least_once", [True, False, None])
async def test_what_has_begun_ends_and_what_has_not_waits(
    world: World, at_least_once: bool | None
) -> None:
    Timed.takes = 10.0
    async with world.running(timed(atLeastOnce=at_least_once, concurrency=1)) as sensor:
        for n in range(3):
            await world.publish("a", n=n)
        await world.at(1)
        await sensor.pause("t")
        await world.at(25)
        assert [a.data["a"]["n"] for a in Timed.ended] == [0]
        await sensor.resume("t")
        await world.at(200)

        assert [a.data["a"]["n"] for a in Timed.ended] == [0, 1, 2]
        assert len(world.acted) == 3
        assert world.unsettled() == 0


async def test_what_waits_for_its_turn_goes_on_in_order_after_a_pause(world: World) -> None:
    Timed.takes = 10.0
    async with world.running(timed(orderBy="k")) as sensor:
        for n in range(4):
            await world.publish("a", k=1, n=n)
        await world.at(1)
        await sensor.pause("t")
        await world.at(5)
        await sensor.resume("t")
        await world.at(15)
        await sensor.pause("t")
        await world.at(30)
        await sensor.resume("t")
        await world.at(200)

        assert [a.data["a"]["n"] for a in world.acted] == [0, 1, 2, 3]
        assert world.unsettled() == 0


async def test_a_resume_while_an_action_still_runs_does_not_repeat_it(world: World) -> None:
    Timed.takes = 100.0
    async with world.running(timed()) as sensor:
        await world.publish("a", n=0)
        await sensor.pause("t")
        await sensor.resume("t")
        await world.publish("a", n=1)
        await world.at(1000)

    assert [a.data["a"]["n"] for a in world.acted] == [0, 1]


async def test_what_waits_for_the_end_of_a_burst_waits_on(world: World) -> None:
    async with world.running(timed(debounce={"period": "10s"})) as sensor:
        await world.publish("a", n=0)
        await sensor.pause("t")
        await world.publish("a", n=1)
        await world.at(100)
        assert world.acted == []
        await sensor.resume("t")
        await world.at(102)

    assert [a.data["a"]["n"] for a in world.acted] == [1]


async def test_a_batch_at_work_during_a_pause_acts_once(world: World) -> None:
    Timed.takes = 100.0
    async with world.running(timed(batch={"count": 2, "period": "1m"})) as sensor:
        await world.publish("a", n=0)
        await world.publish("a", n=1)
        await sensor.pause("t")
        await sensor.resume("t")
        await world.at(1000)

        assert len(world.acted) == 1
        assert await world.kept() == []


async def test_a_suspended_trigger_does_nothing_but_collect(world: World) -> None:
    async with world.running(timed(suspend=True)) as sensor:
        await world.publish("a", n=1)
        assert sensor.statuses["t"].reason == "suspended in the manifest"
        with pytest.raises(ManifestError, match="suspended in its manifest"):
            await sensor.resume("t")
    async with world.running(timed()):
        await world.clock.settle()

    assert [a.data["a"]["n"] for a in world.acted] == [1]


async def test_an_unknown_trigger_cannot_be_paused(world: World) -> None:
    async with world.running(timed()) as sensor:
        with pytest.raises(ManifestError, match="has no trigger 'x'"):
            await sensor.pause("x")


async def test_a_pause_that_the_bus_did_not_store_is_none(world: World) -> None:
    async with world.running(timed()) as sensor:
        world.bus.connected = False
        with pytest.raises(BusError):
            await sensor.pause("t")
        world.bus.connected = True
        await world.publish("a", n=1)

        assert len(world.acted) == 1


@pytest.mark.parametrize(
    ("spec", "phase"),
    [
        ({"replicas": 2}, "paused"),
        ({"replicas": 1}, "running"),
        ({"replicas": 0}, "running"),
        ({}, "running"),
    ],
)
async def test_other_replicas_hear_of_a_pause_where_there_are_some(
    world: World, spec: dict[str, Any], phase: str
) -> None:
    async with world.running(timed(), **spec) as one, world.running(timed(), **spec) as other:
        await one.pause()
        await world.at(10)

        assert other.statuses["t"].phase == phase


RATE = {"rateLimit": {"unit": "Minute", "requestsPerUnit": 1}}


@pytest.mark.parametrize("more", [{}, {"atLeastOnce": True}, {"orderBy": "k"}, {"concurrency": 2}])
async def test_what_waits_for_the_rate_limit_does_not_act_in_a_pause(
    world: World, more: dict[str, Any]
) -> None:
    async with world.running(timed(**RATE, **more)) as sensor:
        for n in range(5):
            await world.publish("a", n=n)
        await world.at(70)
        await sensor.pause()
        await world.at(1000)
        assert len(world.acted) == 2
        await sensor.resume()
        await world.at(1500)

    assert [acted.data["a"]["n"] for acted in world.acted] == [0, 1, 2, 3, 4]
    assert [acted.at for acted in world.acted] == [0, 60, 1000, 1060, 1120]


async def test_what_waits_for_the_rate_limit_does_not_act_in_a_blackout(world: World) -> None:
    blackout = [{"start": "00:01", "stop": "01:00"}]
    async with world.running(timed(**RATE, blackout=blackout)):
        for n in range(3):
            await world.publish("a", n=n)
        await world.at(4000)

    assert [acted.at for acted in world.acted] == [0, 3600, 3660]
