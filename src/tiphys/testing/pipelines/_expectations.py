"""Checks a run against what a test expects of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from tiphys.events import parse_time, timestamp
from tiphys.manifests.findings import nearest
from tiphys.testing.pipelines._actions import Action
from tiphys.testing.pipelines._differences import (
    as_yaml,
    comparable,
    difference,
    fits,
    other_members,
)
from tiphys.testing.pipelines._given import moment
from tiphys.testing.pipelines._pipeline import Pipeline, Run
from tiphys.testing.pipelines._suite import CaseBlock, Expectation

Place = tuple[str, str]
"""Names of a sensor and of one of its triggers."""


@dataclasses.dataclass(frozen=True)
class Failure:
    """One way in which a test failed; *details* is a diff, or what came instead."""

    message: str
    details: str = ""


class _Unclear(Exception):
    """An expectation does not say which trigger it means."""


def check(case: CaseBlock, pipeline: Pipeline, run: Run) -> list[Failure]:
    """
    Every way in which *run* is not what *case* expects.

    Raises :exc:`ManifestError` when it expects an action at something that is no time.
    """
    failures = list(_strangers(pipeline, run))
    wanted: dict[Place, list[Expectation]] = {}
    named: set[Place] = set()
    for expectation in case.expect:
        try:
            places = _places(expectation, pipeline)
        except _Unclear as error:
            failures.append(Failure(str(error)))
            continue
        named.update(places)
        if expectation.none:
            failures += _check_none(expectation, places, run)
        else:
            wanted.setdefault(places[0], []).append(expectation)
    for place in named:
        if reason := pipeline.sensors[place[0]].broken.get(place[1]):
            failures.append(Failure(f"{_shown(place)} cannot run: {reason}"))
    for place, expectations in wanted.items():
        failures += _check_actions(place, expectations, run)
    if case.strict:
        for action in run.actions:
            if (action.sensor, action.trigger) not in named:
                failures.append(_unexpected(action))
    return failures


def _strangers(pipeline: Pipeline, run: Run) -> Iterator[Failure]:
    """Events that no sensor depends on are mistakes of the test."""
    known = {f"{source}/{name}" for source, name in pipeline.dependencies}
    for name in dict.fromkeys(f"{event.source}/{event.subject}" for event in run.events):
        if name not in known:
            yield Failure(f"no sensor depends on the event {name}{nearest(name, known)}")


def _places(expectation: Expectation, pipeline: Pipeline) -> list[Place]:
    """The triggers that are meant; raises :exc:`_Unclear`."""
    known = [
        (name, trigger) for name, sensor in pipeline.sensors.items() for trigger in sensor.names
    ]
    sensor, trigger = expectation.sensor, expectation.trigger
    if sensor and sensor not in pipeline.sensors:
        raise _Unclear(f"there is no sensor `{sensor}`{nearest(sensor, pipeline.sensors)}")
    found = [p for p in known if sensor in ("", p[0]) and trigger in ("", p[1])]
    if not found:
        candidates = [name for owner, name in known if sensor in ("", owner)]
        raise _Unclear(f"there is no trigger `{trigger}`{nearest(trigger, candidates)}")
    if len(found) > 1 and not expectation.none:
        names = ", ".join(_shown(place) for place in found)
        raise _Unclear(f"an expectation must say which trigger it means; here are {names}")
    return found


def _check_none(expectation: Expectation, places: list[Place], run: Run) -> Iterator[Failure]:
    acted = [action for action in run.actions if (action.sensor, action.trigger) in places]
    for action in acted:
        yield _unexpected(action)
    if acted or not expectation.because:
        return
    reasons = list(
        dict.fromkeys(r for sensor, trigger in places for r in run.reasons(trigger, sensor))
    )
    if not any(expectation.because in reason for reason in reasons):
        yield Failure(
            f"no action as expected, but not because of `{expectation.because}`",
            "\n".join(reasons) or "there is no reason at all: no event came to the trigger",
        )


def _check_actions(place: Place, expectations: list[Expectation], run: Run) -> Iterator[Failure]:
    actions = run.of(place[1], place[0])
    counted = len(expectations) > 1 or len(actions) > 1
    for number, (expectation, action) in enumerate(zip(expectations, actions, strict=False), 1):
        name = f"{_shown(place)}, action {number}" if counted else _shown(place)
        yield from _compared(name, expectation, action, run)
    for action in actions[len(expectations) :]:
        yield _unexpected(action)
    missing = len(expectations) - len(actions)
    if missing > 0:
        reasons = "\n".join(dict.fromkeys(run.reasons(place[1], place[0])))
        if not actions:
            yield Failure(f"{_shown(place)} should act, but does not", reasons)
        else:
            times = "once" if missing == 1 else f"{missing} times"
            yield Failure(f"{_shown(place)} should act {times} more", reasons)


def _compared(name: str, expectation: Expectation, action: Action, run: Run) -> Iterator[Failure]:
    """Where one action is not as expected."""
    if expectation.error:
        if not action.error:
            yield Failure(f"{name}: the action should fail", as_yaml(action.document()))
        elif expectation.error not in action.error:
            yield Failure(f"{name}: fails, but not with `{expectation.error}`", action.error)
        return
    if action.error:
        yield Failure(f"{name}: the action fails", action.error)
        return
    for what, expected, actual in [*_pairs(expectation, action), *_times(expectation, action, run)]:
        if fits(expected, actual, exactly=expectation.exactly):
            continue
        message = f"{name}: {what} is not as expected"
        if expectation.exactly:
            yield Failure(message, difference(expected, actual))
            continue
        if others := other_members(expected, actual):
            message += f" (it also has {', '.join(others)})"
        yield Failure(message, difference(expected, comparable(expected, actual)))


def _pairs(expectation: Expectation, action: Action) -> Iterator[tuple[str, Any, Any]]:
    """What is expected and what came, each with its name."""
    given = expectation.model_fields_set
    for key, expected in expectation.blocks.items():
        if key != action.type:
            yield "the type of the trigger", key, action.type
        else:
            yield key, expected, action.block if expectation.exactly else action.options
    if "payload" in given:
        yield "the payload", expectation.payload, action.payload
    if "resource" in given:
        yield "the resource", expectation.resource, action.resource
    if expectation.events:
        expected_ids = {name: str(id) for name, id in expectation.events.items()}
        yield "events", expected_ids, {name: e.id for name, e in action.events.items()}


def _times(expectation: Expectation, action: Action, run: Run) -> Iterator[tuple[str, Any, Any]]:
    """When the action should come and when it did."""
    if not expectation.at:
        return
    expected = moment(expectation.at)
    if isinstance(expected, timedelta):
        decided = parse_time(run.events[action.number - 1].time)
        expected = (decided or action.at) + expected
    yield "the time", timestamp(expected), timestamp(action.at)


def _unexpected(action: Action) -> Failure:
    place = _shown((action.sensor, action.trigger))
    return Failure(
        f"{place} acts on event {action.number}, which is not expected",
        as_yaml(action.document()),
    )


def _shown(place: Sequence[str]) -> str:
    return "/".join(place)
