"""Managed fields: who wrote what, and what a server-side apply does about it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from tiphys.testing.kubernetes._answers import ApiError
from tiphys.testing.kubernetes._decode import clone
from tiphys.testing.kubernetes._fields import (
    Path,
    compare,
    fields_of,
    from_v1,
    is_leaf,
    item_element,
    members,
    printed,
    to_v1,
)
from tiphys.testing.kubernetes._types import Type

Object = dict[str, Any]
BEFORE = "before-first-apply"  # who owns what nobody did when something is applied first
_UNTRACKED = frozenset(
    [("f:apiVersion",), ("f:kind",), ("f:metadata",)]
    + [
        ("f:metadata", f"f:{name}")
        for name in ("name", "namespace", "creationTimestamp", "selfLink", "uid", "generation",
                     "managedFields", "resourceVersion", "deletionTimestamp",
                     "deletionGracePeriodSeconds")
    ]
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class Manager:
    """Who writes, how, and in which version."""

    name: str
    operation: str
    api_version: str
    subresource: str = ""

    def printed(self) -> str:
        """As conflicts name it."""
        text = f'"{self.name}"'
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        return text if self.operation == "Apply" else f"{text} using {self.api_version}"


class Ownership:
    """The managed fields of one object."""

    def __init__(self, obj: Mapping[str, Any]) -> None:
        self._sets: dict[Manager, set[Path]] = {}
        self._times: dict[Manager, str] = {}
        for entry in (obj.get("metadata") or {}).get("managedFields") or []:
            manager = Manager(
                entry.get("manager", ""),
                entry["operation"],
                entry.get("apiVersion", ""),
                entry.get("subresource", ""),
            )
            self._sets[manager] = from_v1(entry.get("fieldsV1") or {})
            self._times[manager] = entry.get("time", "")

    @classmethod
    def given(cls, old: Mapping[str, Any], new: Mapping[str, Any]) -> Ownership:
        """
        What an update starts with: the entries that *new* brings, else those of *old*.

        One empty entry means none at all.
        """
        entries = (new.get("metadata") or {}).get("managedFields") or []
        if entries == [{}]:
            return cls({})
        return cls(new) if entries and all(map(_complete, entries)) else cls(old)

    def of(self, manager: Manager) -> set[Path]:
        """The fields of *manager*."""
        return self._sets.get(manager, set())

    def updated(self, manager: Manager, old: Object, new: Object, kind: Type, now: str) -> None:
        """
        *manager* wrote *new* over *old*: it owns what it changed, and nobody else does.

        Of an object that nobody owns anything of, nothing is tracked before the first apply.
        """
        if old and not self._sets:
            return
        changes = compare(old, new, kind)
        touched = (changes.added | changes.modified) - _UNTRACKED
        self._take(manager, touched, changes.removed)
        mine = (self.of(manager) - changes.removed) | touched
        if mine != self.of(manager) or touched:
            self._times[manager] = now
        self._set(manager, mine)

    def booked(self, manager: Manager, old: Object, kind: Type, now: str) -> None:
        """Before *manager* applies: what nobody owns gets an owner."""
        if not self._sets:
            before = dataclasses.replace(manager, name=BEFORE, operation="Update")
            self.updated(before, {}, old, kind, now)

    def applied(
        self, manager: Manager, mine: set[Path], old: Object, new: Object, kind: Type, now: str
    ) -> None:
        """*manager* applied a configuration with the fields *mine*."""
        changes = compare(old, new, kind)
        touched = (changes.added | changes.modified) - _UNTRACKED
        if mine != self.of(manager) or changes:
            self._times[manager] = now
        self._take(manager, touched, changes.removed)
        self._set(manager, mine)

    def conflicts(
        self, manager: Manager, old: Object, new: Object, kind: Type
    ) -> list[tuple[Manager, Path]]:
        """The changes from *old* to *new* that others own."""
        changes = compare(old, new, kind)
        touched = changes.added | changes.modified
        return [
            (other, path)
            for other, owned in self._sets.items()
            if other != manager
            for path in sorted(owned & touched)
        ]

    def others(self, manager: Manager) -> set[Path]:
        """The fields of everybody else."""
        return set().union(*(s for other, s in self._sets.items() if other != manager))

    def written(self) -> list[Object]:
        """The entries for ``metadata.managedFields``."""
        entries = [
            {
                "manager": manager.name,
                "operation": manager.operation,
                "apiVersion": manager.api_version,
                "time": self._times[manager],
                "fieldsType": "FieldsV1",
                "fieldsV1": to_v1(paths),
                **({"subresource": manager.subresource} if manager.subresource else {}),
            }
            for manager, paths in self._sets.items()
        ]
        return sorted(entries, key=lambda e: (e["operation"], e["time"], e["manager"]))

    def _take(self, manager: Manager, touched: set[Path], removed: set[Path]) -> None:
        for other in list(self._sets):
            lost = removed if other == manager else touched | removed
            self._set(other, self._sets[other] - lost)

    def _set(self, manager: Manager, paths: set[Path]) -> None:
        if paths:
            self._sets[manager] = paths
            self._times.setdefault(manager, "")
        else:
            self._sets.pop(manager, None)


def _complete(entry: Mapping[str, Any]) -> bool:
    """Whether a server can read an entry."""
    return (
        entry.get("operation") in ("Apply", "Update")
        and bool(entry.get("apiVersion"))
        and entry.get("fieldsType") == "FieldsV1"
    )


def tracked(config: Object, kind: Type) -> set[Path]:
    """The fields that applying *config* makes one's own."""
    return fields_of(config, kind) - _UNTRACKED


def merged(live: Any, config: Any, kind: Type) -> Any:
    """*live* with what *config* says."""
    if config is None or is_leaf(config, kind) or type(live) is not type(config):
        return clone(config)
    if isinstance(config, dict):
        result = clone(live)
        for key, item in config.items():
            child = kind.child(key)
            if child is not None:
                result[key] = merged(live[key], item, child) if key in live else clone(item)
        return result
    if is_leaf(live, kind):
        return clone(config)
    items = {item_element(item, kind): item for item in live}
    for item in config:
        element = item_element(item, kind)
        items[element] = merged(items[element], item, kind.item) if element in items else item
    return [clone(item) for item in items.values()]


def without(value: Any, kind: Type, gone: Iterable[Path], kept: set[Path]) -> Any:
    """
    *value* without the fields *gone*.

    A list item or an object stays while something below it is in *kept*.
    """
    drop = {path for path in gone if not _holds(path, kept)}
    return _pruned(value, kind, (), drop)


def _holds(path: Path, kept: set[Path]) -> bool:
    return any(other[: len(path)] == path for other in kept)


def _pruned(value: Any, kind: Type, path: Path, drop: set[Path]) -> Any:
    if not any(gone[: len(path)] == path for gone in drop) or is_leaf(value, kind):
        return clone(value)
    kept: list[tuple[str, Any]] = []
    for element, item, child in members(value, kind):
        here = (*path, element)
        if here in drop:
            continue
        rest = _pruned(item, child, here, drop)
        if item and not rest and isinstance(rest, (dict, list)):
            continue  # nothing is left of it
        kept.append((element, rest))
    if isinstance(value, list):
        return [item for _, item in kept]
    return {element[2:]: item for element, item in kept}


def apply_conflict(conflicts: list[tuple[Manager, Path]]) -> ApiError:
    """The 409 for an apply that would take fields from others."""
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f"conflict with {manager.printed()}",
            "field": printed(path),
        }
        for manager, path in conflicts
    ]
    if len(conflicts) == 1:
        message = f"Apply failed with 1 conflict: {causes[0]['message']}: {causes[0]['field']}"
    else:
        by_manager: dict[str, list[str]] = {}
        for manager, path in conflicts:
            by_manager.setdefault(manager.printed(), []).append(f"- {printed(path)}")
        parts = [
            f"conflicts with {name}:\n" + "\n".join(paths)
            for name, paths in sorted(by_manager.items())
        ]
        message = f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(parts)
    return ApiError(409, "Conflict", message, {"causes": causes})
