"""What objects say about each other."""

from __future__ import annotations

from collections.abc import Iterable

from tiphys.manifests.findings import nearest
from tiphys.manifests.objects import DEFAULT_BUS, AnyManifest, EventBus, EventSource, Sensor
from tiphys.manifests.rules._report import Scope


class Others:
    """All loaded objects, to look things up."""

    def __init__(self, objects: Iterable[AnyManifest]) -> None:
        self._first: dict[tuple[str, str, str], AnyManifest] = {}
        self._buses: dict[str, list[EventBus]] = {}
        self._sources: dict[str, list[EventSource]] = {}
        for found in objects:
            self._first.setdefault((found.kind, found.namespace, found.name), found)
            if isinstance(found, EventBus):
                self._buses.setdefault(found.name, []).append(found)
            elif isinstance(found, EventSource):
                self._sources.setdefault(found.name, []).append(found)

    def bus_of(self, manifest: EventSource | Sensor) -> EventBus | None:
        """The EventBus that *manifest* uses, when it is among them."""
        named = self._buses.get(manifest.spec.event_bus_name or DEFAULT_BUS, [])
        return next((bus for bus in named if _near(bus, manifest)), None)

    def check(self, scope: Scope, manifest: AnyManifest) -> None:
        """Report doubles of *manifest* and what it refers to in vain."""
        self._check_double(scope, manifest)
        if isinstance(manifest, EventSource | Sensor):
            self._check_bus(scope, manifest)
        if isinstance(manifest, Sensor):
            for index, dependency in enumerate(manifest.spec.dependencies):
                at = scope.at("spec", "dependencies", index)
                if dependency.event_source_name:
                    self._check_event(
                        at, manifest, dependency.event_source_name, dependency.event_name
                    )

    def _check_double(self, scope: Scope, manifest: AnyManifest) -> None:
        first = self._first.get((manifest.kind, manifest.namespace, manifest.name))
        if first is None or first is manifest or not manifest.name:
            return
        place = first.origin.place(())
        line = f":{place.line}" if place else ""
        scope.at("metadata", "name").broken(
            "duplicate",
            f"{first.origin.file}{line} has {manifest.kind} `{manifest.name}` already",
        )

    def _check_bus(self, scope: Scope, manifest: EventSource | Sensor) -> None:
        name = manifest.spec.event_bus_name
        if name in ("", DEFAULT_BUS) or self.bus_of(manifest) is not None:
            return
        near = nearest(name, self._buses)
        scope.at("spec", "eventBusName").warn(
            "reference", f"there is no EventBus `{name}` in these files{near}"
        )

    def _check_event(self, scope: Scope, sensor: Sensor, source: str, event: str) -> None:
        named = [found for found in self._sources.get(source, []) if _near(found, sensor)]
        if not named:
            hint = nearest(source, self._sources)
            scope.at("eventSourceName").warn(
                "reference", f"there is no EventSource `{source}` in these files{hint}"
            )
            return
        names = {
            name for found in named for events in found.spec.events.values() for name in events
        }
        if event and event not in names:
            scope.at("eventName").warn(
                "reference",
                f"the EventSource `{source}` has no event `{event}`{nearest(event, names)}",
            )


def _near(one: AnyManifest, other: AnyManifest) -> bool:
    """May they meet?  Where a namespace is not given, any may be meant."""
    return one.namespace == other.namespace or "" in (one.namespace, other.namespace)
