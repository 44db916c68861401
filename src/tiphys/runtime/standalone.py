"""
The standalone supervisor: event sources, sensors and buses of a folder of manifests in one process.

Whatever is wrong with one object is reported and stops no other.  A changed file restarts only
the objects that it changes.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import structlog

from tiphys.errors import TiphysError
from tiphys.events import CloudEvent
from tiphys.ingest import IngestServer
from tiphys.languages._workers import WorkerPool
from tiphys.manifests.findings import Finding
from tiphys.manifests.objects import EventSource, Sensor
from tiphys.observe.metrics import Metrics
from tiphys.runtime.buses import Buses
from tiphys.runtime.desired import NOTHING, Desired, Key, bus_name, read
from tiphys.runtime.secrets import SecretStore
from tiphys.sensors.runner import SensorRunner, SensorServices
from tiphys.sources._runner import EventSourceRunner
from tiphys.sources._store import BusStore

log = structlog.get_logger("argo-events.standalone")


@dataclasses.dataclass(frozen=True)
class Options:
    """How to run; see ``tiphys run --help``."""

    paths: Sequence[Path | str]
    namespace: str = "default"
    data_dir: Path = Path(".tiphys")
    secrets_dir: Path | None = None
    host: str = "0.0.0.0"
    sync: str = "2m"
    strict: bool = False
    allow_exec: bool = False
    grace: float = 10.0


@dataclasses.dataclass(frozen=True)
class Changes:
    """What a reload did: the objects that were started, restarted and stopped."""

    started: list[Key]
    restarted: list[Key]
    stopped: list[Key]

    def __bool__(self) -> bool:
        """Whether anything changed."""
        return bool(self.started or self.restarted or self.stopped)
