"""What an event source makes of its events before they come to the bus."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import ValidationError

from tiphys.errors import ManifestError, TiphysError
from tiphys.events import CloudEvent
from tiphys.languages import LanguageError
from tiphys.languages.expr import source_filter
from tiphys.manifests.common import Filter, SourceConfig
from tiphys.manifests.findings import nearest
from tiphys.manifests.objects import EventSource
from tiphys.sources import sources
from tiphys.testing.pipelines._filters import Judgement
from tiphys.testing.pipelines._given import dumped

FILTER = "filter.expression"


@dataclasses.dataclass(frozen=True)
class _Event:
    """One event of the object."""

    type: str
    config: SourceConfig


class DrySource:
    """One EventSource object: its filters and its metadata, without its services."""

    def __init__(self, manifest: EventSource) -> None:
        self.manifest = manifest
        self.name = manifest.name
        self._events = {
            name: _Event(_event_type(key), _config(manifest, key, name, block))
            for key, events in manifest.spec.events.items()
            for name, block in events.items()
        }

    @property
    def filters(self) -> dict[str, str]:
        """The expressions of the filters by the names of their events."""
        return {
            name: event.config.filter.expression
            for name, event in self._events.items()
            if isinstance(event.config.filter, Filter)
        }

    def dispatched(
        self, event: CloudEvent, number: int, judgements: list[Judgement]
    ) -> tuple[CloudEvent, str]:
        """
        The event as it comes to the bus, and why it does not (empty: it does).

        Raises :exc:`ManifestError` when there is no such event here.
        """
        known = self._events.get(event.subject)
        if known is None:
            near = nearest(event.subject, self._events)
            raise ManifestError(
                f"the EventSource `{self.name}` has no event `{event.subject}`{near}"
            )
        event = dataclasses.replace(event, type=event.type or known.type)
        if known.config.metadata:
            event = dataclasses.replace(event, data=_with(event.data, known.config.metadata))
        if not isinstance(known.config.filter, Filter):
            return event, ""
        expression = known.config.filter.expression
        reason = _refusal(expression, event.data or b"null")
        judgements.append(
            Judgement(number, self.name, "", f"{event.subject}.{FILTER}", expression, not reason)
        )
        return event, reason


def _refusal(expression: str, data: bytes) -> str:
    """Why the filter drops an event; empty when it passes."""
    try:
        passes = source_filter.compile(expression).passes(data)
    except LanguageError as error:
        return f"the filter `{expression}` failed: {error}"
    return "" if passes else f"the filter `{expression}` is false"


def _with(data: bytes | None, metadata: Mapping[str, str]) -> bytes | None:
    """*data* with the manifest's metadata, as every event of it has."""
    try:
        members: Any = orjson.loads(data or b"null")
    except orjson.JSONDecodeError:
        return data
    return dumped({**members, "metadata": metadata}) if isinstance(members, dict) else data


def _event_type(key: str) -> str:
    """The CloudEvents type; the key where its component cannot be loaded."""
    try:
        return sources.get(key).event_type
    except TiphysError:
        return key


def _config(manifest: EventSource, key: str, name: str, block: Mapping[str, Any]) -> SourceConfig:
    """What every event of every type may have."""
    members = {field: block[field] for field in SourceConfig.model_fields if field in block}
    try:
        return SourceConfig.model_validate(members)
    except ValidationError as error:
        detail = error.errors(include_url=False, include_input=False)[0]
        path = ".".join(str(step) for step in ("spec", key, name, *detail["loc"]))
        raise ManifestError(detail["msg"], path=path, file=manifest.origin.file) from error
