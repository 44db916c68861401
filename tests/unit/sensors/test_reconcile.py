"""A changed manifest forgets what it does not mean any more (spec: sensors 12.4)."""

from __future__ import annotations

from typing import Any

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
    await hold(sensors, "a", 1, spec())
    other = {**spec(), "triggers": [recorder("other", conditions="a && b")]}
    async with sensors.running(other):
        state = await sensors.bus.state("sn")
        keys = await state.keys("t/")

    assert keys == []


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
