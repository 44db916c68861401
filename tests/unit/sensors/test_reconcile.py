"""A changed manifest forgets what it does not mean any more (spec: sensors 12.4)."""

from __future__ import annotations

import asyncio
import copy
import sys
from typing import Any

import pytest

from tests.unit.sensors.conftest import Recording, Sensors, dependency, recorder, until


def spec(
    conditions: str = "a && b", b: dict[str, Any] | None = None, names: str = "ab"
) -> dict[str, Any]:
    dependencies = [dependency(name) for name in names if name != "b"]
    dependencies.append(b or dependency("b"))
    return {"dependencies": dependencies, "triggers": [recorder(conditions=conditions)]}


async def hold(sensors: Sensors, source: str, number: int, before: dict[str, Any]) -> None:
    """Leave an event waiting in a sensor that is stopped then."""
    async with sensors.running(before):
        await sensors.publish(source, {"n": number})
        await until(lambda: sensors.bus.unsettled("sn", "t", source) == 0)


async def held(sensors: Sensors, dependency: str) -> None:
    """Wait until an event is held."""
    state = await sensors.bus.state("sn")
    async with asyncio.timeout(5):
        while await state.get(f"t/{dependency}") is None:
            await asyncio.sleep(0.005)


async def test_a_change_elsewhere_keeps_what_waits(sensors: Sensors, recording: Recording) -> None:
    await hold(sensors, "a", 1, spec())
    after = spec()
    after["triggers"][0]["retryStrategy"] = {"steps": 3}
    async with sensors.running(after):
        await sensors.publish("b", {"n": 2})
        await recording.wait(1)

    assert recording.payloads == [{"a": "1", "b": "2"}]


async def test_a_changed_dependency_forgets_its_own_event_and_position(
    sensors: Sensors, recording: Recording
) -> None:
    filters = {"data": [{"path": "n", "type": "number", "value": ["0"], "comparator": ">"}]}
    await hold(sensors, "b", 1, spec())
    await sensors.publish("b", {"n": 2})
    async with sensors.running(spec(b=dependency("b", filters=filters))):
        await sensors.publish("a", {"n": 3})
        await until(lambda: sensors.bus.unsettled("sn", "t", "a") == 0)
        assert recording.payloads == []
        await sensors.publish("b", {"n": 4})
        await recording.wait(1)

    assert recording.payloads == [{"a": "3", "b": "4"}]


async def test_changed_conditions_forget_everything_of_the_trigger(
    sensors: Sensors, recording: Recording
) -> None:
    await hold(sensors, "a", 1, spec())
    async with sensors.running(spec("b && a")):
        await sensors.publish("b", {"n": 2})
        await until(lambda: sensors.bus.unsettled("sn", "t", "b") == 0)
        assert recording.payloads == []
        await sensors.publish("a", {"n": 3})
        await recording.wait(1)

    assert recording.payloads == [{"a": "3", "b": "2"}]


async def test_empty_conditions_stand_for_all_dependencies_when_they_change(
    sensors: Sensors, recording: Recording
) -> None:
    await hold(sensors, "a", 1, spec(""))
    async with sensors.running(spec("a && b")):
        await sensors.publish("b", {"n": 2})
        await until(lambda: sensors.bus.unsettled("sn", "t", "b") == 0)

    assert recording.payloads == []


async def test_a_removed_trigger_leaves_nothing_behind(
    sensors: Sensors, recording: Recording
) -> None:
    async with sensors.running(spec()):
        await sensors.publish("a", {"n": 1})
        await sensors.publish("b", {"n": 2})
        await recording.wait(1)
        await sensors.publish("a", {"n": 3})
        await held(sensors, "a")
    state = await sensors.bus.state("sn")
    assert await state.keys("t/") == ["t/=through", "t/Expression", "t/a"]
    other = {**spec(), "triggers": [recorder("other", conditions="a && b")]}
    async with sensors.running(other):
        assert await state.keys("t/") == []


async def test_a_subscription_to_an_awaited_event_goes_with_its_trigger(
    sensors: Sensors, recording: Recording
) -> None:
    trigger = recorder(conditions="a", absence={"dependency": "b", "after": "1h"})
    async with sensors.running({**spec(), "triggers": [trigger]}):
        pass
    await sensors.publish("b", {"n": 1})
    async with sensors.running({**spec(), "triggers": [recorder("other", conditions="a")]}):
        pass
    async with sensors.running({**spec(), "triggers": [recorder(conditions="b")]}):
        await sensors.publish("b", {"n": 2})
        await recording.wait(1)

    assert recording.payloads == [{"b": "2"}]


async def cut_off(sensors: Sensors, recording: Recording) -> list[str]:
    """Stop a sensor in the middle of an action; returns the keys of what it is about."""
    recording.hold = asyncio.Event()
    async with sensors.running(spec()):
        await sensors.publish("a", {"n": 1})
        await held(sensors, "a")
        await sensors.publish("b", {"n": 2})
        await until(lambda: recording.running == 1)
    recording.hold = None
    return await (await sensors.bus.state("sn")).keys("t/=firing/")


async def test_changed_conditions_forget_an_action_that_was_cut_off(
    sensors: Sensors, recording: Recording
) -> None:
    assert len(await cut_off(sensors, recording)) == 1
    async with sensors.running(spec("a || b")):
        state = await sensors.bus.state("sn")
        assert await state.keys("t/") == ["t/Expression"]


@pytest.mark.parametrize("changed", ["nothing", "a"])
async def test_an_action_that_was_cut_off_is_done_when_its_message_comes_again(
    sensors: Sensors, recording: Recording, changed: str
) -> None:
    assert len(await cut_off(sensors, recording)) == 1
    after = spec()
    if changed == "a":
        after["dependencies"][0]["transform"] = {"jq": "."}
    async with sensors.running(after):
        await recording.wait(1)

    assert recording.payloads == [{"a": "1", "b": "2"}]


async def test_the_state_of_argo_events_is_taken_over(
    sensors: Sensors, recording: Recording
) -> None:
    """The keys and values are those of its bucket."""
    state = await sensors.bus.state("sn")
    held = (
        b'{"StreamSeq":0,"ConsumerSeq":3,"Timestamp":"2026-01-01T00:00:00Z","Event":'
        b'{"specversion":"1.0","id":"old","source":"a","type":"webhook","subject":"ev",'
        b'"datacontenttype":"application/json","data":{"n":41}}}'
    )
    async with sensors.running(spec()):
        pass
    await state.put("t/a", held)
    async with sensors.running(spec()):
        await sensors.publish("b", {"n": 2})
        await recording.wait(1)

    assert recording.payloads == [{"a": "41", "b": "2"}]


async def hold_in_two(sensors: Sensors, before: dict[str, Any]) -> None:
    """Leave an event of ``a`` waiting and one of ``b`` in the backlog of a sensor that stopped."""
    await hold(sensors, "a", 1, before)
    await sensors.publish("b", {"n": 2})


@pytest.mark.parametrize("starts", [1, 2])
@pytest.mark.parametrize("broken", ["conditions", "rate", "dependency", "extra"])
async def test_a_broken_trigger_keeps_what_waits_and_its_backlog_until_it_is_mended(
    sensors: Sensors,
    recording: Recording,
    monkeypatch: pytest.MonkeyPatch,
    broken: str,
    starts: int,
) -> None:
    right = spec(b=dependency("b", transform={"jq": "."}))
    await hold_in_two(sensors, right)
    wrong = copy.deepcopy(right)
    if broken == "conditions":
        wrong["triggers"] = [recorder(conditions="a && nobody")]
    if broken == "rate":
        wrong["triggers"][0]["rateLimit"] = {"requestsPerUnit": 0}
    if broken == "dependency":
        wrong["dependencies"][1]["transform"]["jq"] = "("
    wrong["triggers"].append(recorder("other", conditions="a"))
    with monkeypatch.context() as patch:
        if broken == "extra":
            patch.setitem(sys.modules, "jq", None)
        for _ in range(starts):
            async with sensors.running(wrong) as sensor:
                assert sensor.statuses["t"].phase == "broken"
    async with sensors.running(right):
        await recording.wait(1)

    assert recording.payloads == [{"a": "1", "b": "2"}]


async def test_what_changed_while_a_trigger_was_broken_is_forgotten_when_it_is_mended(
    sensors: Sensors, recording: Recording
) -> None:
    await hold_in_two(sensors, spec())
    filters = {"data": [{"path": "n", "type": "number", "value": ["0"], "comparator": ">"}]}
    changed = spec("a && b", b=dependency("b", filters=filters))
    async with sensors.running(changed | {"triggers": [recorder(conditions="a && nobody")]}):
        pass
    async with sensors.running(changed):
        await sensors.publish("b", {"n": 3})
        await recording.wait(1)
    async with sensors.running(changed):  # and only once
        await sensors.publish("b", {"n": 4})
        await until(lambda: sensors.bus.unsettled("sn", "t", "b") == 0)
    async with sensors.running(changed):
        await sensors.publish("a", {"n": 5})
        await recording.wait(2)

    assert recording.payloads == [{"a": "1", "b": "3"}, {"a": "5", "b": "4"}]


async def test_a_trigger_that_is_mended_with_other_conditions_forgets_everything(
    sensors: Sensors, recording: Recording
) -> None:
    await hold_in_two(sensors, spec())
    async with sensors.running(spec("a && nobody")):
        pass
    async with sensors.running(spec("b && a")):
        await sensors.publish("b", {"n": 3})
        await until(lambda: sensors.bus.unsettled("sn", "t", "b") == 0)

    assert recording.payloads == []


async def test_a_broken_trigger_that_is_removed_leaves_nothing_behind(
    sensors: Sensors, recording: Recording
) -> None:
    await hold_in_two(sensors, spec())
    async with sensors.running(spec("a && nobody")):
        pass
    async with sensors.running({**spec(), "triggers": [recorder("other", conditions="a && b")]}):
        state = await sensors.bus.state("sn")
        keys = await state.keys("t/")

    assert keys == []
