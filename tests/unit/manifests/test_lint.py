"""Lint as a whole: references, extensions, what follows from what, and the walkthrough."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.manifests._support import FewComponents, findings, sensor, told
from tiphys.manifests.findings import Finding, dotted, nearest
from tiphys.manifests.lint import in_order, lint
from tiphys.manifests.loader import load

WALKTHROUGH = Path(__file__).parents[2] / "data" / "walkthrough"
DEPENDENCY = "{name: push, eventSourceName: hooks, eventName: push}"
SOURCE = (
    "apiVersion: argoproj.io/v1alpha1\nkind: EventSource\nmetadata: {name: hooks}\n"
    "spec: {webhook: {push: {endpoint: /push}}}\n---\n"
)


def test_the_walkthrough_has_no_errors() -> None:
    loaded = load([WALKTHROUGH])
    found = lint(loaded, FewComponents(), strict=True)

    assert loaded.findings == []
    assert [finding for finding in found if finding.severity == "error"] == []


def test_a_sensor_whose_events_are_there_has_no_findings() -> None:
    assert findings(SOURCE + sensor(f"[{DEPENDENCY}]")) == []


@pytest.mark.parametrize(
    ("dependency", "path", "message"),
    [
        (
            "{name: a, eventSourceName: hoks, eventName: push}",
            "spec.dependencies[0].eventSourceName",
            "there is no EventSource `hoks` in these files; did you mean `hooks`?",
        ),
        (
            "{name: a, eventSourceName: hooks, eventName: pull}",
            "spec.dependencies[0].eventName",
            "the EventSource `hooks` has no event `pull`",
        ),
    ],
)
def test_an_event_that_nobody_sends_is_a_warning(dependency: str, path: str, message: str) -> None:
    ((severity, place, text),) = told(findings(SOURCE + sensor(f"[{dependency}]")))

    assert (severity, place) == ("warning", path)
    assert text.startswith(message)


def test_objects_in_other_namespaces_do_not_meet() -> None:
    one = SOURCE.replace("{name: hooks}", "{name: hooks, namespace: one}")
    two = sensor(f"[{DEPENDENCY}]").replace("{name: sensor}", "{name: sensor, namespace: two}")

    assert len(findings(one + two)) == 1
    assert findings(one + sensor(f"[{DEPENDENCY}]")) == []


def test_a_bus_that_is_not_there_is_a_warning_but_for_the_default_one() -> None:
    text = SOURCE + sensor(f"[{DEPENDENCY}]")

    assert findings(text + "  eventBusName: default\n") == []
    assert told(findings(text + "  eventBusName: other\n")) == [
        ("warning", "spec.eventBusName", "there is no EventBus `other` in these files")
    ]


def test_an_object_that_is_there_twice_is_an_error() -> None:
    found = findings(SOURCE + SOURCE)

    assert told(found) == [("error", "metadata.name", "m.yaml:1 has EventSource `hooks` already")]
    assert found[0].line == 8


def test_all_errors_of_an_object_are_found_at_once_and_none_twice() -> None:
    found = findings(
        SOURCE
        + sensor(
            "[{name: 5, eventSourceName: hooks, eventName: push, filters: {data: "
            "[{path: a, type: number, value: [1], comparator: '=='}]}}]",
            "[{template: {name: t, http: {url: a}}, retryStrategy: {factor: '2'}, rateLimit: {}}]",
        )
    )

    assert [(finding.path, finding.rule) for finding in found] == [
        ("spec.dependencies[0].name", "type"),
        ("spec.dependencies[0].filters.data[0].value[0]", "type"),
        ("spec.triggers[0].retryStrategy.factor", "type"),
        ("spec.dependencies[0].filters.data[0].comparator", "invalid"),
        ("spec.triggers[0].rateLimit.requestsPerUnit", "rate-limit"),
    ]


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        (
            SOURCE.replace("/push}", "/push, allowedCIDRs: []}"),
            "spec.webhook.push.allowedCIDRs",
            "Argo Events has no field `allowedCIDRs` here",
        ),
        (
            SOURCE.replace("/push}", "/push, hmac: {secret: {name: a, key: b}, header: c}}"),
            "spec.webhook.push.hmac",
            "Argo Events has no field `hmac` here",
        ),
        (
            "apiVersion: argoproj.io/v1alpha1\nkind: EventSource\nmetadata: {name: hooks}\n"
            "spec: {clock: {push: {every: 5}}}\n",
            "spec.clock",
            "Argo Events has no event source `clock`",
        ),
        (
            SOURCE + sensor(f"[{DEPENDENCY}]", "[{template: {name: t, shell: {command: ls}}}]"),
            "spec.triggers[0].template.shell",
            "Argo Events has no trigger `shell`",
        ),
        (
            SOURCE
            + sensor(
                f"[{DEPENDENCY}]",
                "[{atLeastOnce: true, template: {name: t, http: {url: a}}, dlqTrigger: "
                "{atLeastOnce: true, template: {name: d, http: {url: a, retryAfter: true}}}}]",
            ),
            "spec.triggers[0].dlqTrigger.template.http.retryAfter",
            "Argo Events has no field `retryAfter` here",
        ),
        (
            SOURCE
            + sensor(
                f"[{DEPENDENCY[:-1]}, filters: "
                "{data: [{path: $.a, type: string, value: [b]}]}}]"
            ),
            "spec.dependencies[0].filters.data[0].path",
            "Argo Events does not read JSONPath: `$.a`",
        ),
        (
            SOURCE
            + sensor(
                f"[{DEPENDENCY}]",
                "[{template: {name: t, http: {url: a, parameters: "
                "[{src: {dependencyName: push, dataKey: '$..a'}, dest: url}]}}}]",
            ),
            "spec.triggers[0].template.http.parameters[0].src.dataKey",
            "Argo Events does not read JSONPath: `$..a`",
        ),
        (
            SOURCE
            + sensor(
                "[{name: 1st, eventSourceName: hooks, eventName: push}]",
                "[{template: {name: t, conditions: 1st, http: {url: a}}}]",
            ),
            "spec.triggers[0].template.conditions",
            "Argo Events cannot read the name `1st` in conditions",
        ),
    ],
)
def test_an_extension_is_refused_where_manifests_must_be_portable(
    text: str, path: str, message: str
) -> None:
    assert told(findings(text)) == []
    assert told(findings(text, portable=True)) == [("error", path, message)]


def test_portable_manifests_pass() -> None:
    loaded = load([WALKTHROUGH])
    found = lint(loaded, FewComponents(), portable=True)

    assert [finding for finding in found if finding.severity == "error"] == []
    assert findings(SOURCE + sensor(f"[{DEPENDENCY}]"), portable=True) == []


def test_findings_are_ordered_by_file_and_line() -> None:
    places = [("b", 2), ("a", 3), ("b", None), ("x", 1), ("a", 1)]
    found = [Finding("error", "r", "m", file=file, line=line) for file, line in places]

    ordered = in_order(found, ["b", "a"])

    assert [(finding.file, finding.line) for finding in ordered] == [
        ("x", 1),
        ("b", None),
        ("b", 2),
        ("a", 1),
        ("a", 3),
    ]


def test_paths_are_written_as_people_write_them() -> None:
    assert dotted(("spec", "triggers", 0, "template", "http")) == "spec.triggers[0].template.http"
    assert dotted(("metadata", "labels", "a.b/c")) == 'metadata.labels["a.b/c"]'
    assert dotted(()) == ""


def test_the_nearest_name_is_found_whatever_the_case() -> None:
    assert nearest("eventsourcename", ["eventName", "eventSourceName"]) == (
        "; did you mean `eventSourceName`?"
    )
    assert nearest("xyz", ["eventName"]) == ""
