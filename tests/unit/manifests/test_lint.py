"""Lint as a whole: references, extensions, what follows from what, and the walkthrough."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tiphys.manifests.rules
from tests.unit.manifests._support import FewComponents, findings, sensor, told
from tiphys.manifests.findings import Finding, dotted, nearest
from tiphys.manifests.lint import in_order, lint
from tiphys.manifests.loader import load, load_text

WALKTHROUGH = Path(__file__).parents[2] / "data" / "walkthrough"
MANIFESTS = [found.data for found in load([WALKTHROUGH]).objects] + [
    {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Sensor",
        "metadata": {"name": "s"},
        "spec": {
            "dependencies": [
                {
                    "name": "a",
                    "eventSourceName": "b",
                    "eventName": "c",
                    "filters": {
                        "exprs": [{"expr": "a == 1", "fields": [{"name": "a", "path": "b"}]}],
                        "time": {"start": "01:00:00", "stop": "02:00:00"},
                        "script": "return true",
                    },
                }
            ],
            "triggers": [
                {
                    "template": {
                        "name": "t",
                        "conditions": "a",
                        "conditionsReset": [{"byTime": {"cron": "* * * * *"}}],
                        "http": {"url": "a", "payload": [{"src": {"dependencyName": "a"}}]},
                    },
                    "atLeastOnce": True,
                    "policy": {"status": {"allow": [200]}},
                    "rateLimit": {"unit": "Second", "requestsPerUnit": 1},
                    "retryStrategy": {"steps": 3, "duration": "1s"},
                    "parameters": [{"src": {"dependencyName": "a"}, "dest": "http.url"}],
                    "dlqTrigger": {"template": {"name": "d", "shell": {}}, "atLeastOnce": True},
                }
            ],
        },
    }
]
SOURCES = Path(tiphys.manifests.rules.__file__).parents[1]
DOCUMENTATION = Path(__file__).parents[3] / "docs" / "reference" / "lint.md"
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
        (
            SOURCE
            + sensor(f"[{DEPENDENCY}]", "[{template: {name: t, http: {url: a, method: QUERY}}}]"),
            "spec.triggers[0].template.http.method",
            "Argo Events has no `QUERY` here",
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


PLACES = st.lists(st.integers(0, 30), min_size=1, max_size=8)
JUNK = st.sampled_from([None, True, 0, -1, 1.5, "", "a", "{{", "$[", "(", [], [None], {}, {"a": 1}])


@settings(max_examples=200)
@given(st.integers(0, len(MANIFESTS) - 1), st.lists(st.tuples(PLACES, JUNK), max_size=3))
def test_no_damage_makes_lint_raise(number: int, damages: list[tuple[list[int], object]]) -> None:
    data = copy.deepcopy(MANIFESTS[number])
    for steps, junk in damages:
        _damage(data, steps, copy.deepcopy(junk))

    loaded = load_text(json.dumps(data))
    found = lint(loaded, FewComponents(), strict=True, portable=True)

    for finding in [*loaded.findings, *found]:
        assert finding.message
        assert finding.line == 1


def _damage(data: Any, steps: list[int], junk: object) -> None:
    """Put *junk* somewhere into *data*; *steps* choose the way."""
    for index, step in enumerate(steps, 1):
        keys = list(data) if isinstance(data, dict) else list(range(len(data)))
        if not keys:
            return
        key = keys[step % len(keys)]
        if index == len(steps) or not isinstance(data[key], dict | list):
            data[key] = junk
            return
        data = data[key]


def test_every_rule_is_in_the_documentation_and_the_reverse() -> None:
    used = set()
    for path in SOURCES.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        used |= set(re.findall(r"""(?:broken|warn|note)\(\s*"([a-z-]+)",""", text))
        used |= set(re.findall(r"""\brule(?:: str)? ?= ?"([a-z-]+)",?""", text))
        used |= set(re.findall(r"""_find\(\s*"(?:error|warning)",\s*"([a-z-]+)",""", text))
        used |= set(re.findall(r"""finding\("error", "([a-z-]+)",""", text))
        used |= set(re.findall(r"""^RULE = "([a-z-]+)"$""", text, re.MULTILINE))
    rules = DOCUMENTATION.read_text(encoding="utf-8").partition("## Rules")[2]

    assert used == set(re.findall(r"^\| `([a-z-]+)` \|", rules, re.MULTILINE))


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
