"""Keys that nothing reads."""

from __future__ import annotations

import pytest

from tests.unit.manifests._support import findings, sensor
from tiphys.manifests.findings import Finding

DEPENDENCY = "{name: push, eventSourceName: hooks, eventName: push}"


def unknown(text: str) -> list[Finding]:
    return [finding for finding in findings(text) if finding.rule == "unknown-key"]


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        (
            sensor(f"[{DEPENDENCY}]").replace("kind: Sensor", "kind: Sensor\nsepc: {}"),
            "sepc",
            "unknown key `sepc`; did you mean `spec`?",
        ),
        (
            sensor(f"[{DEPENDENCY}]").replace("{name: sensor}", "{name: a, lables: {}}"),
            "metadata.lables",
            "unknown key `lables`; did you mean `labels`?",
        ),
        (
            sensor("[{name: a, eventsourceName: b, eventName: c}]"),
            "spec.dependencies[0].eventsourceName",
            "unknown key `eventsourceName`; did you mean `eventSourceName`?",
        ),
        (
            sensor("[{name: a, event_source_name: b, eventName: c}]"),
            "spec.dependencies[0].event_source_name",
            "unknown key `event_source_name`; did you mean `eventSourceName`?",
        ),
        (
            sensor(f"[{DEPENDENCY}]", "[{template: {name: a, htpp: {}}}]"),
            "spec.triggers[0].template.htpp",
            "unknown key `htpp`; did you mean `http`?",
        ),
        (
            sensor(f"[{DEPENDENCY}]", "[{template: {name: a, http: {url: a, zzz: 1}}}]"),
            "spec.triggers[0].template.http.zzz",
            "unknown key `zzz`",
        ),
        (
            sensor(f"[{DEPENDENCY}]") + "  template: {container: {enviro: []}}\n",
            "spec.template.container.enviro",
            "unknown key `enviro`",
        ),
    ],
)
def test_a_misspelt_key_is_reported_with_the_nearest_known_one(
    text: str, path: str, message: str
) -> None:
    (finding,) = unknown(text)

    assert (finding.severity, finding.path) == ("error", path)
    assert finding.message.startswith(message)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (
            sensor(f"[{DEPENDENCY}]", "[{template: {name: a, http: {url: a}, policy: {}}}]"),
            "`policy` belongs beside `template`, not into it",
        ),
        (
            sensor(f"[{DEPENDENCY[:-1]}, filters: {{filtersLogicalOperator: or}}}}]"),
            "`filtersLogicalOperator` belongs beside `filters`, not into it",
        ),
        (
            sensor(f"[{DEPENDENCY}]", "[{conditions: push, template: {name: a, http: {url: a}}}]"),
            "`conditions` belongs into `template`",
        ),
    ],
)
def test_a_key_on_the_wrong_level_is_told_where_it_belongs(text: str, hint: str) -> None:
    (finding,) = unknown(text)

    assert finding.hint == hint


def test_a_wrong_type_hides_no_unknown_key_inside() -> None:
    text = sensor(
        f"[{DEPENDENCY}]",
        "[{template: {name: 5, http: {url: a}}, retryStrategy: {steps: many, fctor: 2}}]",
    )

    assert [finding.path for finding in unknown(text)] == ["spec.triggers[0].retryStrategy.fctor"]


def test_what_kubernetes_adds_is_known() -> None:
    text = sensor(f"[{DEPENDENCY}]").replace(
        "{name: sensor}", "{name: sensor, uid: u, creationTimestamp: t, managedFields: []}"
    )

    assert unknown(text + "status: {conditions: []}\n") == []


def test_keys_of_users_own_are_not_looked_at() -> None:
    text = sensor(f"[{DEPENDENCY}]", "[{template: {name: a, http: {url: a, headers: {X-Any: b}}}}]")

    assert unknown(text + "  loggingFields: {team: a}\n") == []


def test_unknown_keys_of_secrets_are_reported() -> None:
    (finding,) = unknown("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringdata: {}\n")

    assert finding.message == "unknown key `stringdata`; did you mean `stringData`?"
