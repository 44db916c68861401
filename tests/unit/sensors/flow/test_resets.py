"""``conditionsReset``: held events are forgotten at times of a schedule (spec: sensors 13.6)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.sensors.flow.conftest import World
from tiphys.observe.history import Record, decode


def resetting(cron: str = "* * * * *", conditions: str = "a && b", **more: Any) -> dict[str, Any]:
    """A trigger on both that forgets what it holds, every minute unless told otherwise."""
    reset = [{"byTime": {"cron": cron}}]
    template = {"name": "t", "conditions": conditions, "conditionsReset": reset, "timed": {}}
    return {"template": template, **more}


async def history(world: World, event_id: str) -> list[Record]:
    """What the history says of an event."""
    bodies: list[bytes] = []

    async def write(body: bytes) -> None:
        bodies.append(body)

    await world.history.flush(write)
    return [record for body in bodies for record in decode(body, event_id)]


@pytest.mark.parametrize("flow", [{}, {"debounce": {"period": "1s"}}])
async def test_a_tick_forgets_what_is_held_and_the_history_tells(
    world: World, flow: dict[str, Any]
) -> None:
    async with world.running(resetting(**flow)):
        await world.at(50)
        first = await world.publish("a", n=1)
        await world.at(61)
        await world.publish("b", n=2)
        await world.at(70)
        assert world.acted == []
        await world.publish("a", n=3)
        await world.at(80)

    assert [acted.data for acted in world.acted] == [{"a": {"n": 3}, "b": {"n": 2}}]
    held, forgotten = await history(world, first)
    assert (held.step, forgotten.step, forgotten.part) == ("held", "forgotten", "t")
    assert forgotten.details == {"dependency": "a", "reason": "the conditions were reset"}


async def test_a_tick_forgets_what_is_held_under_every_key(world: World) -> None:
    join = {"conditionsJoin": {"key": "id", "window": "1h"}}
    async with world.running(resetting(**join)):
        await world.at(50)
        ids = [await world.publish("a", id=id) for id in range(2)]
        await world.at(61)
        await world.publish("b", id=1)

    assert world.acted == []
    assert [world.steps(id) for id in ids] == [["held", "forgotten"]] * 2


async def test_a_tick_that_holds_nothing_is_no_step(world: World) -> None:
    async with world.running(resetting()):
        await world.publish("a", n=1)
        second = await world.publish("b", n=2)
        await world.at(200)

    assert [record.step for record in await history(world, second)] == ["succeeded"]


async def test_a_tick_that_was_missed_while_nothing_ran_is_made_good_at_the_start(
    world: World,
) -> None:
    async with world.running(resetting()):
        await world.at(50)
        first = await world.publish("a", n=1)
    await world.at(70)
    async with world.running(resetting()):
        await world.publish("b", n=2)

    assert world.acted == []
    assert world.steps(first) == ["held", "forgotten"]


async def test_what_came_after_the_last_tick_survives_a_restart(world: World) -> None:
    async with world.running(resetting()):
        await world.at(61)
        await world.publish("a", n=1)
    await world.at(110)
    async with world.running(resetting()):
        await world.publish("b", n=2)

    assert len(world.acted) == 1


async def test_a_reset_that_is_cut_off_goes_on_later_and_tells_of_every_event(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world.running(resetting(conditions="a && b && c"), dependencies=_three()):
        await world.at(50)
        ids = [await world.publish(name, n=1) for name in "ab"]
        state = await world.bus.state("sn")
        delete = state.delete

        async def breaking(key: str) -> None:
            await delete(key)
            world.bus.connected = False

        with monkeypatch.context() as patch:
            patch.setattr(state, "delete", breaking)
            await world.at(65)
        world.bus.connected = True
        await world.at(75)

        assert [world.steps(id) for id in ids] == [["held", "forgotten"]] * 2
        assert await world.kept("a") + await world.kept("b") == []


def _three() -> list[dict[str, Any]]:
    return [{"name": name, "eventSourceName": name, "eventName": "ev"} for name in "abc"]
