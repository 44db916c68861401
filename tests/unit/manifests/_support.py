"""A small set of components, and short ways to lint a text."""

from __future__ import annotations

import textwrap
from collections.abc import Collection
from typing import Any

from pydantic import Field

from tiphys.errors import MissingExtraError
from tiphys.manifests.common import EXTENSION, Parameter, SourceConfig, TriggerConfig
from tiphys.manifests.findings import Finding
from tiphys.manifests.known import Replicas
from tiphys.manifests.lint import lint
from tiphys.manifests.loader import load_text
from tiphys.manifests.webhook import WebhookContext


class Webhook(SourceConfig, WebhookContext):
    """Options of an event type that exists."""


class Hub(SourceConfig):
    """Options of an event type with a context of its own, which cannot work."""

    webhook: WebhookContext = Field(description="Where the endpoint is.")
    place: str = Field("", description="Where the hook is.")

    def flaws(self) -> list[str]:
        return ["`place` is nowhere"]

    def doubts(self) -> list[str]:
        return ["nobody needs this"]


class Clock(SourceConfig):
    """Options of an event type that Argo Events does not have."""

    every: int = Field(description="Seconds.")


class Call(TriggerConfig):
    """Options of a trigger type that exists."""

    url: str = Field("", description="Where to.")
    payload: list[Parameter] | None = Field(None, description="The body.")
    headers: dict[str, str] = Field({}, description="Headers.")
    method: str = Field("", description="How.", json_schema_extra={"extensionValues": ["QUERY"]})
    retry_after: bool = Field(False, description="Heed it.", json_schema_extra=EXTENSION)


class Shell(TriggerConfig):
    """Options of a trigger type that Argo Events does not have."""

    command: str = Field("", description="What to run.")


class FewComponents:
    """Two event types and two trigger types; one of each needs a module that is not there."""

    sources: dict[str, tuple[type[SourceConfig], Replicas]] = {  # noqa: RUF012
        "webhook": (Webhook, "many"),
        "clock": (Clock, "one"),
        "hub": (Hub, "many"),
    }
    triggers: dict[str, type[TriggerConfig]] = {"http": Call, "shell": Shell}  # noqa: RUF012

    def source_keys(self) -> Collection[str]:
        return [*self.sources, "kafka"]

    def source_model(self, key: str) -> type[SourceConfig]:
        if key == "kafka":
            raise MissingExtraError("event source", key, "aiokafka")
        return self.sources[key][0]

    def source_replicas(self, key: str) -> Replicas:
        if key == "kafka":
            raise MissingExtraError("event source", key, "aiokafka")
        return self.sources[key][1]

    def check_source(self, key: str, config: Any) -> list[str]:
        return ["endpoint can't be empty"] if key == "webhook" and not config.endpoint else []

    def trigger_keys(self) -> Collection[str]:
        return [*self.triggers, "pulsar"]

    def trigger_model(self, key: str) -> type[TriggerConfig]:
        if key == "pulsar":
            raise MissingExtraError("trigger", key, "pulsar")
        return self.triggers[key]

    def check_trigger(self, key: str, config: Any) -> list[str]:
        return ["server URL is not specified"] if key == "http" and not config.url else []


def findings(text: str, *, strict: bool = True, portable: bool = False) -> list[Finding]:
    """All findings of a text, those of loading first."""
    loaded = load_text(textwrap.dedent(text), "m.yaml")
    found = lint(loaded, FewComponents(), strict=strict, portable=portable)
    return [*loaded.findings, *found]


def told(found: list[Finding]) -> list[tuple[str, str, str]]:
    """Severity, path and message of each finding."""
    return [(finding.severity, finding.path, finding.message) for finding in found]


def sensor(dependencies: str, triggers: str = "") -> str:
    """A Sensor; the blocks are given as flow YAML."""
    triggers = triggers or "[{template: {name: call, http: {url: 'http://localhost'}}}]"
    return (
        "apiVersion: argoproj.io/v1alpha1\n"
        "kind: Sensor\n"
        "metadata: {name: sensor}\n"
        "spec:\n"
        f"  dependencies: {dependencies}\n"
        f"  triggers: {triggers}\n"
    )


def sensor_errors(dependencies: str, triggers: str = "") -> list[tuple[str, str]]:
    """Path below ``spec`` and message of each error in a sensor."""
    return [
        (finding.path.removeprefix("spec."), finding.message)
        for finding in findings(sensor(dependencies, triggers))
        if finding.severity == "error"
    ]
