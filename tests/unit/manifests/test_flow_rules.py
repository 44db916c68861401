"""What lint says about flow control."""

from __future__ import annotations

import pytest

from tests.unit.manifests._support import findings, sensor, sensor_errors
from tiphys.manifests.findings import Finding

A = "{name: a, eventSourceName: s, eventName: a}"
B = "{name: b, eventSourceName: s, eventName: b}"
GOOD = [
    "concurrency: 3",
    "orderBy: body.id",
    "orderBy: $.body.id",
    "debounce: {period: 30s, key: body.id, leading: true}",
    "batch: {count: 100, period: 1m}",
    "throttle: {count: 10, period: 1m, strategy: latest}",
    "suspend: true",
    'blackout: [{start: "22:00", stop: "06:00", days: [sat], timezone: Europe/Berlin}]',
    'blackout: [{start: "00:00", stop: "24:00"}]',
    'blackout: [{cron: "0 3 * * *", duration: 2h}]',
    "conditionsJoin: {key: body.id, window: 1h}",
    "conditionsJoin: {key: {a: id, b: order.id}, window: 1h}",
    "absence: {after: 10m}",
    "absence: {dependency: b, after: 10m}",
]
NO_NUMBER = "write a duration such as `30s`"
BAD = [
    ("concurrency: 0", "concurrency", "`concurrency` must be at least 1"),
    ("orderBy: '$['", "orderBy", "this path does not compile"),
    ("debounce: {}", "debounce.period", "`period` is missing, or not longer than 0"),
    ("debounce: {period: -1s}", "debounce.period", "`period` is missing"),
    (
        "debounce: {period: 1s, leading: yes please}",
        "debounce.leading",
        "must be `true` or `false`",
    ),
    ("batch: {count: 0, period: 1s}", "batch.count", "`count` must be at least 1"),
    ("batch: {count: 2}", "batch.period", "`period` is missing"),
    ("{debounce: {period: 1s}, batch: {count: 2, period: 1s}}", "batch", "nothing to batch"),
    ("throttle: {count: 2000, period: 1s}", "throttle.count", "`count` must be 1 to 1000"),
    ("throttle: {period: 1s, strategy: last}", "throttle.strategy", "latest"),
    ('blackout: [{start: "22", stop: "06:00"}]', "blackout[0].start", "no time of day"),
    ('blackout: [{start: "22:00", stop: "22:00"}]', "blackout[0]", "are equal"),
    ('blackout: [{cron: "* *", duration: 1h}]', "blackout[0].cron", "invalid cron expression"),
    ('blackout: [{cron: "* * * * *"}]', "blackout[0].duration", "`duration` is missing"),
    (
        'blackout: [{start: "1:00", stop: "2:00", timezone: Mars}]',
        "blackout[0].timezone",
        'invalid timezone "Mars"',
    ),
    ("conditionsJoin: {window: 1h}", "conditionsJoin.key", "`key` is missing"),
    ("conditionsJoin: {key: id}", "conditionsJoin.window", "`window` is missing"),
    ("conditionsJoin: {key: {a: id}, window: 1h}", "conditionsJoin.key", "no path for `b`"),
    ("absence: {dependency: b}", "absence.after", "`after` is missing"),
    ("debounce: {period: 30}", "debounce.period", NO_NUMBER),
    ("debounce: {period: 0.5}", "debounce.period", NO_NUMBER),
    ("batch: {count: 2, period: 60000000000}", "batch.period", NO_NUMBER),
    ("throttle: {period: 1}", "throttle.period", NO_NUMBER),
    ('blackout: [{cron: "0 3 * * *", duration: 2}]', "blackout[0].duration", NO_NUMBER),
    ("conditionsJoin: {key: id, window: 1}", "conditionsJoin.window", NO_NUMBER),
    ("absence: {after: 10}", "absence.after", NO_NUMBER),
    ("absence: {dependency: c, after: 1h}", "absence.dependency", "no dependency `c`"),
]


def about_flow(dependencies: str, triggers: str) -> list[Finding]:
    """The findings in a sensor whose event source is not among the files."""
    found = findings(sensor(dependencies, triggers))
    return [finding for finding in found if finding.rule != "reference"]


@pytest.mark.parametrize("field", GOOD)
def test_what_works_is_not_criticised(field: str) -> None:
    found = about_flow(f"[{A}, {B}]", f"[{_trigger(field)}]")

    assert found == []


@pytest.mark.parametrize(("field", "path", "message"), BAD)
def test_what_cannot_work_is_named(field: str, path: str, message: str) -> None:
    errors = sensor_errors(f"[{A}, {B}]", f"[{_trigger(field)}]")

    assert [found for found, _ in errors] == [f"triggers[0].{path}"]
    assert message in errors[0][1]


def test_a_condition_that_needs_the_awaited_event_cannot_act_on_its_absence() -> None:
    field = "absence: {dependency: b, after: 1h}"
    errors = sensor_errors(f"[{A}, {B}]", f"[{_trigger(field, 'a && b')}]")

    assert [message for _, message in errors] == [
        "the condition needs `b`, so it cannot act on its absence"
    ]


@pytest.mark.parametrize(
    ("field", "path", "message"),
    [
        ("dedupe: {key: id, window: 1h}", "", ""),
        ("dedupe: {window: 1h}", "dedupe.key", "`key` is missing"),
        ("dedupe: {key: id}", "dedupe.window", "`window` is missing"),
        ("dedupe: {key: id, window: 3600}", "dedupe.window", NO_NUMBER),
        ("startFrom: 24h", "", ""),
        ("startFrom: yesterday", "startFrom", "`yesterday` is neither `new`, `all`"),
        ("startFrom: '2026-01-01T00:00:00'", "startFrom", "has no zone"),
    ],
)
def test_dependencies_are_checked(field: str, path: str, message: str) -> None:
    errors = sensor_errors(f"[{{name: a, eventSourceName: s, eventName: a, {field}}}]")

    assert [found for found, _ in errors] == ([f"dependencies[0].{path}"] if path else [])
    assert not errors or message in errors[0][1]


@pytest.mark.parametrize("text", ["2026-01-01", "2026-01-01T00:00", "2026-01-01T00:00:00"])
def test_a_time_without_a_zone_comes_with_one_that_works(text: str) -> None:
    def told(start_from: str) -> list[str]:
        field = f"startFrom: {start_from}"
        errors = sensor_errors(f"[{{name: a, eventSourceName: s, eventName: a, {field}}}]")
        return [message for _, message in errors]

    advice = "2026-01-01T00:00:00Z"

    assert told(text) == [f"the time `{text}` has no zone; write `{advice}` for UTC"]
    assert told(advice) == []


@pytest.mark.parametrize(
    ("trigger", "message"),
    [
        ("{atLeastOnce: true, concurrency: 2, @}", "actions side by side have no order"),
        ("{orderBy: id, concurrency: 1, @}", "`orderBy` has no effect with `concurrency: 1`"),
        ("{conditionsJoin: {key: id, window: 1h}, @}", "has no effect on a condition without"),
        ("{atLeastOnce: true, @, dlqTrigger: {atLeastOnce: true, suspend: true, @}}",
         "`suspend` has no effect in a `dlqTrigger`"),
        ('{blackout: [{cron: "0 0 * * *", duration: 1h, start: "1:00"}], @}',
         "`start` has no effect beside `cron`"),
    ],
)  # fmt: skip
def test_what_has_no_effect_is_mentioned(trigger: str, message: str) -> None:
    template = "template: {name: call, http: {url: 'http://localhost'}}"
    found = about_flow(f"[{A}]", f"[{trigger.replace('@', template)}]")

    assert [finding.rule for finding in found] == ["flow-control"]
    assert message in found[0].message
    assert found[0].severity != "error"


@pytest.mark.parametrize("field", GOOD)
def test_portable_manifests_have_none_of_it(field: str) -> None:
    key = field.partition(":")[0]
    found = findings(sensor(f"[{A}, {B}]", f"[{_trigger(field)}]"), portable=True)

    assert (f"Argo Events has no field `{key}` here") in [finding.message for finding in found]


def _trigger(field: str, conditions: str = "") -> str:
    """A trigger in flow YAML with one more field, or those of a flow mapping."""
    more = field[1:-1] if field.startswith("{") else field
    return (
        f"{{template: {{name: call, conditions: '{conditions}', "
        f"http: {{url: 'http://localhost'}}}}, {more}}}"
    )
