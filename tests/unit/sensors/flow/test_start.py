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


@pytest.mark.parametrize("join", [{}, {"conditionsJoin": {"key": "k", "window": "1h"}}])
async def test_another_start_brings_pairs_back_as_well(world: World, join: dict[str, Any]) -> None:
    def dependencies(**more: Any) -> list[dict[str, Any]]:
        return [dependency("a", **more), dependency("b", **more)]

    async with world.running(timed("a && b", **join), dependencies=dependencies()):
        for n in (1, 2):
            await world.publish("a", k=1, n=n)
            await world.publish("b", k=1, n=n)
    again = dependencies(startFrom="all")
    for _ in range(2):  # and once only
        async with world.running(timed("a && b", **join), dependencies=again):
            await world.clock.settle()

    acted = [acted.data["a"]["n"] for acted in world.acted]
    assert acted[:2] == [1, 2]
    assert acted[2:]
    assert len(acted) <= 4


async def test_what_comes_back_of_one_dependency_joins_what_is_new_of_the_other(
    world: World,
) -> None:
    async with world.running(timed("a && b")):
        await world.publish("a", n=1)
        await world.publish("b", n=1)
    async with world.running(
        timed("a && b"), dependencies=[dependency("a", startFrom="all"), dependency("b")]
    ):
        await world.publish("b", n=2)

    pairs = [(acted.data["a"]["n"], acted.data["b"]["n"]) for acted in world.acted]
    assert pairs == [(1, 1), (1, 2)]


@pytest.mark.parametrize("flow", [{}, {"debounce": {"period": "1s"}}])
async def test_a_trigger_that_is_removed_and_made_again_is_new(
    world: World, flow: dict[str, Any]
) -> None:
    other = timed(name="other")
    await published(world)
    async with world.running(timed(), other, **starting("all")):
        await world.clock.settle()
    async with world.running(other, **starting("all")):
        await world.clock.settle()
    assert await world.kept("") == []
    world.acted.clear()
    async with world.running(timed(**flow), other, **starting("all")):
        await world.clock.advance(10)

    assert [a.data["a"]["n"] for a in world.acted] == [0, 1, 2, 3, 4]


async def test_changed_conditions_do_not_bring_the_past_back(world: World) -> None:
    await published(world)
    names = [dependency("a", startFrom="all"), dependency("b", startFrom="all")]
    async with world.running(timed("a"), dependencies=names):
        await world.clock.settle()
    async with world.running(timed("a || b"), dependencies=names):
        await world.clock.settle()

    assert [a.data["a"]["n"] for a in world.acted] == [0, 1, 2, 3, 4]


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
