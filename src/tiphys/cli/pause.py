"""``tiphys pause``: let a sensor, or one of its triggers, take no more events."""

from __future__ import annotations

from typing import Annotated

import typer

from tiphys.cli._client import APIOption, call, segment

Target = Annotated[
    str, typer.Argument(metavar="SENSOR[/TRIGGER]", help="The sensor, or one trigger of it.")
]
Namespace = Annotated[str, typer.Option("--namespace", "-n", help="Namespace of the sensor.")]


def pause(target: Target, namespace: Namespace = "", api: APIOption = None) -> None:
    """
    Let events wait on the bus until `tiphys resume`, also over restarts.

    Actions that have begun end.
    """
    change("pause", target, namespace, api)


def change(verb: str, target: str, namespace: str, api: str | None) -> None:
    """Pause or resume, and print how the triggers fare then.  Raises :exc:`APIError`."""
    sensor, slash, trigger = target.partition("/")
    if not sensor or (slash and not trigger):
        raise typer.BadParameter(f"{target!r} is neither SENSOR nor SENSOR/TRIGGER")
    path = f"/api/v1/sensors/{segment(namespace or '-')}/{segment(sensor)}/{verb}"
    for status in call(api, "POST", path, {"trigger": trigger}):
        if trigger in ("", status["trigger"]):
            known = ("", status["phase"])
            reason = "" if status["reason"] in known else f" ({status['reason']})"
            typer.echo(f"{sensor}/{status['trigger']}: {status['phase']}{reason}")
