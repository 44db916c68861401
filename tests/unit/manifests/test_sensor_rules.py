"""What a Sensor must say, in the words that Argo Events uses."""

from __future__ import annotations

import pytest

from tests.unit.manifests._support import findings, sensor, sensor_errors, told

DEPENDENCY = "{name: push, eventSourceName: hooks, eventName: push}"


def with_filters(filters: str, more: str = "") -> list[tuple[str, str]]:
    dependency = f"{DEPENDENCY[:-1]}, filters: {filters}{more}}}"
    return sensor_errors(f"[{dependency}]")


def with_trigger(trigger: str) -> list[tuple[str, str]]:
    return sensor_errors(f"[{DEPENDENCY}]", f"[{trigger}]")


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
            "`(` (line 1, column 1)",
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


def test_names_that_cannot_be_keys_on_the_bus_are_errors() -> None:
    errors = sensor_errors(
        "[{name: a b, eventSourceName: hooks, eventName: push}]",
        "[{template: {name: 'x*', http: {url: a}}}]",
    )

    assert [path for path, _ in errors] == ["dependencies[0].name", "triggers[0].template.name"]


@pytest.mark.parametrize(
    ("trigger", "path", "message"),
    [
        ("{}", "template", "trigger template can't be nil"),
        ("{template: {http: {url: a}}}", "template.name", "trigger must define a name"),
        (
            "{template: {name: t, http: {url: a}, conditionsReset: [{}]}}",
            "template.conditionsReset[0]",
            "invalid conditionsReset",
        ),
        (
            "{template: {name: t, http: {url: a}, conditionsReset: [{byTime: {cron: '@daily'}}]}}",
            "template.conditionsReset[0].byTime.cron",
            'invalid cron expression "@daily"',
        ),
        (
            "{template: {name: t, http: {url: a}, conditionsReset: "
            "[{byTime: {cron: '* * * * *', timezone: Mars}}]}}",
            "template.conditionsReset[0].byTime.timezone",
            'invalid timezone "Mars"',
        ),
        (
            "{template: {name: t, k8s: {}}, policy: {k8s: {}}}",
            "policy.k8s",
            "resource labels are not specified",
        ),
        (
            "{template: {name: t, http: {url: a}}, policy: {status: {}}}",
            "policy.status",
            "list of allowed response status is not specified",
        ),
        (
            "{template: {name: t, http: {url: a}}, parameters: [{dest: b}]}",
            "parameters[0]",
            "template parameter index: 0. err: parameter source can't be empty",
        ),
        (
            "{template: {name: t, http: {url: a}}, parameters: [{src: {dataKey: c}, dest: b}]}",
            "parameters[0]",
            "template parameter index: 0. err: parameter dependency name can't be empty",
        ),
        (
            "{template: {name: t, http: {url: a, parameters: [{src: {dependencyName: push}}]}}}",
            "template.http.parameters[0]",
            "template t is invalid, resource parameter index: 0. err: parameter destination can't "
            "be empty",
        ),
        (
            "{template: {name: t, k8s: {parameters: "
            "[{src: {dependencyName: push}, dest: a, operation: add}]}}}",
            "template.k8s.parameters[0]",
            "trigger for template t is invalid, resource parameter index: 0. err: parameter "
            "operation add is invalid",
        ),
        (
            "{template: {name: t, kafka: {payload: [{src: {dependencyName: push}}]}}}",
            "template.kafka.payload[0]",
            "template t is invalid, payload index: 0. err: parameter destination can't be empty",
        ),
        (
            "{template: {name: t, http: {}}}",
            "template.http",
            "template t is invalid, server URL is not specified",
        ),
        (
            "{template: {name: t, http: {url: a}}, dlqTrigger: "
            "{atLeastOnce: true, template: {name: d, http: {url: a}}}}",
            "atLeastOnce",
            "to use dlqTrigger, trigger.atLeastOnce must be set to true",
        ),
        (
            "{atLeastOnce: true, template: {name: t, http: {url: a}}, dlqTrigger: "
            "{template: {name: d, http: {url: a}}}}",
            "dlqTrigger.atLeastOnce",
            "atLeastOnce must be set to true within the dlqTrigger",
        ),
        (
            "{atLeastOnce: true, template: {name: t, http: {url: a}}, dlqTrigger: "
            "{atLeastOnce: true, template: {http: {url: a}}}}",
            "dlqTrigger.template.name",
            "trigger must define a name",
        ),
        (
            "{template: {name: t, conditions: pish, http: {url: a}}}",
            "template.conditions",
            "there is no dependency `pish`; did you mean `push`? (line 1, column 1)",
        ),
        (
            "{template: {name: t, http: {url: a, parameters: "
            "[{src: {dependencyName: pusch, dataKey: a}, dest: b}]}}}",
            "template.http.parameters[0].src.dependencyName",
            "there is no dependency `pusch`; did you mean `push`?",
        ),
        ("{template: {name: t}}", "template", "the template says nothing to do"),
        (
            "{template: {name: t, http: }}",
            "template.http",
            "`http` is empty, which counts as absent",
        ),
        (
            "{template: {name: t, http: {url: a}, log: {}}}",
            "template.log",
            "`log` is never used, because `http` comes first",
        ),
        (
            "{template: {name: t, http: {url: 5}}}",
            "template.http.url",
            "`url` must be a text, but is the number `5`",
        ),
        (
            "{template: {name: t, http: []}}",
            "template.http",
            "this must be a mapping, but is an empty list",
        ),
        (
            "{template: {name: t, http: {url: a}}, rateLimit: {}}",
            "rateLimit.requestsPerUnit",
            "`requestsPerUnit` must be at least 1",
        ),
        (
            "{template: {name: t, http: {url: a}}, rateLimit: {unit: minute, requestsPerUnit: 1}}",
            "rateLimit.unit",
            "there is no unit `minute`; did you mean `Minute`?",
        ),
        (
            "{template: {name: t, http: {url: a}}, retryStrategy: {duration: '10'}}",
            "retryStrategy.duration",
            '`duration` is not valid: time: missing unit in duration "10"; a duration is a text '
            'such as "1m30s"',
        ),
    ],
)
def test_a_trigger_that_cannot_work_is_an_error(trigger: str, path: str, message: str) -> None:
    assert with_trigger(trigger) == [(f"triggers[0].{path}", message)]


def test_the_payload_of_http_needs_no_destination() -> None:
    assert (
        with_trigger(
            "{template: {name: t, http: {url: a, payload: [{src: {dependencyName: push}}]}}}"
        )
        == []
    )


def test_trigger_names_are_unique() -> None:
    trigger = "{template: {name: t, http: {url: a}}}"

    assert with_trigger(f"{trigger}, {trigger}") == [
        ("triggers[1].template.name", "duplicate trigger name: t")
    ]


def test_a_type_that_only_argo_events_runs_is_a_note() -> None:
    found = findings(sensor(f"[{DEPENDENCY}]", "[{template: {name: t, slack: {}}}]"))

    assert told(found)[-1] == (
        "note",
        "spec.triggers[0].template.slack",
        "`slack` runs in Argo Events; this version of Tiphys does not run it yet",
    )


def test_a_missing_module_is_a_warning_with_the_command_to_install_it() -> None:
    found = findings(sensor(f"[{DEPENDENCY}]", "[{template: {name: t, pulsar: {}}}]"))

    assert found[-1].severity == "warning"
    assert "pip install 'tiphys[pulsar]'" in found[-1].message


def test_a_parameter_from_an_event_that_the_condition_does_not_wait_for_is_a_warning() -> None:
    other = DEPENDENCY.replace("name: push", "name: other", 1)
    found = findings(
        sensor(
            f"[{DEPENDENCY}, {other}]",
            "[{template: {name: t, conditions: push, http: {url: a, parameters: "
            "[{src: {dependencyName: other}, dest: url}]}}}]",
        )
    )

    assert told(found)[-1][2] == "the trigger's condition does not wait for `other`"


def test_a_context_key_beside_a_data_key_is_a_warning() -> None:
    found = findings(
        sensor(
            f"[{DEPENDENCY}]",
            "[{template: {name: t, http: {url: a, parameters: "
            "[{src: {dependencyName: push, dataKey: a, contextKey: id}, dest: url}]}}}]",
        )
    )

    assert told(found)[-1] == (
        "warning",
        "spec.triggers[0].template.http.parameters[0].src.contextKey",
        "`contextKey` is never read, because `src` looks at the data",
    )


def test_a_policy_without_effect_is_a_warning() -> None:
    found = findings(
        sensor(
            f"[{DEPENDENCY}]",
            "[{template: {name: t, http: {url: a}}, policy: {k8s: {labels: {a: b}}}}]",
        )
    )

    assert told(found)[-1] == (
        "warning",
        "spec.triggers[0].policy.k8s",
        "`k8s` has no effect on `http`",
    )


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


def test_what_argo_events_accepts_is_only_a_warning_for_those_who_run_manifests() -> None:
    text = sensor(f"[{DEPENDENCY}]", "[{template: {name: t, conditions: x, htpp: {}}, extra: 1}]")

    assert {finding.severity for finding in findings(text, strict=False)} == {"warning"}
    assert "error" in {finding.severity for finding in findings(text, strict=True)}
