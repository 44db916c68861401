"""``tiphys schema``: the JSON schema of the manifests."""

from __future__ import annotations

import json

import typer

from tiphys.manifests import schema as schemas
from tiphys.runtime.components import InstalledComponents


def schema() -> None:
    """
    Print the JSON schema of the manifests, for editors.

    It covers EventSource, EventBus, Sensor, Secret and ConfigMap, with the options of every
    component whose modules are installed.
    """
    typer.echo(json.dumps(schemas.schema(InstalledComponents()), indent=2, ensure_ascii=False))
