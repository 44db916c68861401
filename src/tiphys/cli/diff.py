"""``tiphys diff``: two versions of manifests over the same archived events."""

from __future__ import annotations

import dataclasses
import json
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from tiphys.cli._client import APIOption, call, query
from tiphys.errors import TiphysError
from tiphys.observe import logs
from tiphys.testing.pipelines import (
    Action,
    Given,
    Pipeline,
    Run,
    archived,
    as_yaml,
    difference,
    recorded,
)

Key = tuple[str, str, tuple[str, ...], int]
"""Sensor, trigger, ids of the events, and how many such actions there were before."""
WORDS = {"old": "only OLD acts", "new": "only NEW acts", "both": "the actions differ"}


@dataclasses.dataclass(frozen=True)
class Change:
    """One action that is in one version only, or another in each; *why* is the other's reason."""

    number: int
    sensor: str
    trigger: str
    side: Literal["old", "new", "both"]
    details: str
    why: list[str]


def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="Manifests: a file or a folder.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="Manifests: a file or a folder.")],
    since: Annotated[
        str, typer.Option(help="Events that are not older than a time or duration (24h).")
    ] = "",
    events: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Events from `tiphys events record`, not an instance."),
    ] = None,
    source: Annotated[str, typer.Option(help="Only events of this event source.")] = "",
    event: Annotated[str, typer.Option(help="Only events of this name.")] = "",
    sensor: Annotated[str, typer.Option(help="Only this sensor.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    api: APIOption = None,
) -> None:
    """
    List the events about which two versions of sensors do different things.

    The events are those in the archive of a running instance, or recorded ones.  Nothing is sent.
    Filters of event sources are left out, because they had their say.  Exit status: 0 no
    difference, 1 some.
    """
    logs.set_up("human", "error", sys.stderr)
    before, after = Pipeline(old), Pipeline(new)
    wanted = sorted(
        (source_name, name)
        for source_name, name in before.dependencies | after.dependencies
        if source in ("", source_name) and event in ("", name)
    )
    given = _chosen(events, wanted) if events is not None else _fetched(api, since, wanted)
    runs = before.run(given, judge=False), after.run(given, judge=False)
    changes = [c for c in _changes(*runs) if sensor in ("", c.sensor)]
    if as_json:
        typer.echo(json.dumps(_as_json(runs[0], changes), indent=2, ensure_ascii=False))
    else:
        typer.echo(_as_text(runs[0], changes))
    raise typer.Exit(1 if changes else 0)


def _chosen(folder: Path, wanted: Sequence[tuple[str, str]]) -> list[Given]:
    return [each for each in recorded(folder) if (each.event.source, each.event.subject) in wanted]


def _fetched(api: str | None, since: str, wanted: Sequence[tuple[str, str]]) -> list[Given]:
    """The events in the archive of an instance, in order of time."""
    if not since:
        raise TiphysError("say from when on: --since 24h; or where the events are: --events DIR")
    found = [
        archived(each)
        for source, name in wanted
        for each in call(
            api,
            "GET",
            "/api/v1/events" + query(source=source, event=name, since=since, data="true"),
            timeout=600,
        )
    ]
    return sorted(found, key=lambda each: each.event.time)


def _changes(old: Run, new: Run) -> Iterator[Change]:
    """Every difference, in the order of the events."""
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


def _as_text(run: Run, changes: Sequence[Change]) -> str:
    lines = []
    for number in dict.fromkeys(change.number for change in changes):
        event = run.events[number - 1]
        lines.append(f"event {event.id}  {event.source}/{event.subject}  {event.time}")
        for change in changes:
            if change.number != number:
                continue
            lines.append(f"  {change.sensor}/{change.trigger}: {WORDS[change.side]}")
            other = "NEW" if change.side == "old" else "OLD"
            lines += [f"    {other}: {reason}" for reason in change.why]
            lines.append(textwrap.indent(change.details.rstrip("\n"), "    "))
    differing = len({change.number for change in changes})
    lines.append(_summary(differing, len(run.events)))
    return "\n".join(lines)


def _summary(differing: int, all_: int) -> str:
    events = f"{all_} event" if all_ == 1 else f"{all_} events"
    return f"{events}, {differing} with other actions" if differing else f"{events}, no difference"


def _as_json(run: Run, changes: Sequence[Change]) -> dict[str, object]:
    return {
        "events": len(run.events),
        "changes": [
            {"event": run.events[change.number - 1].id, **dataclasses.asdict(change)}
            for change in changes
        ],
    }
