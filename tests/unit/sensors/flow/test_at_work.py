"""Messages at work: who has them, and what becomes of them when something goes wrong."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.unit.sensors.flow.conftest import Timed, Told, World, timed
from tiphys.errors import TiphysError
from tiphys.observe.history import Step
from tiphys.sensors.event import Event
from tiphys.sensors.state import Position


class Faulty(Told):
    """A history with a bug: the first dead letters are too much for it."""

    faults = 1

    def add(
        self, step: Step, events: tuple[str, ...], owner: str, part: str, **details: Any
    ) -> None:
        if step == "dead-lettered" and self.faults:
            self.faults -= 1
            raise RuntimeError("a bug")
        super().add(step, events, owner, part, **details)


async def pass_seconds(world: World, count: int) -> None:
    """Let time pass step by step: a trigger that starts again goes to sleep in between."""
    for _ in range(count):
        await world.clock.advance(1)


def numbers(world: World) -> list[Any]:
    """The number of each action's event."""
    return [acted.data["a"]["n"] for acted in world.acted]


@pytest.mark.parametrize("more", [{}, {"atLeastOnce": True}, {"orderBy": "k"}])
async def test_an_action_that_takes_long_is_not_given_to_another_replica(
    world: World, more: dict[str, Any]
) -> None:
    Timed.takes = 200.0
    async with world.running(timed(**more), replicas=2), world.running(timed(**more), replicas=2):
        await world.publish("a", n=1)
        await world.at(190)
        assert (len(world.acted), world.unsettled()) == (1, 1)
        await world.at(400)

        assert (len(world.acted), world.unsettled()) == (1, 0)


async def test_at_most_once_nothing_acts_before_it_is_claimed(
    world: World,
) -> None:
    trigger = timed("a || b", atLeastOnce=False, concurrency=1)
    async with world.running(trigger):
        Timed.takes = 10.0
        await world.publish("a", n=1)
        await world.publish("b", n=2)  # waits for its turn, when the link breaks
        await world.at(5)
        world.bus.connected = False
        await world.at(15)
        assert (len(world.acted), len(Timed.ended)) == (1, 1)
        world.bus.connected = True
        await world.at(60)

    assert [acted.data for acted in world.acted] == [{"a": {"n": 1}}, {"b": {"n": 2}}]


@pytest.mark.parametrize("replicas", [None, 1, 0, -1])
async def test_less_than_one_replica_counts_as_one_that_keeps_the_order_after_a_crash(
    world: World, replicas: int | None
) -> None:
    Timed.takes = 10.0
    spec = {
        "dependencies": [{"name": "a", "eventSourceName": "a", "eventName": "ev"}],
        "triggers": [timed(atLeastOnce=True)],
        "replicas": replicas,
    }
    sensor = await world.start(spec)
    await world.publish("a", n=0)
    await world.at(5)
    await world.kill(sensor)
    await world.publish("a", n=1)
    sensor = await world.start(spec)
    await world.at(100)
    await sensor.stop()

    assert numbers(world) == [0, 0, 1]


async def test_a_message_that_fails_for_an_unforeseen_reason_acts_again(world: World) -> None:
    world.history = Faulty(world.metrics)
    Timed.failing = {0}
    async with world.running(timed()):
        for n in range(3):
            await world.publish("a", n=n)
        await world.at(100)

        assert numbers(world) == [0, 1, 2, 0]
        assert world.unsettled() == 0
    assert len(await world.dead_letters()) == 1


@pytest.mark.parametrize("faults", [1, 2])
async def test_in_order_nothing_overtakes_a_message_that_fails_for_an_unforeseen_reason(
    world: World, faults: int
) -> None:
    history = Faulty(world.metrics)
    history.faults = faults
    world.history = history
    Timed.failing = {1}
    async with world.running(timed(atLeastOnce=True)) as sensor:
        await sensor.pause()
        for n in range(40):  # more than are fetched at once
            await world.publish("a", n=n)
        await sensor.resume()
        await pass_seconds(world, 100)

        assert numbers(world) == [0, *[1] * (faults + 1), *range(2, 40)]
        assert world.unsettled() == 0
        assert sensor.statuses["t"].phase == "running"
    assert len(await world.dead_letters()) == 1


async def test_in_order_nothing_overtakes_a_message_that_fails_after_a_pause(world: World) -> None:
    world.history = Faulty(world.metrics)
    Timed.takes, Timed.failing = 10.0, {0}
    async with world.running(timed(atLeastOnce=True)) as sensor:
        for n in range(3):
            await world.publish("a", n=n)
        await world.at(5)
        await sensor.pause()
        await sensor.resume()
        await world.clock.settle()
        await pass_seconds(world, 100)

    assert numbers(world) == [0, 0, 1, 2]


async def test_a_message_on_which_no_decision_can_be_made_is_overtaken_by_none(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world.running(timed(atLeastOnce=True)) as sensor:
        delivery = sensor.delivery("t")
        assert delivery is not None
        decide, faults = delivery.decisions.decide, [RuntimeError("a bug")]

        async def faulty(*arguments: Any) -> Any:
            await asyncio.sleep(0)
            if faults:
                raise faults.pop()
            return await decide(*arguments)

        monkeypatch.setattr(delivery.decisions, "decide", faulty)
        for n in range(3):
            await world.publish("a", n=n)
        await pass_seconds(world, 10)

    assert numbers(world) == [0, 1, 2]


@pytest.mark.parametrize("more", [{}, {"atLeastOnce": True}, {"orderBy": "k"}])
async def test_a_trigger_that_has_stopped_does_nothing_that_is_asked_of_it(
    world: World, more: dict[str, Any]
) -> None:
    async with world.running(timed(**more)) as sensor:
        delivery = sensor.delivery("t")
        assert delivery is not None
    asked: list[int] = []

    async def act() -> None:
        asked.append(1)

    with pytest.raises(TiphysError, match="the sensor stopped before everything was done"):
        await delivery.in_turn({}, act)
    assert asked == []


@pytest.mark.parametrize(
    "more", [{}, {"atLeastOnce": True}, {"debounce": {"period": "1s", "key": "n"}}]
)
async def test_an_event_on_which_no_decision_can_ever_be_made_becomes_a_dead_letter(
    world: World, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any]
) -> None:
    async with world.running(timed(**more)) as sensor:
        delivery = sensor.delivery("t")
        assert delivery is not None
        decide = delivery.decisions.decide

        async def faulty(event: Event, position: Position) -> Any:
            if b'"n": 0' in (event.cloud_event.data or b""):
                raise RuntimeError("a bug")
            return await decide(event, position)

        monkeypatch.setattr(delivery.decisions, "decide", faulty)
        event = await world.publish("a", n=0)
        for n in range(1, 3):
            await world.publish("a", n=n)
        await pass_seconds(world, 200)

        assert set(numbers(world)) == {1, 2}
        assert world.unsettled() == 0
        assert sensor.statuses["t"].phase == "running"
    (letter,) = await world.dead_letters()
    assert letter["error"] == "unforeseen RuntimeError: a bug"
    assert letter["events"]["a"]["id"] == event
