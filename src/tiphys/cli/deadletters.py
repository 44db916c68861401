"""``tiphys deadletters``: actions that failed for good, and their second chance."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from tiphys.cli._client import APIOption, call, query, segment
from tiphys.cli._tables import table
from tiphys.errors import TiphysError

PATH = "/api/v1/dead-letters"
app = typer.Typer(help="Actions that failed for good.", no_args_is_help=True, rich_markup_mode=None)

IDs = Annotated[list[str] | None, typer.Argument(metavar="ID", help="Ids, or their beginnings.")]
Sensor = Annotated[str, typer.Option(help="Only of this sensor.")]
Trigger = Annotated[str, typer.Option(help="Only of this trigger.")]
Error = Annotated[str, typer.Option(help="Only with this in the error.")]
Since = Annotated[str, typer.Option(help="Not older than a time or duration (2h).")]
Until = Annotated[str, typer.Option(help="Older than a time or duration.")]
AsJSON = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_(
    sensor: Sensor = "",
    trigger: Trigger = "",
    error: Error = "",
    since: Since = "",
    until: Until = "",
    as_json: AsJSON = False,
    api: APIOption = None,
) -> None:
    """List dead letters, oldest first."""
    chosen = query(sensor=sensor, trigger=trigger, error=error, since=since, until=until)
    letters = call(api, "GET", PATH + chosen)
    if as_json:
        typer.echo(json.dumps(letters, indent=2))
        return
    rows = [
        (
            letter["id"][:12],
            letter["time"][:19].replace("T", " "),
            f"{letter['sensor']}/{letter['trigger']}",
            str(letter["attempts"]),
            letter["error"],
        )
        for letter in letters
    ]
    typer.echo(table(("ID", "TIME (UTC)", "TRIGGER", "ATTEMPTS", "ERROR"), rows, "no dead letters"))


@app.command()
def show(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="Id, or its beginning.")],
    api: APIOption = None,
) -> None:
    """Print everything about a dead letter."""
    typer.echo(json.dumps(call(api, "GET", f"{PATH}/{segment(letter_id)}"), indent=2))


@app.command()
def replay(
    ids: IDs = None,
    everything: Annotated[bool, typer.Option("--all", help="All that match.")] = False,
    edit: Annotated[
        bool, typer.Option("--edit", help="Change the payload in $EDITOR first.")
    ] = False,
    sensor: Sensor = "",
    trigger: Trigger = "",
    error: Error = "",
    since: Since = "",
    until: Until = "",
    api: APIOption = None,
) -> None:
    """
    Run failed actions again, as the running manifest has them.

    An action keeps its id, so that a target which did it already can know.
    """
    chosen = query(sensor=sensor, trigger=trigger, error=error, since=since, until=until)
    wanted = _wanted(ids, chosen, everything)
    if everything and edit:
        raise typer.BadParameter("--edit is for dead letters that are named, not for --all")
    if everything:
        results = call(api, "POST", f"{PATH}/replay{chosen}", timeout=3600)
    else:
        results = [_replayed(api, letter_id, edit) for letter_id in wanted]
    for result in results:
        if result["succeeded"]:
            typer.echo(f"{result['id'][:12]}  succeeded")
        else:
            typer.echo(f"{result['id'][:12]}  failed again: {result['error']}", err=True)
    raise typer.Exit(0 if all(result["succeeded"] for result in results) else 1)


@app.command()
def discard(
    ids: IDs = None,
    everything: Annotated[bool, typer.Option("--all", help="All that match.")] = False,
    sensor: Sensor = "",
    trigger: Trigger = "",
    error: Error = "",
    since: Since = "",
    until: Until = "",
    api: APIOption = None,
) -> None:
    """Remove dead letters for good."""
    chosen = query(sensor=sensor, trigger=trigger, error=error, since=since, until=until)
    wanted = _wanted(ids, chosen, everything)
    if everything:
        gone = call(api, "DELETE", PATH + chosen)["discarded"]
    else:
        gone = [
            known
            for letter_id in wanted
            for known in call(api, "DELETE", f"{PATH}/{segment(letter_id)}")["discarded"]
        ]
    typer.echo(f"{len(gone)} discarded")


def _wanted(ids: list[str] | None, chosen: str, everything: bool) -> list[str]:
    """The ids that are meant, none with --all; refuses what could mean more than was thought."""
    if everything and ids:
        raise typer.BadParameter("name dead letters by their ids, or say --all, not both")
    if everything:
        return []
    if not ids or not all(ids):
        raise typer.BadParameter("name dead letters by their ids, or say --all")
    if chosen:
        raise typer.BadParameter("filters such as --sensor go with --all, not with ids")
    return ids


def _replayed(api: str | None, letter_id: str, edit: bool) -> Any:
    path = f"{PATH}/{segment(letter_id)}"
    try:
        body = {"data": edited(call(api, "GET", path)["data"])} if edit else None
        return call(api, "POST", f"{path}/replay", body, timeout=600)
    except TiphysError as error:
        return {"id": letter_id, "succeeded": False, "error": str(error)}


def edited(data: Any) -> Any:
    """What a person has changed of *data*.  Raises :exc:`TiphysError`."""
    editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "payload.json"
        path.write_text(json.dumps(data, indent=2) + "\n")
        try:
            subprocess.run([*editor, str(path)], check=True)
            new = json.loads(path.read_text())
        except (OSError, subprocess.CalledProcessError) as error:
            raise TiphysError(f"{editor[0]} cannot be used as an editor: {error}") from error
        except ValueError as error:
            raise TiphysError(f"what you wrote is not JSON: {error}") from error
    if not isinstance(new, dict):
        raise TiphysError("what you wrote is not a JSON object: payloads by dependency")
    # What is left as it was stays as it is in the letter, which need not be JSON there.
    old = {name: json.dumps(value) for name, value in data.items()}
    return {name: value for name, value in new.items() if old.get(name) != json.dumps(value)}
