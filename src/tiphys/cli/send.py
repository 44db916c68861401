"""``tiphys send``: put a test event on the bus of a running instance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from tiphys.cli._client import APIOption, call
from tiphys.errors import TiphysError


def send(
    event_source: Annotated[str, typer.Argument(metavar="EVENTSOURCE", help="Whose event it is.")],
    event: Annotated[str, typer.Argument(metavar="EVENT", help="Name of the event.")],
    data: Annotated[
        str, typer.Option("--data", "-d", metavar="JSON|@FILE", help="Payload of the event.")
    ] = "{}",
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="Namespace of the event source.")
    ] = "",
    api: APIOption = None,
) -> None:
    """
    Put an event on the bus as if EVENTSOURCE had received it, and print its id.

    The payload is what sensors see as the event's data; a webhook's has the members `header` and
    `body`.
    """
    body = {
        "eventSource": event_source,
        "eventName": event,
        "data": payload(data),
        "namespace": namespace,
    }
    typer.echo(call(api, "POST", "/api/v1/events", body)["id"])


def payload(text: str) -> Any:
    """
    The JSON of *text*, or of the file that it names after ``@``.

    Raises :exc:`TiphysError`.
    """
    source = "the data"
    if text.startswith("@"):
        source = text[1:]
        try:
            text = Path(source).read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise TiphysError(f"{source} cannot be read: {error}") from error
    try:
        return json.loads(text)
    except ValueError as error:
        raise TiphysError(f"{source} is not JSON: {error}") from error
