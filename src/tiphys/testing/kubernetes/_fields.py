"""
Sets of fields: which parts of an object somebody owns, and what changed between two objects.

A field is a path of the elements that ``FieldsV1`` uses: ``f:name`` for a member of an object,
``k:{…}`` for a list item with such keys, ``v:…`` for an item of a set.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tiphys.testing.kubernetes._types import Type

Path = tuple[str, ...]
MISSING = object()


@dataclasses.dataclass(slots=True)
class Changes:
    """The fields in which two objects differ."""

    added: set[Path] = dataclasses.field(default_factory=set)
    modified: set[Path] = dataclasses.field(default_factory=set)
    removed: set[Path] = dataclasses.field(default_factory=set)

    def __bool__(self) -> bool:
        """Whether they differ at all."""
        return bool(self.added or self.modified or self.removed)


def fields_of(value: Any, kind: Type) -> set[Path]:
    """The fields that an applied configuration owns: its leaves and its list items."""
    found: set[Path] = set()
    _collect(value, kind, (), found)
    return found


def compare(old: Any, new: Any, kind: Type) -> Changes:
    """What changed from *old* to *new*."""
    changes = Changes()
    _compare(old, new, kind, (), changes)
    return changes


def to_v1(paths: Iterable[Path]) -> dict[str, Any]:
    """A set as ``fieldsV1``."""
    tree: dict[str, Any] = {}
    for path in sorted(paths):
        node = tree
        for element in path[:-1]:
            node = node.setdefault(element, {})
        last = node.setdefault(path[-1], {})
        last["."] = {}
    return _without_lonely_dots(tree)


def from_v1(tree: Mapping[str, Any]) -> set[Path]:
    """The set that ``fieldsV1`` describes."""
    return set(_paths(tree, ()))


def printed(path: Path) -> str:
    """A path as messages show it: ``.spec.containers[name="main"].image``."""
    return "".join(_printed(element) for element in path)


def members(value: Any, kind: Type) -> Iterator[tuple[str, Any, Type]]:
    """The elements, values and types below *value*; nothing for leaves."""
    if isinstance(value, dict) and not is_leaf(value, kind):
        for key, item in value.items():
            child = kind.child(key)
            if child is not None:
                yield f"f:{key}", item, child
    elif isinstance(value, list) and not is_leaf(value, kind):
        for item in value:
            yield item_element(item, kind), item, kind.item


def is_leaf(value: Any, kind: Type) -> bool:
    """Whether *value* is owned as a whole."""
    if kind.whole or kind.shape in ("scalar", "atomic"):
        return True
    if isinstance(value, dict):
        return kind.shape not in ("struct", "map", "any")
    if not isinstance(value, list) or kind.shape not in ("keyed", "set"):
        return True
    keys = [item_element(item, kind) for item in value]
    return len(set(keys)) != len(keys)  # without identities they cannot be told apart


def item_element(item: Any, kind: Type) -> str:
    """The element for an item of a list with identities."""
    if kind.shape == "set":
        return "v:" + _json(item)
    values = kind.key_of(item) or ()
    found = {k: v for k, v in zip(kind.keys, values, strict=False) if v is not None}
    return "k:" + _json(found)


def _collect(value: Any, kind: Type, path: Path, found: set[Path]) -> None:
    if is_leaf(value, kind) or not value:
        if path:
            found.add(path)
        return
    for element, item, child in members(value, kind):
        here = (*path, element)
        if element[0] != "f":
            found.add(here)
        if element[0] != "v":
            _collect(item, child, here, found)


def _compare(old: Any, new: Any, kind: Type, path: Path, changes: Changes) -> None:
    sides = [side for side in (old, new) if side is not MISSING and side is not None]
    if kind.shape == "struct" and len(path) < 2 and not kind.optional and not any(sides):
        return
    if all(is_leaf(side, kind) or not side for side in sides):
        _compare_leaves(old, new, path, changes)
        return
    if len(sides) == 2 and type(old) is not type(new):
        _compare_leaves(old, new, path, changes)
        return
    if any(is_leaf(side, kind) for side in sides if side):
        _compare_leaves(old, new, path, changes)
        return
    if path and _counts(path, kind):
        if old is MISSING or old is None:
            changes.added.add(path)
        elif new is MISSING or new is None:
            changes.removed.add(path)
    before = {element: (item, child) for element, item, child in _below(old, kind)}
    after = {element: (item, child) for element, item, child in _below(new, kind)}
    for element in {**before, **after}:
        child = (after.get(element) or before[element])[1]
        was, is_now = (side.get(element, (MISSING,))[0] for side in (before, after))
        _compare(was, is_now, child, (*path, element), changes)


def _counts(path: Path, kind: Type) -> bool:
    """
    Whether an object or a list is a field besides what is in it.

    The parts of a built-in object that are always there are none.
    """
    if path[-1][0] != "f" or kind.optional:
        return True
    return kind.shape != "struct" and path[-1] != "f:containers"


def _below(side: Any, kind: Type) -> Iterator[tuple[str, Any, Type]]:
    return iter(()) if side is MISSING or side is None else members(side, kind)


def _compare_leaves(old: Any, new: Any, path: Path, changes: Changes) -> None:
    if not path or (old is MISSING and new is MISSING):
        return
    if old is MISSING:
        changes.added.add(path)
    elif new is MISSING:
        changes.removed.add(path)
    elif old != new:
        changes.modified.add(path)


def _without_lonely_dots(tree: dict[str, Any]) -> dict[str, Any]:
    """A leaf is an empty object; only what has fields below says ``.`` for itself."""
    if set(tree) == {"."}:
        return {}
    return {k: v if k == "." else _without_lonely_dots(v) for k, v in tree.items()}


def _paths(tree: Mapping[str, Any], path: Path) -> Iterator[Path]:
    for element, below in tree.items():
        if element == ".":
            yield path
        elif not below:
            yield (*path, element)
        else:
            yield from _paths(below, (*path, element))


def _printed(element: str) -> str:
    kind, text = element[0], element[2:]
    if kind == "f":
        return f".{text}"
    value = json.loads(text)
    if kind == "v":
        return f"[={json.dumps(value)}]"
    return "[" + ",".join(f"{key}={json.dumps(item)}" for key, item in value.items()) + "]"


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
