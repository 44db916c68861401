"""``tiphys events``: what is on the bus."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from tiphys.cli._client import APIOption, call, lines, query, segment
from tiphys.cli._tables import table
from tiphys.errors import TiphysError

PATH = "/api/v1/events"
PATIENCE = 600.0  # seconds for an answer about all events there are
app = typer.Typer(help="Events on the bus.", no_args_is_help=True, rich_markup_mode=None)

Source = Annotated[str, typer.Option(help="Only of this event source.")]
Event = Annotated[str, typer.Option(help="Only of this name.")]
Since = Annotated[str, typer.Option(help="Not older than a time or duration.")]


@app.command("list")
def list_(
    source: Source = "",
    event: Event = "",
    since: Since = "1h",
    status: Annotated[
        str,
        typer.Option(
            help="Only: acted on, filtered, waiting, set aside, failing, dead-lettered or pending."
        ),
    ] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 1000,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    api: APIOption = None,
) -> None:
    """List events and what became of them, oldest first."""
    chosen = query(source=source, event=event, since=since, status=status, limit=str(limit))
    found = call(api, "GET", PATH + chosen, timeout=PATIENCE)
    if len(found) == limit:
        typer.echo(f"the newest {limit}; there may be more: --limit", err=True)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    rows = [
        (
            each["id"],
            each["time"][:19].replace("T", " "),
            f"{each['event_source']}/{each['event_name']}",
            str(each["size"]),
            each["status"],
        )
        for each in found
    ]
    typer.echo(table(("ID", "TIME (UTC)", "EVENT", "BYTES", "STATUS"), rows, "no events"))


@app.command()
def tail(source: Source = "", event: Event = "", api: APIOption = None) -> None:
    """Print events as they come, a line of JSON each, until interrupted."""
    for each in lines(api, f"{PATH}/tail" + query(source=source, event=event)):
        typer.echo(json.dumps(each))


@app.command()
def show(
    event_id: Annotated[str, typer.Argument(metavar="ID", help="Id, or its beginning.")],
    api: APIOption = None,
) -> None:
    """Print an event with its data."""
    typer.echo(json.dumps(call(api, "GET", f"{PATH}/{segment(event_id)}"), indent=2))


@app.command()
def record(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write the events.")],
    source: Source = "",
    event: Event = "",
    since: Since = "1h",
    api: APIOption = None,
) -> None:
    """Write events into files, as fixtures for `tiphys test`."""
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    chosen = query(source=source, event=event, since=since, data="true")
    found = call(api, "GET", PATH + chosen, timeout=PATIENCE)
    digits = max(4, len(str(len(found))))  # files are read in the order of their names
    for number, each in enumerate(found, 1):
        event_name = each["subject"].replace("/", "_")  # which leads to no other folder
        path = folder / f"{number:0{digits}}-{each['source']}-{event_name}.json"
        with _writing(path):
            path.write_text(json.dumps(each, indent=2) + "\n")
        typer.echo(path)
    if not found:
        typer.echo("no events", err=True)


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn what keeps *path* from being written into a :exc:`TiphysError`."""
    try:
        yield
    except OSError as error:
        raise TiphysError(
            f"{path} cannot be written: {error.strerror}; "
            "name a folder that you may write to, or one that is not there yet"
        ) from error
