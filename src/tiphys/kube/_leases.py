"""Leases: who leads, and until when, written so that two never both believe it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tiphys.errors import NotFound
from tiphys.kube._resources import LEASES

if TYPE_CHECKING:
    from tiphys.kube._client import Client

_MOMENT = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclasses.dataclass(frozen=True, slots=True)
class Lease:
    """
    What a Lease object says (``coordination.k8s.io/v1``).

    *holder* is empty where nobody holds it, *seconds* how long it counts after *renewed*.
    *original* is the object as it was read, with its resource version.
    """

    holder: str = ""
    seconds: int = 0
    acquired: datetime | None = None
    renewed: datetime | None = None
    transitions: int = 0
    original: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> Lease:
        """Read an object."""
        spec = obj.get("spec") or {}
        return cls(
            spec.get("holderIdentity") or "",
            spec.get("leaseDurationSeconds") or 0,
            _moment(spec.get("acquireTime")),
            _moment(spec.get("renewTime")),
            spec.get("leaseTransitions") or 0,
            obj,
        )

    def spec(self) -> dict[str, Any]:
        """The ``spec`` that says this."""
        spec = {
            "holderIdentity": self.holder,
            "leaseDurationSeconds": self.seconds,
            "acquireTime": self.acquired and self.acquired.astimezone(UTC).strftime(_MOMENT),
            "renewTime": self.renewed and self.renewed.astimezone(UTC).strftime(_MOMENT),
            "leaseTransitions": self.transitions,
        }
        return {key: value for key, value in spec.items() if value is not None}


class Leases:
    """The leases of one namespace."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client = client
        self._namespace = namespace

    async def get(self, name: str) -> Lease | None:
        """The lease called *name*; None where there is none."""
        try:
            return Lease.of(await self._client.get(LEASES, name, self._namespace))
        except NotFound:
            return None

    async def create(self, name: str, lease: Lease) -> Lease:
        """Create it.  Raises :exc:`AlreadyExists` when somebody else was faster."""
        body = {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {"name": name, "namespace": self._namespace},
            "spec": lease.spec(),
        }
        return Lease.of(await self._client.create(LEASES, body, self._namespace))

    async def update(self, lease: Lease) -> Lease:
        """
        Write a lease that was read before and changed with ``dataclasses.replace``.

        Raises :exc:`UpdateConflict` when somebody else wrote it since.
        """
        body = {**lease.original, "spec": {**lease.original["spec"], **lease.spec()}}
        return Lease.of(await self._client.replace(LEASES, body))


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None
