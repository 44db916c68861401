"""``tiphys diff``: two versions of manifests over the same archived events."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from tiphys.cli._client import APIOption, call, query
from tiphys.errors import TiphysError
from tiphys.observe import logs
from tiphys.testing.pipelines import (
    Comparison,
    Given,
    Pipeline,
    archived,
    compare,
    needed,
    recorded,
)

WORDS = {"old": "only OLD acts", "new": "only NEW acts", "both": "the actions differ"}


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
    wanted = needed(before, after, source=source, event=event)
    given = _chosen(events, wanted) if events is not None else _fetched(api, since, wanted)
    found = compare(before, after, given, sensor=sensor)
    if as_json:
        typer.echo(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
    else:
        typer.echo(_as_text(found))
    raise typer.Exit(1 if found.changes else 0)


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


def _as_text(found: Comparison) -> str:
    changes = found.changes
    lines = []
    for number in dict.fromkeys(change.number for change in changes):
        event = found.events[number - 1]
        lines.append(f"event {event.id}  {event.source}/{event.subject}  {event.time}")
        for change in changes:
            if change.number != number:
                continue
            lines.append(f"  {change.sensor}/{change.trigger}: {WORDS[change.side]}")
            other = "NEW" if change.side == "old" else "OLD"
            lines += [f"    {other}: {reason}" for reason in change.why]
            lines.append(textwrap.indent(change.details.rstrip("\n"), "    "))
    differing = len({change.number for change in changes})
    lines.append(_summary(differing, len(found.events)))
    return "\n".join(lines)


def _summary(differing: int, all_: int) -> str:
    events = f"{all_} event" if all_ == 1 else f"{all_} events"
    return f"{events}, {differing} with other actions" if differing else f"{events}, no difference"
