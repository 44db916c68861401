"""
Looks for everything that is wrong with loaded manifests.

Three degrees: what Argo Events refuses is an error; what it accepts but cannot work with, unknown
keys among it, is an error for ``tiphys lint`` and a warning for those that run manifests; what is
probably not meant is a warning.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tiphys.manifests.components import Components
from tiphys.manifests.findings import FieldPath, Finding
from tiphys.manifests.loader import Loaded
from tiphys.manifests.objects import (
    AnyManifest,
    ConfigMap,
    EventBus,
    EventSource,
    Metadata,
    Secret,
    Sensor,
)
from tiphys.manifests.rules import (
    event_bus,
    event_source,
    extensions,
    filters,
    triggers,
    unknown_keys,
)
from tiphys.manifests.rules._report import Scope
from tiphys.manifests.rules.references import Others

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME_LENGTH = 253


def lint(
    loaded: Loaded, components: Components, *, strict: bool = False, portable: bool = False
) -> list[Finding]:
    """
    What the rules find in all objects; what loading found is in ``loaded.findings``.

    *strict*: what Argo Events accepts but cannot work with is an error, not a warning.
    *portable*: every extension that Argo Events does not know is an error.
    """
    found: list[Finding] = []
    manifests = [*loaded.objects, *loaded.damaged]
    others = Others(manifests)
    for manifest in manifests:
        scope = Scope(manifest.origin, (), [], components, strict)
        try:
            check(scope, manifest, others)
            if portable:
                extensions.check(scope, manifest)
        except Exception as error:  # noqa: BLE001  a bug of ours must not hide what is wrong elsewhere
            scope.refuse(
                f"cannot be checked, because of a bug of Tiphys: {type(error).__name__}: {error}",
                rule="bug",
                hint="please report it, with this manifest",
            )
        found += [finding for finding in scope.findings if not _follows(finding, manifest)]
    return list(dict.fromkeys(found))


def in_order(findings: Iterable[Finding], files: Sequence[str]) -> list[Finding]:
    """*findings* in the order of *files*, those of each file by line."""
    order = {file: number for number, file in enumerate(files)}
    return sorted(
        findings,
        key=lambda finding: (
            order.get(finding.file, -1),
            finding.line or 0,
            finding.column or 0,
        ),
    )


def check(scope: Scope, manifest: AnyManifest, others: Others) -> None:
    """Apply every rule to one object."""
    _check_name(scope, manifest)
    _check_keys(scope, manifest)
    others.check(scope, manifest)
    spec = scope.at("spec")
    match manifest:
        case EventSource():
            event_source.check(spec, manifest.spec)
        case EventBus():
            event_bus.check(spec, manifest.spec)
        case Sensor():
            bus = others.bus_of(manifest)
            stan = bus is not None and bus.spec.driver == "nats"
            dependencies = manifest.spec.dependencies
            filters.check(spec.at("dependencies"), dependencies, stan=stan)
            names = filters.names_of(dependencies)
            triggers.check(spec.at("triggers"), manifest.spec.triggers, names)


def _check_name(scope: Scope, manifest: AnyManifest) -> None:
    at = scope.at("metadata", "name")
    if not manifest.name:
        at.refuse("`metadata.name` is missing", rule="name")
    elif not _NAME.fullmatch(manifest.name) or len(manifest.name) > _NAME_LENGTH:
        at.refuse(
            f"the name `{manifest.name}` is not possible in Kubernetes",
            rule="name",
            hint="small letters, digits, `-` and `.`, a letter or digit first and last",
        )
    elif isinstance(manifest, EventSource | Sensor) and "." in manifest.name:
        at.broken("name", f"the name `{manifest.name}` holds a `.`, which the bus does not allow")


def _check_keys(scope: Scope, manifest: AnyManifest) -> None:
    unknown_keys.check(scope.at("metadata"), Metadata, manifest.data.get("metadata"))
    if isinstance(manifest, Secret | ConfigMap):
        keys = unknown_keys.known_keys(type(manifest.spec), scope)
        unknown_keys.check_top(scope, manifest.data, ["apiVersion", "kind", "metadata", *keys])
        return
    unknown_keys.check_top(scope, manifest.data)
    unknown_keys.check(scope.at("spec"), type(manifest.spec), manifest.data.get("spec"))


def _follows(finding: Finding, manifest: AnyManifest) -> bool:
    """Does the rule only complain about a value that was taken out because it did not fit?"""
    return any(_touches(finding.steps, misfit) for misfit in manifest.misfits)


def _touches(one: FieldPath, other: FieldPath) -> bool:
    length = min(len(one), len(other))
    return one[:length] == other[:length]
