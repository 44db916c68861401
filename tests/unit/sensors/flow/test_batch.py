"""Batch: one action for several events."""

from __future__ import annotations

import json

import pytest

from tests.unit.sensors.flow.conftest import Timed, World, timed


async def test_a_full_batch_acts_at_once_with_the_data_of_all(world: World) -> None:
    async with world.running(timed(batch={"count": 3, "period": "1m"})):
        ids = [await world.publish("a", n=n) for n in range(4)]
        await world.at(1)

        assert [(a.at, a.data) for a in world.acted] == [
            (0, {"a": {"events": [{"n": 0}, {"n": 1}, {"n": 2}], "count": 3}})
        ]
        assert "succeeded" in world.steps(ids[0])
        assert world.steps(ids[2]) == ["batched", "succeeded"]
        assert world.steps(ids[3]) == ["held"]
        assert world.unsettled() == 0


async def test_a_batch_that_is_not_full_acts_when_its_period_is_over(world: World) -> None:
    async with world.running(timed(batch={"count": 3, "period": "1m"})):
        await world.publish("a", n=1)
        await world.at(50)
        await world.publish("a", n=2)
        await world.at(59.999)
        assert world.acted == []
        await world.at(60)

        assert [a.data["a"]["count"] for a in world.acted] == [2]
        assert await world.kept() == []


async def test_batches_are_collected_by_key(world: World) -> None:
    async with world.running(timed(batch={"count": 2, "period": "1m", "key": "k"})):
        for n in range(4):
            await world.publish("a", n=n, k=n % 2)

    numbers = [[event["n"] for event in a.data["a"]["events"]] for a in world.acted]
    assert numbers == [[0, 2], [1, 3]]


async def test_a_batch_is_collected_over_a_restart(world: World) -> None:
    trigger = timed(batch={"count": 3, "period": "1m"})
    async with world.running(trigger):
        await world.publish("a", n=1)
        await world.publish("a", n=2)
    async with world.running(trigger):
        await world.publish("a", n=3)
        await world.clock.settle()

    assert [a.data["a"]["count"] for a in world.acted] == [3]


async def test_a_batch_cut_off_by_a_crash_acts_again_as_the_same_action(world: World) -> None:
    trigger = timed(batch={"count": 3, "period": "1m"})
    Timed.takes = 5.0
    spec = {"dependencies": [{"name": "a", "eventSourceName": "a", "eventName": "ev"}]}
    sensor = await world.start({**spec, "triggers": [trigger]})
    for n in range(3):
        await world.publish("a", n=n)
    assert len(world.acted) == 1
    await world.kill(sensor)
    async with world.running(trigger, dependencies=spec["dependencies"]):
        await world.at(200)

    assert len(Timed.ended) == 1
    assert len({a.id for a in world.acted}) == 1
    assert world.unsettled() == 0


async def test_the_data_of_a_batch_is_limited(world: World) -> None:
    text = "x" * 100_000
    async with world.running(timed(batch={"count": 100, "period": "1m"})):
        for n in range(5):
            await world.publish("a", n=n, text=text)
        await world.at(100)

    assert [a.data["a"]["count"] for a in world.acted] == [2, 2, 1]


async def test_a_dead_letter_of_a_batch_names_every_event_and_holds_all_data(world: World) -> None:
    Timed.failing = {None}  # type: ignore[arg-type]  # a batch has no member n
    async with world.running(timed(batch={"count": 2, "period": "1m"})):
        ids = [await world.publish("a", n=n) for n in range(2)]
        await world.at(1)

    (letter,) = await world.dead_letters()
    assert "dead-lettered" in world.steps(ids[0])
    assert "dead-lettered" in world.steps(ids[1])
    assert letter["events"]["a"]["datacontenttype"] == "application/json"


@pytest.mark.parametrize(
    ("content_type", "data", "expected"),
    [
        ("application/json", b'{"a": 1.50}', "1.50"),
        ("application/yaml", b"a: 1", '"a":1'),
        ("text/plain", b"plain", '"plain"'),
        ("application/json", b"{broken", '"{broken"'),
    ],
)
def test_data_of_any_type_has_its_place(content_type: str, data: bytes, expected: str) -> None:
    from datetime import UTC, datetime

    from tiphys.events import CloudEvent
    from tiphys.sensors.flow.batch import merged
    from tiphys.sensors.flow.item import Item

    event = CloudEvent("1", "a", "ev", "t", datacontenttype=content_type, data=data)
    item = Item("1.0", datetime(2026, 1, 1, tzinfo=UTC), 1, {"a": event})

    body = (merged([item]).events["a"].data or b"").decode()

    assert json.loads(body)["count"] == 1
    assert expected in body
