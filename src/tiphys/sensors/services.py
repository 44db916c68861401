"""What a sensor is given by whoever runs it."""

from __future__ import annotations

import dataclasses
import ssl
from typing import Protocol

from tiphys.aio import Clock, SystemClock
from tiphys.bus import Bus
from tiphys.languages.lua import WorkerPool
from tiphys.manifests.common import TLS, ConfigMapRef, SecretRef
from tiphys.observe.history import History
from tiphys.observe.metrics import Metrics
from tiphys.triggers import Egress


class Secrets(Protocol):
    """What triggers read secrets through; see :class:`tiphys.triggers.TriggerContext`."""

    async def secret(self, ref: SecretRef) -> str:
        """The value of a key of a Secret."""
        ...

    async def config_map(self, ref: ConfigMapRef) -> str:
        """The value of a key of a ConfigMap."""
        ...

    async def tls(self, tls: TLS) -> ssl.SSLContext:
        """The client context that *tls* describes."""
        ...


@dataclasses.dataclass(frozen=True)
class SensorServices:
    """What a sensor is given by whoever runs it."""

    bus: Bus
    secrets: Secrets
    metrics: Metrics
    history: History
    scripts: WorkerPool
    clock: Clock = dataclasses.field(default_factory=SystemClock)
    strict: bool = False
    allow_exec: bool = False
    egress: Egress = dataclasses.field(default_factory=Egress)
