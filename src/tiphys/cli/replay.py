"""``tiphys replay``: archived events go through sensors again."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from tiphys.cli._client import APIOption, call
from tiphys.cli._tables import table

RESULTS = {None: "would run", True: "succeeded", False: "dead letter"}
MOST = 2  # ids of events that are shown of one action


def replay(
    source: Annotated[str, typer.Option(help="Event source whose events are meant.")],
    event: Annotated[str, typer.Option(help="Name of the events.")],
    since: Annotated[str, typer.Option(help="Not older than a time or duration (2h).")],
    until: Annotated[str, typer.Option(help="Older than a time or duration.")] = "",
    sensor: Annotated[
        str, typer.Option(metavar="SENSOR[/TRIGGER]", help="Only through this one.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would run.")] = False,
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Namespace.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    api: APIOption = None,
) -> None:
    """
    Send archived events through running sensors again.

    Events keep their ids, and so do actions: a target that is told of the id does nothing twice.
    Exit status: 0 all succeeded, 1 some have become dead letters or were not done.
    """
    name, _, trigger = sensor.partition("/")
    body = {
        "eventSource": source,
        "eventName": event,
        "since": since,
        "until": until,
        "sensor": name,
        "trigger": trigger,
        "dryRun": dry_run,
        "namespace": namespace,
    }
    replayed = call(api, "POST", "/api/v1/replay", body, timeout=3600)
    if as_json:
        typer.echo(json.dumps(replayed, indent=2))
    else:
        _show(replayed)
    if any(each["succeeded"] is False or each["error"] for each in replayed):
        raise typer.Exit(1)


def _show(replayed: list[dict[str, Any]]) -> None:
    rows = [
        (_events(each["events"]), f"{each['sensor']}/{each['trigger']}", _result(each))
        for each in replayed
    ]
    typer.echo(table(("EVENTS", "TRIGGER", "RESULT"), rows, "nothing acts on these events"))
    if any(each["succeeded"] is False for each in replayed):
        typer.echo("tiphys deadletters list: what failed, and why")


def _result(replayed: dict[str, Any]) -> str:
    """What became of an action, for a column."""
    if replayed["error"]:
        return f"not done: {replayed['error']}"
    return RESULTS[replayed["succeeded"]]


def _events(ids: list[str]) -> str:
    """Some ids for a column."""
    more = f" and {len(ids) - MOST} more" if len(ids) > MOST else ""
    return ", ".join(ids[:MOST]) + more
