"""Where a new trigger begins in the events of the past."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.unit.sensors.flow.conftest import World, dependency, timed
from tiphys.manifests.flow import start_moment

NOW = datetime(2026, 1, 2, tzinfo=UTC)


async def published(world: World) -> None:
    """Five events, a minute apart, before any sensor runs."""
    for n in range(5):
        await world.publish("a", n=n)
        await world.at(60 * (n + 1))


def starting(text: str, **more: Any) -> dict[str, Any]:
    """The dependencies of a sensor."""
    return {"dependencies": [dependency("a", startFrom=text, **more)]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("new", []),
        ("all", [0, 1, 2, 3, 4]),
        ("2m", [3, 4]),
        ("2026-01-01T00:02:30Z", [3, 4]),
        ("2026-01-01T02:02:00+02:00", [2, 3, 4]),
    ],
)
async def test_a_new_trigger_begins_where_it_is_told(
    world: World, text: str, expected: list[int]
) -> None:
    await published(world)
    async with world.running(timed(), **starting(text)):
        await world.clock.settle()

    assert [a.data["a"]["n"] for a in world.acted] == expected


async def test_it_goes_on_where_it_was_after_a_restart(world: World) -> None:
    await published(world)
    for _ in range(2):
        async with world.running(timed(), **starting("all")):
            await world.clock.settle()

    assert len(world.acted) == 5


async def test_a_changed_dependency_does_not_bring_the_past_back(world: World) -> None:
    await published(world)
    async with world.running(timed(), **starting("all")):
        await world.clock.settle()
    async with world.running(timed(), **starting("all", filtersLogicalOperator="or")):
        await world.publish("a", n=9)

    assert [a.data["a"]["n"] for a in world.acted] == [0, 1, 2, 3, 4, 9]


async def test_another_start_does(world: World) -> None:
    await published(world)
    async with world.running(timed(), **starting("1m")):
        await world.clock.settle()
    async with world.running(timed(), **starting("2m")):
        await world.clock.settle()

    assert [a.data["a"]["n"] for a in world.acted] == [4, 3, 4]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("new", None),
        ("24h", NOW - timedelta(hours=24)),
        ("1.5s", NOW - timedelta(seconds=1.5)),
        ("all", datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_starts_can_be_written_in_several_ways(text: str, moment: datetime | None) -> None:
    assert start_moment(text, NOW) == moment


@pytest.mark.parametrize("text", ["yesterday", "-1h", "0s", "2026-01-01T00:00:00", "1d"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"`{text}`"):
        start_moment(text, NOW)
