"""``tiphys replay``: archived events go through sensors again."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from tiphys.cli._client import APIOption, call
from tiphys.cli._tables import table


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
        return
    verb = "WOULD RUN" if dry_run else "RAN"
    rows = [
        (each["event"], f"{each['sensor']}/{each['trigger']}", str(each["actions"]))
        for each in replayed
    ]
    typer.echo(table(("EVENT", "TRIGGER", verb), rows, "no event passed the filters"))
