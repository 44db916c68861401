"""``tiphys trace``: the way of one event, with the verdict of each trigger."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

import typer

from tiphys.cli._client import APIOption, call, segment

SIGNS = {
    "published": ("*", None),
    "filtered": ("x", "yellow"),
    "dropped": ("x", "yellow"),
    "forgotten": ("x", "yellow"),
    "held": (".", "cyan"),
    "duplicate": ("=", None),
    "attempt failed": ("!", "red"),
    "succeeded": ("+", "green"),
    "dead-lettered": ("#", "red"),
}


def trace(
    event_id: Annotated[str, typer.Argument(metavar="EVENT_ID", help="Id, or its beginning.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    api: APIOption = None,
) -> None:
    """
    Draw what happened to an event, and why.

    The id is in the X-Event-Id header of the answer to a webhook, in log lines, and in
    `tiphys events list`.
    """
    records = call(api, "GET", f"/api/v1/events/{segment(event_id)}/trace")
    typer.echo(json.dumps(records, indent=2) if as_json else drawn(records))


def drawn(records: list[dict[str, Any]]) -> str:
    """The time line: what the source did, then each trigger's part."""
    start = datetime.fromisoformat(records[0]["time"])
    events = dict.fromkeys(event for record in records for event in record["events"])
    lines = [typer.style(f"event {', '.join(events)}", bold=True), f"  {records[0]['time']}"]
    places = dict.fromkeys((record["owner"], record["part"]) for record in records)
    for owner, part in places:
        lines += ["", f"  {owner}/{part}"]
        for record in records:
            if (record["owner"], record["part"]) == (owner, part):
                lines.append(_line(record, start))
    return "\n".join(lines)


def _line(record: dict[str, Any], start: datetime) -> str:
    sign, colour = SIGNS.get(record["step"], ("-", None))
    after = (datetime.fromisoformat(record["time"]) - start).total_seconds() * 1000
    text = f"{sign} {after:+9.1f} ms  {_sentence(record)}"
    return "    " + (typer.style(text, fg=colour) if colour else text)


def _sentence(record: dict[str, Any]) -> str:
    step = record["step"]
    if step == "filtered":
        why = record.get("error") or record.get("reason")
        return f"filtered out for {record.get('dependency', 'the source')}: {why}"
    if step == "held" and "missing" in record:
        missing = ", ".join(record["missing"])
        return f"kept as {record['dependency']}; the condition still needs {missing}"
    if step == "attempt failed":
        return f"attempt {record['attempt']} failed: {record['error']}"
    if step == "succeeded":
        status = f", status {record['status']}" if record.get("status") is not None else ""
        return f"attempt {record['attempt']} succeeded in {record['milliseconds']} ms{status}"
    if step == "dead-lettered":
        return f"kept as dead letter {record['deadLetter'][:12]}: {record['error']}"
    reason = record.get("reason")
    if step == "forgotten":
        return f"forgotten as {record['dependency']}: {reason or 'the conditions were reset'}"
    return f"{step}: {reason}" if reason else str(step)
