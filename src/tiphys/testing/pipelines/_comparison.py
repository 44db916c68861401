"""Two versions of manifests over the same events: where they act differently."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from tiphys.events import CloudEvent
from tiphys.testing.pipelines._actions import Action
from tiphys.testing.pipelines._differences import as_yaml, difference
from tiphys.testing.pipelines._given import Given
from tiphys.testing.pipelines._pipeline import Pipeline, Run

Key = tuple[str, str, tuple[str, ...], int]
"""Sensor, trigger, ids of the events, and how many such actions there were before."""


@dataclasses.dataclass(frozen=True)
class Change:
    """One action that is in one version only, or another in each; *why* is the other's reason."""

    number: int
    sensor: str
    trigger: str
    side: Literal["old", "new", "both"]
    details: str
    why: list[str]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The events that both versions were given, and every difference, in the order of them."""

    events: list[CloudEvent]
    changes: list[Change]

    def as_json(self) -> dict[str, Any]:
        """Everything as JSON data."""
        return {
            "events": len(self.events),
            "changes": [
                {"event": self.events[change.number - 1].id, **dataclasses.asdict(change)}
                for change in self.changes
            ],
        }


def needed(
    old: Pipeline, new: Pipeline, *, source: str = "", event: str = ""
) -> list[tuple[str, str]]:
    """
    The events that either version depends on: event source and name, sorted.

    *source* and *event*: only those of this event source, or of this name.
    """
    return sorted(
        (source_name, name)
        for source_name, name in old.dependencies | new.dependencies
        if source in ("", source_name) and event in ("", name)
    )


def compare(
    old: Pipeline, new: Pipeline, events: Iterable[Given], *, sensor: str = ""
) -> Comparison:
    """
    Let both versions decide about the same events, each from an empty memory.

    *sensor*: only the differences of this one.
    """
    given = list(events)
    before, after = old.run(given, judge=False), new.run(given, judge=False)
    changes = [change for change in _changes(before, after) if sensor in ("", change.sensor)]
    return Comparison(before.events, changes)


def _changes(old: Run, new: Run) -> Iterator[Change]:
    before, after = _by_key(old), _by_key(new)
    found = [
        change
        for key in dict.fromkeys([*before, *after])
        if (change := _change(before.get(key), after.get(key), old, new)) is not None
    ]
    yield from sorted(found, key=lambda change: change.number)


def _change(one: Action | None, other: Action | None, old: Run, new: Run) -> Change | None:
    if one is not None and other is not None:
        if one.document() == other.document():
            return None
        text = difference(one.document(), other.document(), ("OLD", "NEW"))
        return Change(one.number, one.sensor, one.trigger, "both", text, [])
    action, run = (one, new) if one is not None else (other, old)
    assert action is not None
    why = [
        verdict.sentence
        for verdict in run.verdicts
        if (verdict.number, verdict.sensor, verdict.trigger)
        == (action.number, action.sensor, action.trigger)
        and verdict.reason
    ]
    side: Literal["old", "new"] = "old" if one is not None else "new"
    text = as_yaml(action.document())
    return Change(action.number, action.sensor, action.trigger, side, text, why)


def _by_key(run: Run) -> dict[Key, Action]:
    found: dict[Key, Action] = {}
    for action in run.actions:
        ids = tuple(sorted(event.id for event in action.events.values()))
        count = 0
        while (key := (action.sensor, action.trigger, ids, count)) in found:
            count += 1
        found[key] = action
    return found
