"""The harness and flow control: virtual time decides what acts, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.unit.testing._sensors import dependency, http, trigger, value, write
from tiphys.events import timestamp
from tiphys.testing.pipelines import Given, Pipeline, Run, event

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float, name: str = "a", **data: Any) -> Given:
    """An event of the source ``web``, so many seconds after the start."""
    return event("web", name, data, at=START + timedelta(seconds=seconds))


def run(folder: Path, events: list[Given], *, until: timedelta | None = None, **flow: Any) -> Run:
    """A trigger on ``a`` with some flow control."""
    write(folder, [dependency("a")], [trigger(block=http(value("n", "n")), **flow)])
    return Pipeline(folder).run(events, until=until)


def acted(run: Run) -> list[tuple[float, Any]]:
    """When, in seconds after the start, and with what payload."""
    return [((action.at - START).total_seconds(), action.payload) for action in run.actions]


def test_debounce_acts_on_the_last_event_of_a_burst(tmp_path: Path) -> None:
    events = [at(0, n=1), at(20, n=2), at(45, n=3), at(200, n=4)]

    found = run(tmp_path, events, debounce={"period": "30s"})

    assert acted(found) == [(75.0, {"n": 3}), (230.0, {"n": 4})]
    assert [action.number for action in found.actions] == [3, 4]
    steps = [(verdict.number, verdict.step) for verdict in found.verdicts]
    assert (1, "superseded") in steps
    assert (3, "acted") in steps
    assert "     sensor/act: acted at 2026-01-01T00:01:15Z" in found.trace().splitlines()


def test_nothing_that_waits_acts_after_the_end_of_a_run(tmp_path: Path) -> None:
    early = run(tmp_path, [at(0)], debounce={"period": "30s"}, until=timedelta(seconds=29))
    late = run(tmp_path, [at(0)], debounce={"period": "30s"}, until=timedelta(seconds=30))

    assert (len(early.actions), len(late.actions)) == (0, 1)
    assert early.reasons() == ["it waits for debounce"]


def test_a_batch_is_one_action_for_several_events(tmp_path: Path) -> None:
    write(
        tmp_path,
        [dependency("a")],
        [trigger(block=http(value("all", "events.#.n")), batch={"count": 2, "period": "1m"})],
    )

    found = Pipeline(tmp_path).run([at(0, n=1), at(5, n=2), at(10, n=3)])

    assert acted(found) == [(5.0, {"all": [1, 2]}), (70.0, {"all": [3]})]
    assert [action.event_ids for action in found.actions] == [("1", "2"), ("3",)]


def test_throttle_drops_or_keeps_the_latest(tmp_path: Path) -> None:
    events = [at(0, n=1), at(10, n=2), at(20, n=3), at(70, n=4)]

    dropping = run(tmp_path, events, throttle={"count": 1, "period": "1m"})
    latest = run(tmp_path, events, throttle={"period": "1m", "strategy": "latest"})

    assert acted(dropping) == [(0.0, {"n": 1}), (70.0, {"n": 4})]
    assert dropping.reasons() == ["throttled", "throttled"]
    assert acted(latest) == [(0.0, {"n": 1}), (60.0, {"n": 3}), (120.0, {"n": 4})]


def test_an_absent_event_is_acted_on_when_its_time_is_over(tmp_path: Path) -> None:
    write(
        tmp_path,
        [dependency("a"), dependency("b")],
        [
            trigger(
                block=http(value("n", "n")),
                conditions="a",
                absence={"after": "10m", "dependency": "b"},
            )
        ],
    )
    pipeline = Pipeline(tmp_path)

    assert acted(pipeline.run([at(0, n=1)])) == [(600.0, {"n": 1})]
    answered = pipeline.run([at(0, n=1), at(599, "b")])
    assert answered.actions == []
    assert "the event came that was waited for" in answered.reasons()


def test_joins_pair_the_events_of_one_key(tmp_path: Path) -> None:
    write(
        tmp_path,
        [dependency("a"), dependency("b")],
        [
            trigger(
                block=http(value("a", "n"), value("b", "n", "b")),
                conditions="a && b",
                conditionsJoin={"key": "k", "window": "1h"},
            )
        ],
    )

    found = Pipeline(tmp_path).run(
        [at(0, k="x", n=1), at(1, k="y", n=2), at(2, "b", k="x", n=3), at(7200, "b", k="y", n=4)]
    )

    assert [action.payload for action in found.actions] == [{"a": 1, "b": 3}]
    assert [(v.number, v.dependency) for v in found.verdicts if v.step == "expired"] == [
        (2, "a"),
        (4, "b"),
    ]


def test_dedupe_drops_events_with_the_same_key(tmp_path: Path) -> None:
    write(tmp_path, [dependency("a", dedupe={"key": "k", "window": "1m"})], [trigger()])

    found = Pipeline(tmp_path).run([at(0, k="x"), at(59, k="x"), at(59, k="y"), at(60, k="x")])

    assert [action.number for action in found.actions] == [1, 3, 4]
    assert found.reasons() == ["an event with the key 'x' came already for a"]


def test_a_blackout_delays_actions_to_its_end(tmp_path: Path) -> None:
    blackout = [{"start": "00:00", "stop": "06:00"}]

    found = run(tmp_path, [at(60, n=1), at(7 * 3600, n=2)], blackout=blackout)

    assert [timestamp(action.at) for action in found.actions] == [
        "2026-01-01T06:00:00Z",
        "2026-01-01T07:00:00Z",
    ]


def test_a_suspended_trigger_does_nothing(tmp_path: Path) -> None:
    found = run(tmp_path, [at(0)], suspend=True)

    assert found.actions == []
    assert found.reasons() == ["the trigger is suspended"]


def test_order_and_concurrency_change_nothing_in_virtual_time(tmp_path: Path) -> None:
    found = run(tmp_path, [at(n, n=n) for n in range(3)], orderBy="n", concurrency=2)

    assert acted(found) == [(0.0, {"n": 0}), (1.0, {"n": 1}), (2.0, {"n": 2})]
