"""Filters of a dependency as a manifest has them (spec: sensors 5 and 18)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance._engine import SCRIPTS, run
from tiphys.events import JSON, CloudEvent
from tiphys.manifests.sensor import SensorSpec
from tiphys.sensors.event import Event
from tiphys.sensors.filters import Verdict
from tiphys.sensors.plan import plan_dependencies

NEW_YORK = {"start": "09:00:00", "stop": "17:00:00", "timezone": "America/New_York"}
NIGHT = {**NEW_YORK, "start": "22:00:00", "stop": "06:00:00"}
BASE64 = "{{ b64dec .Input | upper }}"


def judged(
    filters: dict[str, Any] | None, data: str | None, operator: str = "", **context: str
) -> Verdict:
    """What the filter of a sensor's only dependency says about an event with *data*."""
    dependency = {"name": "d", "eventSourceName": "es", "eventName": "ev", "filters": filters}
    dependency["filtersLogicalOperator"] = operator
    compiled = plan_dependencies(SensorSpec.model_validate({"dependencies": [dependency]}))
    event = CloudEvent(
        id="id",
        source="es",
        subject="ev",
        type="webhook",
        time=context.get("time", "2024-05-06T13:30:00Z"),
        datacontenttype=JSON,
        data=None if data is None else data.encode(),
    )
    filter = compiled["d"].filter
    return Verdict(True) if filter is None else run(filter.evaluate(Event(event), SCRIPTS))


def entry(path: str, type: str, *values: str, **more: str) -> dict[str, Any]:
    return {"path": path, "type": type, "value": list(values), **more}


def expr(text: str, **fields: str) -> dict[str, Any]:
    return {"expr": text, "fields": [{"name": n, "path": p} for n, p in fields.items()]}


@pytest.mark.parametrize(
    ("data", "entries", "passed"),
    [
        ('{"k":"v"}', [entry("k", "string", "v")], True),
        ('{"k":"v"}', [entry("k", "string", "v", comparator="=")], True),
        ('{"k":"v"}', [entry("k", "string", "b", comparator="!=")], True),
        ('{"k":"1.0"}', [entry("k", "number", "1.0")], True),
        ('{"k":"2.0"}', [entry("k", "number", "1.0", comparator=">")], True),
        ('{"k":"2.0"}', [entry("k", "number", "1.0", comparator="<=")], False),
        ('{"k":1.0}', [entry("k", "number", "1.0", comparator="!=")], False),
        ('{"k":true}', [entry("k", "string", "v"), entry("k", "bool", "true")], False),
        (
            '{"a":"x","b":2,"c":true}',
            [
                entry("a", "string", "y", "x"),
                entry("b", "number", "1", "2"),
                entry("c", "bool", "false", "true"),
            ],
            True,
        ),
        ('{"k":5}', [entry("k", "number", "5", "abc")], True),
        ('{"k":null}', [entry("k", "string", "^$")], True),
        ('{"k":null}', [entry("k", "string", "null")], False),
        ('{"k":"v"}', [entry("k", "string", "a", comparator=">")], False),
        ('{"k":true}', [entry("k", "bool", "true", comparator="!=")], True),
        ('{"tags":["a"]}', [entry('tags.#(=="gamma")#', "string", r"^\[\]$")], True),
    ],
)
def test_a_data_filter_compares_as_its_type_says(
    data: str, entries: list[dict[str, Any]], passed: bool
) -> None:
    verdict = judged({"data": entries}, data)

    assert (verdict.passed, verdict.error) == (passed, "")


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ('[k,k1.a.#(k2=="v2").k2]', r"\bv\b.*\bv2\b"),
        ("[k,x,,y]", r'^\["v","w","z"\]$'),
    ],
)
def test_a_data_filter_compares_several_values_at_once_and_ignores_an_empty_slot(
    path: str, pattern: str
) -> None:
    data = '{"k":"v","x":"w","y":"z","k1":{"a":[{"k2":"v1"},{"k2":"v2"}]}}'

    assert judged({"data": [entry(path, "string", pattern)]}, data).passed


@pytest.mark.parametrize(
    ("data", "compared"),
    [
        ("aGVsbG8gd29ybGQ=", entry("k", "string", "^HELLO WORLD$", template=BASE64)),
        (
            "My4xNA==",
            entry("k", "number", "3.13", comparator=">", template="{{ b64dec .Input }}"),
        ),
        # The function gives the text of an error instead of an error.
        (
            "no base64",
            entry("k", "string", "hello world", comparator="!=", template="{{ b64dec .Input }}"),
        ),
    ],
)
def test_a_template_decodes_base64_before_the_comparison(
    data: str, compared: dict[str, Any]
) -> None:
    verdict = judged({"data": [compared]}, f'{{"k":"{data}"}}')

    assert (verdict.passed, verdict.error) == (True, "")


@pytest.mark.parametrize(
    ("data", "filters"),
    [
        ("a", {"data": [entry("k", "string", "v")]}),
        ('{"k":"v"}', {"data": [entry("", "string", "v")]}),
        ('{"k":"v"}', {"data": [entry("k", "", "v")]}),
        ('{"k":"v"}', {"data": [entry("k", "string")]}),
        ('{"k":5}', {"data": [entry("k", "number", "abc", "5")]}),
        ('{"k":"v"}', {"exprs": [expr('k !== "x"', k="k")]}),
        ('{"k":"v"}', {"exprs": [expr('my-field == "v"', **{"my-field": "k"})]}),
        ('{"k":"v"}', {"exprs": [expr('a == "x" && b == "v"', a="k", b="gone")]}),
        ('{"k":"v"}', {"script": "if then"}),
        ('{"k":"v"}', {"script": "return nothing.there"}),
    ],
)
def test_what_cannot_be_applied_drops_the_event_with_an_error(
    data: str, filters: dict[str, Any]
) -> None:
    verdict = judged(filters, data)

    assert not verdict.passed
    assert verdict.error


@pytest.mark.parametrize(
    ("text", "passed"),
    [
        ('b == "b"', True),
        ('b == "c"', False),
        ('b =~ "b"', True),
        ('b !~ "b"', False),
        ("d + 1", False),
        ("t", True),
        ('[my-field] == "b"', True),
    ],
)
def test_an_expression_passes_only_with_the_boolean_true(text: str, passed: bool) -> None:
    fields = {"b": "a.b", "d": "a.d", "t": "t", "my-field": "a.b"}

    verdict = judged({"exprs": [expr(text, **fields)]}, '{"a":{"b":"b","d":1},"t":true}')

    assert (verdict.passed, verdict.error) == (passed, "")


@pytest.mark.parametrize(
    ("operator", "first", "passed", "error"),
    [
        ("or", "c", False, "expr filter errors [path 'a.c' does not exist]"),
        ("or", "b", True, ""),
        ("and", "c", False, ""),
        ("and", "b", False, "expr filter error (path 'a.c' does not exist)"),
    ],
)
def test_an_expression_decides_before_a_missing_path_behind_it(
    operator: str, first: str, passed: bool, error: str
) -> None:
    exprs = [expr(f'b == "{first}"', b="a.b"), expr('c == "c"', c="a.c")]

    verdict = judged({"exprs": exprs, "exprLogicalOperator": operator}, '{"a":{"b":"b"}}')

    assert (verdict.passed, verdict.error) == (passed, error)


@pytest.mark.parametrize("operator", ["", "and", "or"])
def test_an_error_drops_the_event_whatever_else_passes(operator: str) -> None:
    filters = {"context": {"source": "es"}, "data": [entry("gone", "string", "v")]}

    verdict = judged(filters, '{"k":"v"}', operator)

    assert not verdict.passed
    assert verdict.error == "data filter error (path 'gone' does not exist)"


def test_without_data_only_what_looks_at_data_is_passed_over() -> None:
    filters = {"data": [entry("k", "string", "v")], "exprs": [expr("k", k="k")], "script": "no"}

    assert judged(filters, None).passed
    assert not judged({**filters, "context": {"source": "other"}}, None).passed


@pytest.mark.parametrize(
    ("start", "stop", "inside", "outside"),
    [
        ("08:09:10", "16:17:18", ["08:09:10"], ["16:17:18"]),
        (
            "16:17:18",
            "08:09:10",
            ["00:00:00", "04:05:06", "16:17:18", "20:21:22"],
            ["08:09:10", "12:13:14"],
        ),
    ],
)
def test_a_window_has_its_start_and_not_its_end(
    start: str, stop: str, inside: list[str], outside: list[str]
) -> None:
    filters = {"time": {"start": start, "stop": stop}}

    passed = {
        at: judged(filters, "{}", time=f"2024-05-06T{at}Z").passed for at in [*inside, *outside]
    }

    assert passed == {**dict.fromkeys(inside, True), **dict.fromkeys(outside, False)}


@pytest.mark.parametrize(
    ("window", "time", "passed"),
    [
        (NEW_YORK, "2024-07-15T14:00:00Z", True),
        (NEW_YORK, "2024-07-15T12:00:00Z", False),
        (NEW_YORK, "2024-07-15T22:00:00Z", False),
        (NEW_YORK, "2024-01-15T15:00:00Z", True),
        (NIGHT, "2024-07-15T02:00:00Z", True),
        ({"start": "00:00:00", "stop": "01:00:00"}, "", True),
    ],
)
def test_a_window_lies_in_its_zone(window: dict[str, str], time: str, passed: bool) -> None:
    assert judged({"time": window}, "{}", time=time).passed is passed


@pytest.mark.parametrize("time", ["10:10", "09:09:0"])
def test_a_time_of_day_has_two_digits_for_minutes_and_seconds(time: str) -> None:
    for window in ({"start": time, "stop": "17:00:00"}, {"start": "01:00:00", "stop": time}):
        assert judged({"time": window}, "{}").error.startswith("time filter error")


@pytest.mark.parametrize(
    ("script", "passed"),
    [
        ('if event.k == "v" then return true else return false end', True),
        ('if event.k == "x" then return true else return false end', False),
        ("return true, false", False),
    ],
)
def test_a_script_passes_with_its_last_value(script: str, passed: bool) -> None:
    verdict = judged({"script": script}, '{"k":"v"}')

    assert (verdict.passed, verdict.error) == (passed, "")


def test_or_counts_only_the_kinds_that_are_there() -> None:
    filters = {"exprs": [expr('k == "x"', k="k")], "data": [entry("k", "string", "x")]}

    assert not judged(filters, '{"k":"v"}', "or").passed


EMPTY: list[dict[str, Any]] = [
    {},
    {"exprs": []},
    {"data": []},
    {"exprs": [], "data": []},
    {"context": None},
    {"time": None},
    {"script": ""},
]


@pytest.mark.parametrize("empty", EMPTY)
@pytest.mark.parametrize("operator", ["", "and"])
def test_what_is_empty_lets_every_event_pass_under_and(
    empty: dict[str, Any], operator: str
) -> None:
    assert judged(empty, '{"k":"v"}', operator).passed


@pytest.mark.parametrize("empty", EMPTY)
def test_what_is_empty_is_not_there_under_or(empty: dict[str, Any]) -> None:
    false, true = {"script": "return false"}, {"script": "return true"}

    assert not judged(empty, '{"k":"v"}', "or").passed
    assert not judged({**empty, **false}, '{"k":"v"}', "or").passed
    assert judged({**empty, **true}, '{"k":"v"}', "or").passed


def test_no_filters_at_all_let_every_event_pass() -> None:
    assert judged(None, '{"k":"v"}', "or").passed
