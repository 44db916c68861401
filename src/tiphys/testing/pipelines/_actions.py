"""Renders the actions of a trigger and sends nothing."""

from __future__ import annotations

import dataclasses
import ssl
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from tiphys.errors import SecretError, TiphysError
from tiphys.events import CloudEvent
from tiphys.languages import LanguageError
from tiphys.manifests.common import TLS, ConfigMapRef, KeySelector, Parameter, SecretRef
from tiphys.sensors.actions import Action as Decided
from tiphys.sensors.plan import ActionPlan
from tiphys.sensors.rendering import Renderer
from tiphys.testing.pipelines._confinement import unstarted
from tiphys.triggers import Firing, Trigger, TriggerContext, triggers

INSTRUCTIONS = ("parameters", "payload")  # members that say how the action is made


@dataclasses.dataclass(frozen=True)
class Action:
    """
    What a trigger would do.

    *number* is that of the event, from 1, that set it in motion; *events* are all that take part,
    by dependency, and *origins* their ids on the bus where they are made of several.  *type* is
    the manifest key of the trigger and *block* its options, parameters applied; *options* has those
    as well that the manifest leaves to their defaults.  *content* is the payload that would be
    sent, *fetched* the object that would be created, parameters applied.  With an *error* there is
    nothing that could be sent.
    """

    sensor: str
    trigger: str
    type: str
    number: int
    at: datetime
    id: str
    events: Mapping[str, CloudEvent]
    block: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    content: bytes | None = None
    fetched: bytes | None = None
    error: str = ""
    origins: tuple[str, ...] = ()

    @property
    def event_ids(self) -> tuple[str, ...]:
        """The ids on the bus of the events that take part."""
        return self.origins or tuple(event.id for event in self.events.values())

    @property
    def payload(self) -> Any:
        """The payload as JSON data; as text where it is no JSON, None where there is none."""
        return _value(self.content)

    @property
    def resource(self) -> Any:
        """The object that would be created; like :attr:`payload`."""
        return _value(self.fetched)

    def document(self) -> dict[str, Any]:
        """The action for people, without what does not exist."""
        if self.error:
            return {"error": self.error}
        shown: dict[str, Any] = {self.type: dict(self.block)}
        if self.content is not None:
            shown["payload"] = self.payload
        if self.fetched is not None:
            shown["resource"] = self.resource
        return shown


class DryTrigger:
    """One trigger of a sensor, which renders like the running one and never acts."""

    def __init__(
        self, namespace: str, sensor: str, plan: ActionPlan, within: Path | None = None
    ) -> None:
        """
        *within*: no file outside of this folder is read.

        Raises :exc:`ParameterError` where the trigger's options are wrong.
        """
        self.plan = plan
        self._namespace = namespace
        self._sensor = sensor
        self._trigger = unstarted(triggers.get(plan.key), within)
        self._renderer = Renderer(plan, self._trigger)

    async def act(self, decided: Decided, number: int, at: datetime) -> Action:
        """The action that *decided* comes to; never fails."""
        action = Action(
            sensor=self._sensor,
            trigger=self.plan.name,
            type=self.plan.key,
            number=number,
            at=at,
            id=decided.id,
            events={name: event.cloud_event for name, event in decided.events.items()},
            origins=decided.origins,
        )
        try:
            async with AsyncExitStack() as stack:
                # Only the context: what a trigger opens when it starts is not needed to render.
                await Trigger.start(self._trigger, self._context(stack))
                firing = await self._renderer.render(
                    self._namespace, self._sensor, decided.id, decided.events
                )
                return dataclasses.replace(action, **_rendered(firing))
        except (TiphysError, LanguageError) as error:
            return dataclasses.replace(action, error=str(error))

    def _context(self, stack: AsyncExitStack) -> TriggerContext:
        secrets = _NoSecrets()
        return TriggerContext(
            namespace=self._namespace,
            sensor=self._sensor,
            trigger=self.plan.name,
            secret=secrets.secret,
            config_map=secrets.config_map,
            tls=secrets.tls,
            stack=stack,
        )


class _NoSecrets:
    """Tells no secret."""

    async def secret(self, ref: SecretRef) -> str:
        raise _withheld("Secret", ref)

    async def config_map(self, ref: ConfigMapRef) -> str:
        raise _withheld("ConfigMap", ref)

    async def tls(self, _tls: TLS) -> ssl.SSLContext:
        raise SecretError("certificates are not read here")


def _withheld(kind: str, ref: KeySelector) -> SecretError:
    return SecretError(f"{kind} {ref.name!r}, key {ref.key!r}: values are not read here")


def _rendered(firing: Firing[Any]) -> dict[str, Any]:
    """The members of an action that *firing* gives."""
    config = firing.config
    options = config.model_dump(mode="json", by_alias=True)
    block = config.model_dump(mode="json", by_alias=True, exclude_unset=True)
    for name, field in type(config).model_fields.items():
        key = field.alias or name
        value = getattr(config, name)
        if name in INSTRUCTIONS:
            options.pop(key, None)
            block.pop(key, None)
        elif isinstance(value, list) and any(isinstance(each, Parameter) for each in value):
            options[key] = block[key] = {each.dest: firing.resolve(each) for each in value}
    return {
        "block": block,
        "options": options,
        "content": firing.payload,
        "fetched": firing.resource,
    }


def _value(content: bytes | None) -> Any:
    """JSON data where it is JSON, otherwise text."""
    if content is None:
        return None
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return content.decode("utf-8", "replace")
