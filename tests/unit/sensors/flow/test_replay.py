"""A replay does what the trigger would have done, in its turn among what it does anyway."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.sensors.conftest import until
from tests.unit.sensors.flow.conftest import Acted, Timed, World, dependency, timed
from tiphys.errors import ManifestError
from tiphys.events import CloudEvent
from tiphys.runtime.replay import Replayed, replay
from tiphys.sensors.actions import Action
from tiphys.sensors.runner import SensorRunner

START = datetime(2026, 1, 1, tzinfo=UTC)


async def replayed(
    world: World, running: SensorRunner, *, seconds: float = 1000, **options: Any
) -> list[Replayed]:
    """Replay the events of ``a``, for which so much virtual time passes."""
    of = {"event_source": "a", "event_name": "ev", "since": START, **options}

    async def all_of_it() -> list[Replayed]:
        return [each async for each in replay([running], world.bus, **of)]

    task = asyncio.create_task(all_of_it())
    await world.clock.advance(seconds)
    return await task


@pytest.fixture
async def no_complaints() -> AsyncIterator[None]:
    """The event loop has nothing to complain about, such as errors that nobody asked for."""
    told: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: told.append(context["message"]))
    yield
    gc.collect()
    loop.set_exception_handler(None)
    assert told == []


def numbers(acted: list[Acted]) -> list[Any]:
    """The number of each action's event."""
    return [each.data["a"]["n"] for each in acted]


async def publish(world: World, *moments: float, **data: Any) -> list[str]:
    """Publish an event at each of the moments, with numbers from 0."""
    ids = []
    for n, moment in enumerate(moments):
        await world.at(moment)
        ids.append(await world.publish("a", n=n, **data))
    return ids


@pytest.mark.parametrize(
    ("mechanism", "expected"),
    [
        ({"debounce": {"period": "5s"}}, [1, 3]),
        ({"debounce": {"period": "5s", "leading": True}}, [0, 2]),
        ({"throttle": {"count": 1, "period": "15s", "strategy": "latest"}}, [0, 3]),
        ({"rateLimit": {"unit": "Second", "requestsPerUnit": 1}}, [0, 1, 2, 3]),
        ({}, [0, 1, 2, 3]),
    ],
)
async def test_it_acts_as_the_first_time(
    world: World, mechanism: dict[str, Any], expected: list[int]
) -> None:
    async with world.running(timed(**mechanism)) as sensor:
        await publish(world, 0, 1, 10, 11)
        await world.at(100)
        first = list(world.acted)
        world.acted.clear()
        found = await replayed(world, sensor)

    assert numbers(first) == numbers(world.acted) == expected
    assert [each.id for each in first] == [each.id for each in world.acted]
    assert [each.action for each in found] == [each.id for each in first]
    assert all(each.succeeded for each in found)


async def test_the_names_of_the_events_may_have_dots(world: World) -> None:
    depends = dependency("a", eventSourceName="my.shop", eventName="new.order")
    other = dependency("b", eventSourceName="my", eventName="shop.new.order")
    async with world.running(timed("a || b"), dependencies=[depends, other]) as sensor:
        for number, (source, name) in enumerate(
            [("my.shop", "new.order"), ("my", other["eventName"])]
        ):
            event = CloudEvent(f"id{number}", source, name, "webhook", data=b'{"n": %d}' % number)
            await world.bus.publish(event)
        await world.clock.settle()
        world.acted.clear()
        found = await replayed(world, sensor, event_source="my.shop", event_name="new.order")

    assert [each.events for each in found] == [("id0",)]
    assert numbers(world.acted) == [0]


async def test_a_batch_is_one_action_again_also_one_that_was_not_full(world: World) -> None:
    async with world.running(timed(batch={"count": 2, "period": "30s"})) as sensor:
        ids = await publish(world, 0, 1, 2)
        await world.at(100)
        first = list(world.acted)
        world.acted.clear()
        found = await replayed(world, sensor)

    assert [(each.data, each.id) for each in world.acted] == [
        (each.data, each.id) for each in first
    ]
    assert [each.events for each in found] == [tuple(ids[:2]), tuple(ids[2:])]


async def test_an_event_that_was_a_duplicate_is_one_again_and_the_first_one_acts(
    world: World,
) -> None:
    depends = dependency("a", dedupe={"key": "k", "window": "1h"})
    async with world.running(timed(), dependencies=[depends]) as sensor:
        await publish(world, 0, 1, k="same")
        found = await replayed(world, sensor)

    assert numbers(world.acted) == [0, 0]
    assert len(found) == 1


async def test_resets_of_conditions_are_done_as_they_were(world: World) -> None:
    both = {"name": "t", "conditions": "a && b", "timed": {}}
    reset = {"conditionsReset": [{"byTime": {"cron": "* * * * *"}}]}
    depends = [dependency("a"), {**dependency("b"), "eventSourceName": "a"}]
    depends[1]["filters"] = {
        "data": [{"path": "n", "type": "number", "comparator": "=", "value": ["1"]}]
    }
    depends[0]["filters"] = {
        "data": [{"path": "n", "type": "number", "comparator": "=", "value": ["0"]}]
    }
    async with world.running({"template": both | reset}, dependencies=depends) as sensor:
        await publish(world, 50, 70)  # a minute begins between them
        assert await replayed(world, sensor) == []
        await publish(world, 125, 126)
        assert len(await replayed(world, sensor)) == 1


async def test_it_waits_for_the_running_action_of_its_key(world: World) -> None:
    async with world.running(timed(orderBy="k")) as sensor:
        await publish(world, 0, k=1)
        Timed.takes = 10.0
        await world.at(20)
        await world.publish("a", k=1, n=1)
        await world.publish("a", k=2, n=2)
        await replayed(world, sensor, until=START.replace(second=10))

    assert [(a.at, a.data["a"]["n"]) for a in world.acted] == [(0, 0), (20, 1), (20, 2), (30, 0)]


@pytest.mark.parametrize("more", [{}, {"orderBy": "n"}])
async def test_its_actions_run_side_by_side_as_far_as_those_of_the_trigger_may(
    world: World, more: dict[str, Any]
) -> None:
    async with world.running(timed(concurrency=3, **more)) as sensor:
        await publish(world, *range(7))
        world.acted.clear()
        Timed.takes = 10.0
        began = world.clock.monotonic()
        await replayed(world, sensor)

    assert [a.at - began for a in world.acted] == [0, 0, 0, 10, 10, 10, 20]


async def test_at_least_once_keeps_one_at_a_time(world: World) -> None:
    async with world.running(timed(atLeastOnce=True)) as sensor:
        await publish(world, *range(3))
        world.acted.clear()
        Timed.takes = 10.0
        began = world.clock.monotonic()
        await replayed(world, sensor)

    assert [a.at - began for a in world.acted] == [0, 10, 20]


@pytest.mark.parametrize(
    "more", [{}, {"orderBy": "n"}, {"throttle": {"count": 100, "period": "1s"}}]
)
async def test_what_happens_meanwhile_is_not_held_up_to_its_end(
    world: World, more: dict[str, Any]
) -> None:
    async with world.running(timed(concurrency=2, **more)) as sensor:
        await publish(world, *range(40))
        world.acted.clear()
        Timed.takes = 10.0
        task = asyncio.create_task(replayed(world, sensor))
        await world.clock.settle()
        await world.publish("a", n="new")
        await task

    order = numbers(world.acted)
    assert set(order) == {*range(40), "new"}
    assert order.index("new") < 10


@pytest.mark.parametrize("more", [{}, {"orderBy": "k"}])
async def test_a_person_who_has_paused_the_trigger_may_replay(
    world: World, more: dict[str, Any]
) -> None:
    async with world.running(timed(**more)) as sensor:
        await publish(world, 0, 1, k=1)
        await sensor.pause()
        await world.publish("a", n=2, k=1)
        await replayed(world, sensor, until=START.replace(second=1))

        assert numbers(world.acted) == [0, 1, 0]
        await sensor.resume()
        await world.clock.settle()
    assert numbers(world.acted) == [0, 1, 0, 2]


async def test_a_pause_amid_a_replay_does_not_end_it(world: World) -> None:
    async with world.running(timed(orderBy="k")) as sensor:
        await publish(world, 0, 1, 2, k=1)
        world.acted.clear()
        Timed.takes = 10.0
        task = asyncio.create_task(replayed(world, sensor))
        await world.clock.settle()
        await sensor.pause()
        found = await task

    assert numbers(world.acted) == [0, 1, 2]
    assert [each.succeeded for each in found] == [True] * 3


@pytest.mark.usefixtures("no_complaints")
@pytest.mark.parametrize("more", [{}, {"orderBy": "k"}])
async def test_a_replay_tells_what_was_not_done_when_its_sensor_stopped(
    world: World, more: dict[str, Any]
) -> None:
    async with world.running(timed(concurrency=1, **more)) as sensor:
        await publish(world, 0, 1, 2, 3, k=1)
        world.acted.clear()
        Timed.takes = 10.0
        task = asyncio.create_task(replayed(world, sensor, seconds=10))
        await until(lambda: numbers(world.acted) == [0, 1])

    found = await task
    await world.clock.advance(100)
    stopped = "the sensor stopped before everything was done that was asked for"
    assert [(each.succeeded, each.error) for each in found] == [(True, ""), *[(None, stopped)] * 3]
    assert numbers(world.acted) == [0, 1]
    assert numbers(Timed.ended) == [0, 1, 2, 3, 0]
    assert await world.dead_letters() == []


@pytest.mark.usefixtures("no_complaints")
async def test_an_error_that_nobody_has_foreseen_ends_a_replay_and_is_told_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_action: Action) -> bool:
        raise RuntimeError("a bug")

    async with world.running(timed()) as sensor:
        await publish(world, 0, 1, 2)
        delivery = sensor.delivery("t")
        assert delivery is not None
        monkeypatch.setattr(delivery.execution, "carry_out", broken)
        with pytest.raises(RuntimeError, match="a bug"):
            await replayed(world, sensor)


async def test_a_blackout_delays_nothing(world: World) -> None:
    window = [{"start": "00:00", "stop": "12:00"}]
    async with world.running(timed(blackout=window)) as sensor:
        await publish(world, 0)
        assert world.acted == []
        await replayed(world, sensor, seconds=1)

    assert numbers(world.acted) == [0]


async def test_a_dry_run_tells_and_leaves_no_trace(world: World) -> None:
    async with world.running(timed(batch={"count": 2, "period": "30s"})) as sensor:
        (first, second) = await publish(world, 0, 1)
        acted, told = list(world.acted), list(world.history.told)
        found = await replayed(world, sensor, dry_run=True)

    assert [(each.events, each.succeeded) for each in found] == [((first, second), None)]
    assert (world.acted, world.history.told) == (acted, told)


async def test_what_fails_again_is_a_dead_letter(world: World) -> None:
    async with world.running(timed()) as sensor:
        await publish(world, 0, 1)
        Timed.failing = {1}
        found = await replayed(world, sensor)

    assert [each.succeeded for each in found] == [True, False]
    assert len(await world.dead_letters()) == 1


async def test_triggers_that_act_on_an_absence_are_left_out(world: World) -> None:
    join = {"conditionsJoin": {"key": "n", "window": "1h"}}
    alarm = timed(name="alarm", absence={"dependency": "b", "after": "10s"}, **join)
    async with world.running(timed(), alarm) as sensor:
        await publish(world, 0)
        await world.at(100)
        found = await replayed(world, sensor)
        assert [each.trigger for each in found] == ["t"]
        with pytest.raises(ManifestError, match="sn/alarm acts on events that do not come"):
            await replayed(world, sensor, trigger="alarm")


async def test_an_event_that_nothing_depends_on_is_said(world: World) -> None:
    async with world.running(timed()) as sensor:
        said = "no trigger of 'sn/other' that runs here depends on a/ev"
        with pytest.raises(ManifestError, match=said):
            await replayed(world, sensor, sensor="sn", trigger="other")
