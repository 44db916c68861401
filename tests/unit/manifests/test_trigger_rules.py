"""What a trigger must say, in the words that Argo Events uses."""

from __future__ import annotations

import pytest

from tests.unit.manifests._support import findings, sensor, sensor_errors, told

DEPENDENCY = "{name: push, eventSourceName: hooks, eventName: push}"


def with_trigger(trigger: str) -> list[tuple[str, str]]:
    return sensor_errors(f"[{DEPENDENCY}]", f"[{trigger}]")


def test_the_place_of_an_error_in_a_text_of_several_lines_is_one_in_that_text() -> None:
    ((_, message),) = with_trigger(
        '{template: {name: t, conditions: "push &&\\n  pull", http: {url: a}}}'
    )

    assert message == "there is no dependency `pull` (in line 2 of this text, at character 3)"


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
            "there is no dependency `pish`; did you mean `push`? (at character 1)",
        ),
        (
            "{template: {name: t, http: {url: a, parameters: "
            "[{src: {dependencyName: pusch, dataKey: a}, dest: b}]}}}",
            "template.http.parameters[0].src.dependencyName",
            "there is no dependency `pusch`; did you mean `push`?",
        ),
        (
            "{template: {name: t, http: {url: a, parameters: "
            "[{src: {dependencyName: push, dataTemplate: '{{ .Input.x | no }}'}, dest: b}]}}}",
            "template.http.parameters[0].src.dataTemplate",
            'this template does not compile: function "no" not defined (at character 15)',
        ),
        (
            "{template: {name: t, http: {url: a}}, parameters: "
            "[{src: {dependencyName: push, dataKey: '$['}, dest: b}]}",
            "parameters[0].src.dataKey",
            "this path does not compile: JSONPath: unbalanced brackets (at character 3)",
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


def test_what_argo_events_accepts_is_only_a_warning_for_those_who_run_manifests() -> None:
    text = sensor(f"[{DEPENDENCY}]", "[{template: {name: t, conditions: x, htpp: {}}, extra: 1}]")

    assert {finding.severity for finding in findings(text, strict=False)} == {"warning"}
    assert "error" in {finding.severity for finding in findings(text, strict=True)}
