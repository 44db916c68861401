"""What should run, as the manifests on disk say it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path

from tiphys.manifests.findings import Finding
from tiphys.manifests.lint import lint
from tiphys.manifests.loader import Loaded, load
from tiphys.manifests.objects import (
    DEFAULT_BUS,
    AnyManifest,
    ConfigMap,
    EventBus,
    EventSource,
    Secret,
    Sensor,
)
from tiphys.runtime.components import InstalledComponents
from tiphys.runtime.secrets import Kind

Key = tuple[str, str, str]
"""Kind, namespace and name of an object."""


@dataclasses.dataclass(frozen=True)
class Desired:
    """
    The objects that can run, and what is to be said about them and the others.

    *broken* are the files in which something is wrong; what ran from them before, and cannot be
    read now, goes on as it was.
    """

    objects: Mapping[Key, AnyManifest]
    findings: list[Finding]
    broken: frozenset[str]

    @property
    def event_sources(self) -> dict[Key, EventSource]:
        """The EventSources."""
        return {k: m for k, m in self.objects.items() if isinstance(m, EventSource)}

    @property
    def sensors(self) -> dict[Key, Sensor]:
        """The Sensors."""
        return {k: m for k, m in self.objects.items() if isinstance(m, Sensor)}

    @property
    def event_buses(self) -> dict[Key, EventBus]:
        """The EventBuses that are written down; ``default`` exists without."""
        return {k: m for k, m in self.objects.items() if isinstance(m, EventBus)}

    def values(self) -> dict[tuple[Kind, str, str], dict[str, bytes]]:
        """The values of Secrets and ConfigMaps."""
        values: dict[tuple[Kind, str, str], dict[str, bytes]] = {}
        for (_, namespace, name), manifest in self.objects.items():
            if isinstance(manifest, Secret):
                values["Secret", namespace, name] = manifest.spec.values()
            elif isinstance(manifest, ConfigMap):
                values["ConfigMap", namespace, name] = manifest.spec.values()
        return values

    def keeping(self, previous: Desired) -> Desired:
        """This, with what ran from files that are broken now and cannot be read from them."""
        kept = {
            key: manifest
            for key, manifest in previous.objects.items()
            if manifest.origin.file in self.broken
        }
        return dataclasses.replace(self, objects={**kept, **self.objects})


NOTHING = Desired({}, [], frozenset())


def read(paths: Iterable[Path | str], namespace: str) -> Desired:
    """Load and check the manifests of *paths*; objects without a namespace get *namespace*."""
    loaded = load(paths)
    findings = [*loaded.findings, *lint(loaded, InstalledComponents())]
    errors = [finding for finding in findings if finding.severity == "error"]
    objects = {
        (manifest.kind, manifest.namespace or namespace, manifest.name): manifest
        for manifest in _without_errors(loaded, errors)
    }
    return Desired(objects, findings, frozenset(finding.file for finding in errors))


def bus_name(manifest: EventSource | Sensor) -> str:
    """The EventBus that an object uses."""
    return manifest.spec.event_bus_name or DEFAULT_BUS


def _without_errors(loaded: Loaded, errors: Iterable[Finding]) -> list[AnyManifest]:
    """The objects none of the errors is in: an error belongs to the object that begins last."""
    starts: dict[str, list[tuple[int, AnyManifest]]] = {}
    for manifest in [*loaded.objects, *loaded.damaged]:
        place = manifest.origin.place(())
        line = 1 if place is None else place.line
        starts.setdefault(manifest.origin.file, []).append((line, manifest))
    wrong = set()
    for error in errors:
        before = [
            (line, manifest)
            for line, manifest in starts.get(error.file, [])
            if error.line is None or line <= error.line
        ]
        if before:
            wrong.add(id(max(before, key=lambda found: found[0])[1]))
    return [manifest for manifest in loaded.objects if id(manifest) not in wrong]
