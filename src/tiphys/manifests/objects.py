"""The objects that manifests describe, each with the place where it was written."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import Field

from tiphys.manifests.common import Block
from tiphys.manifests.event_bus import EventBusSpec
from tiphys.manifests.event_source import EventSourceSpec
from tiphys.manifests.findings import FieldPath, Origin
from tiphys.manifests.secret import ConfigMapSpec, SecretSpec
from tiphys.manifests.sensor import SensorSpec

API_VERSION = "argoproj.io/v1alpha1"
DEFAULT_BUS = "default"

SpecT = TypeVar("SpecT", bound=Block)


class Metadata(Block):
    """Name and labels of an object; what else Kubernetes has here is kept and not looked at."""

    name: str = Field("", description="Name, unique among objects of its kind.")
    namespace: str = Field("", description="Namespace; empty: where the program runs.")
    labels: dict[str, str] = Field({}, description="Labels.")
    annotations: dict[str, str] = Field({}, description="Annotations.")


@dataclasses.dataclass(frozen=True)
class Manifest(Generic[SpecT]):
    """
    One object.

    *data* is the document as it was read.  *misfits* are the paths of values that did not fit and
    are missing from *spec*: an object with any is good enough to look for more mistakes, not to
    run.
    """

    kind: ClassVar[str]
    api_version: ClassVar[str] = API_VERSION

    metadata: Metadata
    spec: SpecT
    origin: Origin = dataclasses.field(repr=False)
    data: dict[str, Any] = dataclasses.field(repr=False)
    misfits: tuple[FieldPath, ...] = ()

    @property
    def name(self) -> str:
        """``metadata.name``."""
        return self.metadata.name

    @property
    def namespace(self) -> str:
        """``metadata.namespace``; empty: where the program runs."""
        return self.metadata.namespace


class EventSource(Manifest[EventSourceSpec]):
    """Where events come from."""

    kind = "EventSource"


class EventBus(Manifest[EventBusSpec]):
    """How events travel."""

    kind = "EventBus"


class Sensor(Manifest[SensorSpec]):
    """What is done about events."""

    kind = "Sensor"


class Secret(Manifest[SecretSpec]):
    """Values that must not be seen."""

    kind = "Secret"
    api_version = "v1"


class ConfigMap(Manifest[ConfigMapSpec]):
    """Values that may be seen."""

    kind = "ConfigMap"
    api_version = "v1"


AnyManifest = EventSource | EventBus | Sensor | Secret | ConfigMap


@dataclasses.dataclass(frozen=True)
class Other:
    """An object of a kind that is none of ours."""

    kind: str
    name: str
    origin: Origin = dataclasses.field(repr=False)
    data: dict[str, Any] = dataclasses.field(repr=False)
