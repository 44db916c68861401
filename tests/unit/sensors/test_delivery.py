"""From the bus to actions: order, concurrency, acknowledgement, conditions, dead letters."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from tests.unit.sensors.conftest import Recording, Sensors, dependency, recorder, until
from tiphys.observe import logs
from tiphys.sensors.runner import RESERVED


@pytest.fixture
def written(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """What is logged, in the format that is the parameter, otherwise as JSON."""
    stream, root = io.StringIO(), logging.getLogger()
    handlers, level = list(root.handlers), root.level
    logs.set_up(getattr(request, "param", "json"), "debug", stream)
    structlog.configure(cache_logger_on_first_use=False)  # as loggers live longer than this test
    (ours,) = root.handlers
    root.handlers[:] = [*handlers, ours]
    yield stream
    root.removeHandler(ours)
    root.setLevel(level)
    logging.getLogger("argo-events").setLevel(logging.NOTSET)
    structlog.reset_defaults()


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    """The log lines so far."""
    return [json.loads(line) for line in written.getvalue().splitlines()]


async def test_an_event_becomes_an_action(sensors: Sensors, recording: Recording) -> None:
    async with sensors.running({"dependencies": [dependency("a")], "triggers": [recorder()]}):
        await sensors.publish("a", {"n": 1})
        await recording.wait(1)

    assert recording.payloads == [{"a": "1"}]


async def test_each_trigger_gets_every_event(sensors: Sensors, recording: Recording) -> None:
    triggers = [recorder("one"), recorder("two")]
    async with sensors.running({"dependencies": [dependency("a")], "triggers": triggers}):
        for n in range(5):
            await sensors.publish("a", {"n": n})
        await recording.wait(10)

    assert sorted(f.trigger for f in recording.firings) == ["one"] * 5 + ["two"] * 5


async def test_a_filtered_event_is_acknowledged_and_acts_not(
    sensors: Sensors, recording: Recording
) -> None:
    filters = {"data": [{"path": "n", "type": "number", "comparator": ">", "value": ["1"]}]}
    spec = {"dependencies": [dependency("a", filters=filters)], "triggers": [recorder()]}
    async with sensors.running(spec):
        await sensors.publish("a", {"n": 1})
        await sensors.publish("a", {"n": 2})
        await recording.wait(1)
        await until(lambda: sensors.bus.unsettled("sn", "t", "a") == 0)

    assert recording.payloads == [{"a": "2"}]


async def test_absent_at_least_once_acts_concurrently_and_acknowledges_afterwards(
    sensors: Sensors, recording: Recording
) -> None:
    recording.hold = asyncio.Event()
    async with sensors.running({"dependencies": [dependency("a")], "triggers": [recorder()]}):
        for n in range(10):
            await sensors.publish("a", {"n": n})
        await until(lambda: recording.running == 10)

        assert sensors.bus.unsettled("sn", "t", "a") == 10
        recording.hold.set()
        await until(lambda: sensors.bus.unsettled("sn", "t", "a") == 0)


async def test_at_least_once_acts_one_at_a_time_in_stream_order(
    sensors: Sensors, recording: Recording
) -> None:
    spec = {"dependencies": [dependency("a")], "triggers": [recorder(atLeastOnce=True)]}
    async with sensors.running(spec):
        for n in range(20):
            await sensors.publish("a", {"n": n})
        await recording.wait(20)

    assert [payload["a"] for payload in recording.payloads] == [str(n) for n in range(20)]
    assert recording.most_running == 1


@pytest.mark.parametrize(("options", "strict"), [({"atLeastOnce": False}, False), ({}, True)])
async def test_at_most_once_an_action_cut_off_by_a_stop_is_not_repeated_and_told(
    sensors: Sensors,
    recording: Recording,
    written: io.StringIO,
    options: dict[str, Any],
    strict: bool,
) -> None:
    recording.hold = asyncio.Event()
    spec = {"dependencies": [dependency("a")], "triggers": [recorder(**options)]}
    async with sensors.running(spec, strict=strict):
        event = await sensors.publish("a", {"n": 1})
        await until(lambda: recording.running == 1)
    async with sensors.running(spec, strict=strict):
        await until(lambda: sensors.bus.unsettled("sn", "t", "a") == 0)

    assert (recording.attempts, recording.firings) == (1, [])
    (warning,) = [line for line in lines(written) if line["level"] == "warn"]
    assert (warning["msg"], warning["eventIDs"]) == ("An action is not repeated", [event])


async def test_an_action_cut_off_by_a_stop_runs_again_after_a_start(
    sensors: Sensors, recording: Recording
) -> None:
    recording.hold = asyncio.Event()
    spec = {"dependencies": [dependency("a")], "triggers": [recorder()]}
    async with sensors.running(spec):
        await sensors.publish("a", {"n": 1})
        await until(lambda: recording.running == 1)
    assert recording.firings == []
    recording.hold = None
    async with sensors.running(spec):
        await recording.wait(1)

    assert recording.payloads == [{"a": "1"}]


async def test_a_stop_lets_running_actions_end(sensors: Sensors, recording: Recording) -> None:
    recording.hold = asyncio.Event()
    spec = {"dependencies": [dependency("a")], "triggers": [recorder()]}
    async with sensors.running(spec):
        await sensors.publish("a", {"n": 1})
        await until(lambda: recording.running == 1)
        asyncio.get_running_loop().call_later(0.1, recording.hold.set)

    assert recording.payloads == [{"a": "1"}]
    assert sensors.bus.unsettled("sn", "t", "a") == 0


async def test_an_event_that_comes_twice_acts_once(sensors: Sensors, recording: Recording) -> None:
    async with sensors.running({"dependencies": [dependency("a")], "triggers": [recorder()]}):
        await sensors.publish("a", {"n": 1}, "same")
        await recording.wait(1)
        again = sensors.bus.published[0].encode()
        sensors.bus.events().store("default.a.ev", again, None)  # past the duplicate window
        await sensors.publish("a", {"n": 2}, "other")
        await recording.wait(2)

    assert recording.payloads == [{"a": "1"}, {"a": "2"}]


async def test_and_waits_for_both_and_takes_the_newest(
    sensors: Sensors, recording: Recording
) -> None:
    spec = {
        "dependencies": [dependency("a"), dependency("b")],
        "triggers": [recorder(conditions="a && b")],
    }
    async with sensors.running(spec):
        await sensors.publish("a", {"n": 1})
        await sensors.publish("a", {"n": 2})
        await until(lambda: sensors.bus.unsettled("sn", "t", "a") == 0)
        await sensors.publish("b", {"n": 3})
        await recording.wait(1)
        await sensors.publish("b", {"n": 4})
        await until(lambda: sensors.bus.unsettled("sn", "t", "b") == 0)

    assert recording.payloads == [{"a": "2", "b": "3"}]


async def test_and_survives_a_restart_between_its_events(
    sensors: Sensors, recording: Recording
) -> None:
    spec = {
        "dependencies": [dependency("a"), dependency("b")],
        "triggers": [recorder(conditions="a && b")],
    }
    async with sensors.running(spec):
        await sensors.publish("a", {"n": 1})
        await until(lambda: sensors.bus.unsettled("sn", "t", "a") == 0)
    async with sensors.running(spec):
        await sensors.publish("b", {"n": 2})
        await recording.wait(1)

    assert recording.payloads == [{"a": "1", "b": "2"}]


async def test_a_firing_cut_off_by_a_stop_has_the_same_events_and_id_when_it_runs_again(
    sensors: Sensors, recording: Recording
) -> None:
    spec = {
        "dependencies": [dependency("a"), dependency("b")],
        "triggers": [recorder(conditions="a && b")],
    }
    recording.hold = asyncio.Event()
    async with sensors.running(spec):
        await sensors.publish("a", {"n": 1})
        await until(lambda: sensors.bus.unsettled("sn", "t", "a") == 0)
        await sensors.publish("b", {"n": 2})
        await until(lambda: recording.running == 1)
    recording.hold = None
    async with sensors.running(spec):
        await sensors.publish("a", {"n": 9})
        await recording.wait(1)

    assert recording.payloads == [{"a": "1", "b": "2"}]


async def test_or_fires_for_each_and_leaves_out_what_did_not_come(
    sensors: Sensors, recording: Recording
) -> None:
    spec = {
        "dependencies": [dependency("a"), dependency("b")],
        "triggers": [recorder(conditions="a || b")],
    }
    async with sensors.running(spec):
        await sensors.publish("a", {"n": 1})
        await sensors.publish("b", {"n": 2})
        await recording.wait(2)

    assert sorted(recording.payloads, key=str) == [{"a": "1"}, {"b": "2"}]


async def test_one_event_of_two_dependencies_joined_by_and_fires_once(
    sensors: Sensors, recording: Recording
) -> None:
    second = {**dependency("b"), "eventSourceName": "a"}
    spec = {"dependencies": [dependency("a"), second], "triggers": [recorder(conditions="a && b")]}
    async with sensors.running(spec):
        await sensors.publish("a", {"n": 1})
        await recording.wait(1)

    assert recording.payloads == [{"a": "1", "b": "1"}]


async def test_a_failed_action_is_tried_again_as_its_strategy_says(
    sensors: Sensors, recording: Recording
) -> None:
    trigger = recorder(block={"fail": 2}, retryStrategy={"steps": 3, "duration": "1ms"})
    async with sensors.running({"dependencies": [dependency("a")], "triggers": [trigger]}):
        await sensors.publish("a", {"n": 1})
        await recording.wait(1)

    assert recording.attempts == 3
    assert await sensors.dead_letters() == []


@pytest.mark.parametrize("at_least_once", [True, False, None])
async def test_an_action_that_failed_for_good_becomes_a_dead_letter_and_is_acknowledged(
    sensors: Sensors, recording: Recording, at_least_once: bool | None
) -> None:
    trigger = recorder(
        block={"fail": 9},
        retryStrategy={"steps": 2, "duration": "1ms"},
        atLeastOnce=at_least_once,
    )
    async with sensors.running({"dependencies": [dependency("a")], "triggers": [trigger]}):
        event = await sensors.publish("a", {"n": 7})
        await until(lambda: recording.attempts == 2)
        await until(lambda: sensors.bus.unsettled("sn", "t", "a") == 0)

    (letter,) = await sensors.dead_letters()
    assert (letter["sensor"], letter["trigger"], letter["attempts"]) == ("sn", "t", 2)
    assert letter["error"] == "failure number 2"
    assert letter["events"]["a"]["id"] == event
    assert letter["payload"] == '{"a":"7"}'


async def test_the_dlq_trigger_runs_after_the_last_attempt_with_the_same_events(
    sensors: Sensors, recording: Recording
) -> None:
    trigger = recorder(
        block={"fail": 9}, atLeastOnce=True, dlqTrigger=recorder("dlq", atLeastOnce=True)
    )
    async with sensors.running({"dependencies": [dependency("a")], "triggers": [trigger]}):
        await sensors.publish("a", {"n": 7})
        await recording.wait(1)

    assert recording.firings[0].trigger == "dlq"
    assert recording.payloads == [{"a": "7"}]
    assert len(await sensors.dead_letters()) == 1


@pytest.mark.parametrize("at_least_once", [True, None])
async def test_an_unforeseen_error_of_the_dlq_trigger_costs_neither_dead_letter_nor_order(
    sensors: Sensors, recording: Recording, at_least_once: bool | None
) -> None:
    broken = recorder("dlq", block={"bug": True}, atLeastOnce=True)
    trigger = recorder(block={"fail": 1}, atLeastOnce=at_least_once, dlqTrigger=broken)
    spec = {"dependencies": [dependency("a")], "triggers": [trigger]}
    async with sensors.running(spec):
        pass
    for n in range(3):
        await sensors.publish("a", {"n": n})
    async with sensors.running(spec):
        await recording.wait(2)
        await until(lambda: sensors.bus.unsettled("sn", "t", "a") == 0)

    assert recording.payloads == [{"a": "1"}, {"a": "2"}]
    (letter,) = await sensors.dead_letters()
    assert letter["error"] == "failure number 1"


async def test_an_error_that_trying_again_cannot_mend_ends_the_attempts(
    sensors: Sensors, recording: Recording
) -> None:
    trigger = recorder(
        block={"fail": 9, "final": True}, retryStrategy={"steps": 5, "duration": "1ms"}
    )
    async with sensors.running({"dependencies": [dependency("a")], "triggers": [trigger]}):
        await sensors.publish("a", {"n": 1})
        await until(lambda: recording.attempts > 0)
        await until(lambda: sensors.bus.unsettled("sn", "t", "a") == 0)

    assert recording.attempts == 1
    (letter,) = await sensors.dead_letters()
    assert letter["attempts"] == 1


async def test_a_status_that_the_policy_does_not_allow_is_a_failure(
    sensors: Sensors, recording: Recording
) -> None:
    trigger = recorder(block={"status": 500}, policy={"status": {"allow": [200]}})
    async with sensors.running({"dependencies": [dependency("a")], "triggers": [trigger]}):
        await sensors.publish("a", {"n": 7})
        await recording.wait(1)
        await until(lambda: sensors.bus.unsettled("sn", "t", "a") == 0)

    (letter,) = await sensors.dead_letters()
    assert "http response status 500 is not allowed" in letter["error"]


async def test_a_dead_letter_is_stored_before_the_acknowledgement_however_long_the_bus_is_away(
    sensors: Sensors, recording: Recording
) -> None:
    recording.hold = asyncio.Event()
    spec = {"dependencies": [dependency("a")], "triggers": [recorder(block={"fail": 9})]}
    async with sensors.running(spec):
        await sensors.publish("a", {"n": 7})
        await until(lambda: recording.running == 1)
        sensors.bus.connected = False
        recording.hold.set()
        await asyncio.sleep(0.2)
        sensors.bus.connected = True
        await until(lambda: sensors.bus.unsettled("sn", "t", "a") == 0)

    assert len(await sensors.dead_letters()) == 1


async def test_a_broken_trigger_is_reported_and_the_others_run(
    sensors: Sensors, recording: Recording
) -> None:
    triggers = [
        recorder("broken", conditions="a && nobody"),
        {"template": {"name": "unknown", "noSuchType": {}}},
        recorder("good"),
    ]
    async with sensors.running({"dependencies": [dependency("a")], "triggers": triggers}) as sensor:
        await sensors.publish("a", {"n": 1})
        await recording.wait(1)

        assert sensor.statuses["broken"].phase == "broken"
        assert "nobody" in sensor.statuses["broken"].error
        assert sensor.statuses["unknown"].phase == "broken"
        assert sensor.statuses["good"].phase == "running"


async def test_a_script_without_its_engine_breaks_the_trigger_and_drops_no_events(
    sensors: Sensors, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lupa", None)
    monkeypatch.setitem(sys.modules, "jq", None)
    dependencies = [
        dependency("a", filters={"script": "return true"}),
        dependency("b", transform={"jq": "."}),
        dependency("c"),
    ]
    triggers = [
        recorder("filters", conditions="a"),
        recorder("transforms", conditions="b"),
        recorder("good", conditions="c"),
    ]
    async with sensors.running({"dependencies": dependencies, "triggers": triggers}) as sensor:
        errors = {name: status.error for name, status in sensor.statuses.items()}

    assert "pip install 'tiphys[lupa]'" in errors["filters"]
    assert "pip install 'tiphys[jq]'" in errors["transforms"]
    assert not errors["good"]


async def test_a_message_that_is_no_event_is_dropped_and_the_next_ones_pass(
    sensors: Sensors, recording: Recording
) -> None:
    async with sensors.running({"dependencies": [dependency("a")], "triggers": [recorder()]}):
        sensors.bus.events().store("default.a.ev", b"not json", None)
        await sensors.publish("a", {"n": 1})
        await recording.wait(1)

    assert recording.payloads == [{"a": "1"}]


async def test_template_and_resource_parameters_change_the_block(
    sensors: Sensors, recording: Recording
) -> None:
    source = {"dependencyName": "a", "dataKey": "n"}
    trigger = recorder(
        block={"url": "http://x/", "parameters": [{"src": source, "dest": "url"}]},
        parameters=[{"src": source, "dest": "recorder.status"}],
    )
    trigger["parameters"][0]["src"] = {**source, "useRawData": True}
    trigger["template"]["recorder"]["parameters"][0]["operation"] = "append"
    async with sensors.running({"dependencies": [dependency("a")], "triggers": [trigger]}):
        await sensors.publish("a", {"n": 201})
        await recording.wait(1)

    config = recording.firings[0].config
    assert (config.url, config.status) == ("http://x/201", 201)


async def test_the_same_events_give_the_same_action_id_and_others_another(
    sensors: Sensors, recording: Recording
) -> None:
    spec = {"dependencies": [dependency("a")], "triggers": [recorder()]}
    async with sensors.running(spec):
        await sensors.publish("a", {"n": 1}, "one")
        await recording.wait(1)
        await sensors.publish("a", {"n": 1}, "two")
        await recording.wait(2)

    assert len({f.action_id for f in recording.firings}) == 2
    assert all(len(f.action_id) == 32 for f in recording.firings)


async def test_logging_fields_are_on_every_line_of_the_sensor(
    sensors: Sensors, recording: Recording, written: io.StringIO
) -> None:
    spec = {
        "dependencies": [dependency("a")],
        "triggers": [recorder(block={"fail": 1}), {"template": {"name": "u", "noSuchType": {}}}],
        "loggingFields": {"team": "blue", "sensorName": "forged", "triggerName": "forged"},
    }
    async with sensors.running(spec):
        for n in range(2):
            await sensors.publish("a", {"n": n})
        await recording.wait(1)
        await until(lambda: sensors.bus.unsettled("sn", "t", "a") == 0)

    found = lines(written)
    assert {line["msg"] for line in found} >= {
        "A trigger cannot run",
        "Sensor started.",
        "Failed to execute a trigger",
        "An action failed for good and is kept as a dead letter",
        "Successfully processed trigger 't'",
    }
    assert {(line["team"], line["sensorName"]) for line in found} == {("blue", "sn")}
    told = {line["triggerName"] for line in found if line["msg"] != "Sensor started."}
    assert told == {"t", "u"}


@pytest.mark.parametrize("written", ["json", "human"], indirect=True)
@pytest.mark.parametrize("key", sorted(RESERVED))
async def test_logging_fields_of_any_name_leave_the_lines_as_they_are(
    sensors: Sensors, recording: Recording, written: io.StringIO, key: str
) -> None:
    spec = {
        "dependencies": [dependency("a")],
        "triggers": [recorder(block={"bug": True})],
        "loggingFields": {key: "forged"},
    }
    async with sensors.running(spec):
        await sensors.publish("a", {"n": 1})
        await until(lambda: "kept as a dead letter" in written.getvalue())

    text = written.getvalue()
    assert "forged" not in text
    assert "Sensor started." in text
    assert "RuntimeError: a bug" in text


async def test_warnings_and_errors_name_the_event_and_never_have_its_data(
    sensors: Sensors, recording: Recording, written: io.StringIO
) -> None:
    number = {"data": [{"path": "n", "type": "number", "comparator": ">", "value": ["1"]}]}
    expression = {"exprs": [{"expr": "n > 1", "fields": [{"name": "n", "path": "n"}]}]}
    dependencies = [
        dependency("a"),
        {**dependency("b", filters=number), "eventSourceName": "a"},
        {**dependency("c", filters=expression), "eventSourceName": "a"},
        {**dependency("d", filters={"script": "error('x')"}), "eventSourceName": "a"},
        {**dependency("e", transform={"jq": ".n | tonumber"}), "eventSourceName": "a"},
    ]
    missing = [{"src": {"dependencyName": "a", "dataKey": "nothing"}, "dest": "url"}]
    triggers = [
        recorder("t", conditions="a", block={"fail": 9}),
        recorder("u", conditions="a", block={"bug": True}),
        recorder("v", conditions="a", block={"parameters": missing}),
        *(recorder(f"on-{name}", conditions=name) for name in "bcde"),
    ]
    async with sensors.running({"dependencies": dependencies, "triggers": triggers}) as sensor:
        assert {status.phase for status in sensor.statuses.values()} == {"running"}
        sensors.bus.events().store("default.a.ev", b"hush, this is no event", None)
        await sensors.publish("a", {"n": "text", "card": "hush"})
        for trigger, plan in (("t", "a"), *((f"on-{name}", name) for name in "bcde")):
            await until(lambda t=trigger, d=plan: sensors.bus.unsettled("sn", t, d) == 0)  # type: ignore[misc]
        await until(lambda: written.getvalue().count("kept as a dead letter") == 3)

    found = [line for line in lines(written) if line["level"] in ("warn", "error")]
    assert {line["msg"] for line in found} >= {
        "Failed to convert to a cloudevent, discarding it",
        "Event discarded due to filtering error",
        "Failed to execute a trigger",
        "An action failed for an unexpected reason",
        "An action failed for good and is kept as a dead letter",
    }
    assert [line for line in found if "hush" in json.dumps(line)] == []
    about = [line for line in found if line["msg"] == "Event discarded due to filtering error"]
    assert {(line["eventID"], line["dependencyName"]) for line in about} == {
        *(("id1", name) for name in "cde")
    }
    assert all(line["error"] for line in about)
