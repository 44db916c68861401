"""What became of events, as lists and time lines tell it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.sensors.flow.conftest import Timed, World, dependency, timed
from tiphys.errors import ManifestError, TiphysError
from tiphys.observe.history import Record
from tiphys.runtime import trace
from tiphys.runtime.archive import Wanted
from tiphys.runtime.buses import OpenBus
from tiphys.sensors.actions import ActionFailed, action_of
from tiphys.sensors.dead_letters import DeadLetters
from tiphys.sensors.runner import SensorRunner

Step = tuple[str, str, dict[str, Any]]
ACTION, OTHER = {"action": "1"}, {"action": "2"}
NUMBER = {"name": "n", "path": "n"}
LETTER = {"deadLetter": "1"}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    await world.bus.start()
    yield world
    await world.scripts.close()


@contextlib.asynccontextmanager
async def opened(world: World) -> AsyncIterator[list[OpenBus]]:
    """The bus with its history, which is written when it is read."""
    writer = asyncio.create_task(asyncio.sleep(0))
    yield [OpenBus(world.bus, world.history, writer)]
    await writer


async def statuses(world: World, **options: Any) -> list[str]:
    """The words for all events, oldest first."""
    since = options.pop("since", datetime.min.replace(tzinfo=UTC))
    async with opened(world) as buses:
        listed = await trace.events(buses, Wanted(), since=since, **{"limit": 1000, **options})
    return [each.status for each in listed]


async def test_an_action_that_succeeds_at_last_is_acted_on(world: World) -> None:
    retried = timed(retryStrategy={"steps": 2, "duration": "5s"})
    async with world.running(retried):
        Timed.failing = {1}
        await world.publish("a", n=1)
        assert await statuses(world) == ["failing"]
        Timed.failing = set()
        await world.at(10)

        assert await statuses(world) == ["acted on"]


@pytest.mark.parametrize("strategy", ["drop", "latest"])
async def test_an_event_that_is_throttled_is_set_aside(world: World, strategy: str) -> None:
    throttle = {"count": 1, "period": "10s", "strategy": strategy}
    async with world.running(timed(throttle=throttle)):
        for n in range(3):
            await world.publish("a", n=n)
        await world.at(100)

        expected = ["acted on", "set aside", "set aside"]
        if strategy == "latest":
            expected[2] = "acted on"
        assert await statuses(world) == expected
        assert await statuses(world, status="set aside") == ["set aside"] * expected.count(
            "set aside"
        )


async def test_an_event_that_is_a_duplicate_is_set_aside(world: World) -> None:
    depends = dependency("a", dedupe={"key": "k", "window": "1h"})
    async with world.running(timed(), dependencies=[depends]):
        await world.publish("a", k="same")
        await world.publish("a", k="same")

        assert await statuses(world) == ["acted on", "set aside"]


async def test_a_limit_leaves_the_newest(world: World) -> None:
    filtered = dependency("a", filters={"exprs": [{"expr": "n > 1", "fields": [NUMBER]}]})
    async with world.running(timed(), dependencies=[filtered]):
        for n in range(5):
            await world.publish("a", n=n)
            await world.clock.advance(60)

        assert await statuses(world, limit=4) == ["filtered", *["acted on"] * 3]
        assert await statuses(world, limit=1, status="filtered") == ["filtered"]
        async with opened(world) as buses:
            since = datetime.min.replace(tzinfo=UTC)
            twice = await trace.events(buses * 2, Wanted(), since=since, limit=3)
    assert [each.id for each in twice] == ["id4", "id5", "id5"]


async def try_again(world: World, sensor: SensorRunner) -> None:
    """Run the action of the only dead letter once more, as `tiphys.runtime.recovery` does."""
    letters = await DeadLetters.open(world.bus)
    (letter,) = [letter async for _, letter in letters.find(lambda _: True)]
    delivery = sensor.delivery("t")
    assert delivery is not None
    with contextlib.suppress(ActionFailed):
        await delivery.execution.runner.run(action_of(letter, {}))


@pytest.mark.parametrize("more", [{}, {"batch": {"count": 2, "period": "30s"}}])
async def test_an_event_whose_dead_letter_succeeds_at_last_is_acted_on(
    world: World, more: dict[str, Any]
) -> None:
    async with world.running(timed(**more)) as sensor:
        Timed.failing = {0, 1, None}
        ids = [await world.publish("a", n=n) for n in range(2 if more else 1)]
        await world.at(1)
        assert await statuses(world) == ["dead-lettered"] * len(ids)
        await try_again(world, sensor)
        assert await statuses(world) == ["dead-lettered"] * len(ids)
        Timed.failing = set()
        await try_again(world, sensor)
        assert all(world.steps(event)[-2:] == ["attempt failed", "succeeded"] for event in ids)

        assert await statuses(world) == ["acted on"] * len(ids)


async def test_an_event_that_nobody_did_anything_about_is_pending(world: World) -> None:
    await world.publish("a")

    assert await statuses(world) == ["pending"]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        # one trigger: the last step
        ([("t", "attempt failed", ACTION), ("t", "succeeded", ACTION)], "acted on"),
        ([("t", "succeeded", ACTION), ("t", "attempt failed", ACTION)], "failing"),
        ([("t", "dead-lettered", LETTER), ("t", "succeeded", ACTION)], "acted on"),
        ([("t", "dead-lettered", LETTER), ("t", "attempt failed", ACTION)], "dead-lettered"),
        ([("t", "dead-lettered", LETTER), ("t", "succeeded", OTHER)], "dead-lettered"),
        ([("t", "held", {"by": "debounce"}), ("t", "superseded", {})], "set aside"),
        ([("t", "held", {"by": "debounce"}), ("t", "dropped", {})], "set aside"),
        ([("t", "batched", {}), ("t", "held", {"by": "blackout"})], "waiting"),
        ([("t", "held", {"dependency": "a"})], "waiting"),
        ([("t", "held", {"dependency": "a"}), ("t", "expired", {"dependency": "a"})], "set aside"),
        (
            [("t", "held", {"dependency": "a"}), ("t", "forgotten", {"dependency": "a"})],
            "set aside",
        ),
        ([("t", "held", {"dependency": "a"}), ("t", "succeeded", ACTION)], "acted on"),
        # the fallback of an action, which shares its id
        (
            [
                ("t", "attempt failed", ACTION),
                ("dlq", "attempt failed", ACTION),
                ("t", "dead-lettered", LETTER),
                ("t", "succeeded", ACTION),
            ],
            "acted on",
        ),
        # a message that came again
        ([("t", "succeeded", ACTION), ("t", "duplicate", {})], "acted on"),
        ([("t", "held", {"dependency": "a"}), ("t", "duplicate", {})], "waiting"),
        # an event of two dependencies
        (
            [("t", "held", {"dependency": "a"}), ("t", "filtered", {"dependency": "b"})],
            "waiting",
        ),
        ([("t", "succeeded", ACTION), ("t", "filtered", {"dependency": "b"})], "acted on"),
        # several triggers: what says most
        ([("t", "succeeded", ACTION), ("u", "attempt failed", OTHER)], "failing"),
        ([("t", "dead-lettered", LETTER), ("u", "succeeded", OTHER)], "dead-lettered"),
        ([("t", "succeeded", ACTION), ("u", "filtered", {})], "acted on"),
        ([("t", "dropped", {}), ("u", "filtered", {})], "set aside"),
        ([("t", "held", {"by": "throttle"}), ("u", "dropped", {})], "waiting"),
        # others
        ([("t", "published", {})], "pending"),
        ([], "pending"),
    ],
)
def test_the_last_steps_make_the_status(steps: list[Step], expected: str) -> None:
    courses = trace.Courses()
    for trigger, step, details in steps:
        courses.step(Record(0.0, step, ("id",), "sn", trigger, details))  # type: ignore[arg-type]

    assert courses.status("id") == expected


async def test_a_time_line_is_of_one_event_only(world: World) -> None:
    for event in ("es:ev:1", "es:ev:10", "es:ev:2"):
        world.history.add("published", (event,), "es", "ev")
    world.history.add("succeeded", ("es:ev:10", "es:ev:2"), "sn", "t", action="1")
    async with opened(world) as buses:
        alone = await trace.trace(buses, "es:ev:1")
        both = await trace.trace(buses, "es:ev:2")
        several = "begin with 'es:ev': es:ev:1, es:ev:10, es:ev:2"
        with pytest.raises(TiphysError, match=several):
            await trace.trace(buses, "es:ev")

    assert [record.events for record in alone] == [("es:ev:1",)]
    assert [record.step for record in both] == ["published", "succeeded"]


@pytest.mark.parametrize("unknown", ["nothing", ""])
async def test_a_time_line_of_nothing_is_an_error(world: World, unknown: str) -> None:
    world.history.add("published", ("id",), "es", "ev")
    async with opened(world) as buses:
        with pytest.raises(ManifestError):
            await trace.trace(buses, unknown)
