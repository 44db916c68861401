"""What a Sensor must say, in the words that Argo Events uses."""

from __future__ import annotations

import pytest

from tests.unit.manifests._support import findings, sensor, sensor_errors, told

DEPENDENCY = "{name: push, eventSourceName: hooks, eventName: push}"


def with_filters(filters: str, more: str = "") -> list[tuple[str, str]]:
    dependency = f"{DEPENDENCY[:-1]}, filters: {filters}{more}}}"
    return sensor_errors(f"[{dependency}]")


def test_a_sensor_needs_dependencies_and_triggers() -> None:
    assert sensor_errors("[]", "[]") == [
        ("dependencies", "no event dependencies found"),
        ("triggers", "no triggers found"),
    ]


def test_a_dependency_needs_its_three_names() -> None:
    assert sensor_errors("[{}]") == [
        ("dependencies[0].name", "event dependency must define a name"),
        ("dependencies[0].eventSourceName", "event dependency must define the EventSourceName"),
        ("dependencies[0].eventName", "event dependency must define the EventName"),
    ]


@pytest.mark.parametrize(
    ("filters", "path", "message"),
    [
        (
            "{exprLogicalOperator: xor}",
            ".exprLogicalOperator",
            "logical operator xor not supported",
        ),
        ("{dataLogicalOperator: OR}", ".dataLogicalOperator", "logical operator OR not supported"),
        (
            "{exprs: [{expr: '', fields: [{name: a, path: b}]}]}",
            ".exprs[0]",
            "one of expr filters is not valid (expr and fields must be not empty)",
        ),
        (
            "{exprs: [{expr: a == 1, fields: [{name: a}]}]}",
            ".exprs[0].fields[0]",
            "one of expr filters is not valid (path and name in a field must be not empty)",
        ),
        (
            "{data: [{path: a, type: string, value: [b], comparator: '=='}]}",
            ".data[0].comparator",
            "comparator == not supported",
        ),
        (
            "{data: [{path: a, value: [b]}]}",
            ".data[0]",
            "one of data filters is not valid (type, path and value must be not empty)",
        ),
        (
            "{data: [{path: a, type: string, value: [b, '']}]}",
            ".data[0].value[1]",
            "one of data filters is not valid (value must be not empty)",
        ),
        (
            "{context: {id: a}}",
            ".context",
            "no fields specified in ctx filter (aka all events will be discarded)",
        ),
        (
            "{time: {start: '01:00:00', stop: '02:00:00', timezone: Mars}}",
            ".time.timezone",
            "invalid timezone 'Mars': unknown time zone Mars",
        ),
        (
            "{time: {start: '24:00:00', stop: '02:00:00'}}",
            ".time.start",
            'parsing time "24:00:00": hour out of range',
        ),
        (
            "{time: {start: '2:00:00', stop: '02:00:00.0'}}",
            ".time",
            "invalid event time filter: stop '02:00:00.0' is equal to start '2:00:00",
        ),
        (
            "{data: [{path: a, type: fake, value: [b]}]}",
            ".data[0].type",
            "there is no type `fake`; `string`, `number` or `bool`",
        ),
        (
            "{data: [{path: a, type: number, value: ['1', x]}]}",
            ".data[0].value[1]",
            "`x` is not a number",
        ),
        (
            "{data: [{path: a, type: bool, value: [maybe]}]}",
            ".data[0].value[0]",
            "`maybe` is not a boolean",
        ),
        (
            "{data: [{path: a, type: string, value: ['('], comparator: '='}]}",
            ".data[0].value[0]",
            "this regular expression does not compile: error parsing regexp: missing closing ): "
            "`(` (at character 1)",
        ),
        (
            "{data: [{path: a, type: string, value: [b], comparator: '<'}]}",
            ".data[0].comparator",
            "no text passes `<`; only `=` and `!=` do here",
        ),
    ],
)
def test_a_filter_that_cannot_work_is_an_error(filters: str, path: str, message: str) -> None:
    assert with_filters(filters) == [(f"dependencies[0].filters{path}", message)]


def test_the_operator_between_filters_is_checked() -> None:
    assert with_filters("{}", ", filtersLogicalOperator: nor") == [
        ("dependencies[0].filtersLogicalOperator", "logical operator nor not supported")
    ]


def test_empty_filters_and_odd_clocks_are_fine() -> None:
    assert with_filters("{}") == []
    assert with_filters("{time: {start: '9:00:00', stop: '17:00:00.5', timezone: EST}}") == []


def test_expressions_that_do_not_compile_are_errors() -> None:
    ((path, message),) = with_filters("{exprs: [{expr: 'a ==', fields: [{name: a, path: b}]}]}")

    assert path == "dependencies[0].filters.exprs[0].expr"
    assert message.startswith("this expression does not compile: ")


def test_names_of_expressions_need_fields() -> None:
    assert with_filters("{exprs: [{expr: a == c && c > 1, fields: [{name: a, path: b}]}]}") == [
        ("dependencies[0].filters.exprs[0].expr", "no field gives `c` a value")
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("return (", "this script does not compile: "),
        ("return 1", ""),
    ],
)
def test_scripts_must_compile(text: str, message: str) -> None:
    errors = with_filters(f"{{script: '{text}'}}")

    assert [path for path, _ in errors] == (["dependencies[0].filters.script"] if message else [])
    assert all(found.startswith(message) for _, found in errors)


def test_a_missing_engine_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)

    found = findings(sensor(f"[{DEPENDENCY[:-1]}, filters: {{script: return true}}}}]"))

    assert found[-1].message == "this script needs the module 'lupa', which is not installed"
    assert found[-1].hint == "run: pip install 'tiphys[lupa]'"


def test_a_comparator_without_effect_and_a_script_that_never_runs_are_warnings() -> None:
    found = findings(
        sensor(
            f"[{DEPENDENCY[:-1]}, transform: {{jq: ., script: return event}}, filters: "
            "{data: [{path: a, type: bool, value: ['true'], comparator: '!='}]}}]"
        )
    )

    assert [f.message for f in found if f.severity == "warning"][-2:] == [
        "`!=` has no effect on booleans",
        "`script` is never run, because there is a `jq`",
    ]


def test_two_dependencies_with_one_name_are_a_warning() -> None:
    found = findings(sensor(f"[{DEPENDENCY}, {DEPENDENCY}]"))

    assert (
        "warning",
        "spec.dependencies[1].name",
        "dependency 0 has the name `push` too; only the last one counts",
    ) in told(found)


def test_on_nats_streaming_an_event_is_used_by_one_dependency_only() -> None:
    bus = (
        "apiVersion: argoproj.io/v1alpha1\nkind: EventBus\nmetadata: {name: default}\n"
        "spec: {nats: {native: {}}}\n---\n"
    )
    other = DEPENDENCY.replace("name: push", "name: other", 1)
    text = sensor(f"[{DEPENDENCY}, {other}]")
    message = (
        "event 'push' from EventSource 'hooks' is referenced for more than one dependency in this "
        "Sensor object"
    )

    assert ("error", "spec.dependencies[1]", message) in told(findings(bus + text))
    assert message not in [found for _, _, found in told(findings(text))]
