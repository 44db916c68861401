"""
The types of API objects: what fields there are, and how lists and maps are merged.

``types/*.txt`` has the built-in ones.  A line without indent names a struct, the lines below
its fields, ``names: type``.  ``!`` after a struct's name makes it atomic: it is replaced as a
whole; ``?`` says that it may be absent, which is not the same as empty.

=====================================  ================================================
``string``, ``integer``, ``boolean``   scalars; also ``time``, ``bytes`` (base64),
                                       ``quantity`` and ``intstr`` (number or text)
``any``                                anything; objects merge by key, lists are atomic
``map T``, ``!map T``                  free keys; with ``!`` replaced as a whole
``atomic T``, ``set T``                lists that are replaced, or are sets of scalars
``list T by k1,k2 patch k``            items known by their keys; *k* is the one key that
                                       strategic merge patches use, where it differs
=====================================  ================================================
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, Literal

SCALARS = frozenset(["string", "integer", "boolean", "time", "bytes", "quantity", "intstr"])
Shape = Literal["any", "scalar", "struct", "map", "atomic", "set", "keyed"]


@dataclasses.dataclass(slots=True, eq=False)
class Type:
    """One type; which attributes count depends on *shape*."""

    shape: Shape
    scalar: str = ""
    fields: Mapping[str, Type] = dataclasses.field(default_factory=dict)
    element: Type | None = None
    keys: Sequence[str] = ()
    patch_key: str = ""
    whole: bool = False  # an object that is replaced, not merged
    open: bool = False  # a struct that keeps fields it does not know
    optional: bool = False  # a struct whose presence is a field of its own
    defaults: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # of keys

    def child(self, key: str) -> Type | None:
        """The type under a key of an object; None for a field that does not exist."""
        if self.shape == "struct":
            return self.fields.get(key, ANY if self.open else None)
        return self.element if self.shape == "map" else ANY

    @property
    def item(self) -> Type:
        """The type of a list's items."""
        return self.element or ANY

    def key_of(self, item: Any) -> tuple[Any, ...] | None:
        """What identifies *item* in a list; None for items that have no identity."""
        if self.shape == "set":
            return (item,)
        if self.shape != "keyed" or not isinstance(item, dict):
            return None
        return tuple(item.get(key, self.defaults.get(key)) for key in self.keys)


ANY = Type("any")
SCALAR = {name: Type("scalar", scalar=name) for name in SCALARS}
KEY_DEFAULTS = {"protocol": "TCP"}


@functools.cache
def builtin() -> Mapping[str, Type]:
    """All built-in structs by name."""
    directory = resources.files(__package__) / "types"
    blocks: dict[str, list[str]] = {}
    current = ""
    for name in ("meta", "core", "groups"):
        for line in (directory / f"{name}.txt").read_text().splitlines():
            if line.startswith("  "):
                blocks[current].append(line.strip())
            elif line and not line.startswith("#"):
                current = line
                blocks[current] = []
    structs = {
        name.rstrip("!?"): Type("struct", whole=name.endswith("!"), optional=name.endswith("?"))
        for name in blocks
    }
    for name, lines in blocks.items():
        structs[name.rstrip("!?")].fields = dict(_fields(lines, structs))
    return structs


def object_type(name: str) -> Type:
    """The type of whole objects of a built-in kind."""
    return whole_object(builtin()[name].fields)


def whole_object(fields: Mapping[str, Type], *, open: bool = False) -> Type:
    """An object type: *fields* below ``apiVersion``, ``kind`` and ``metadata``."""
    common = {
        "apiVersion": SCALAR["string"],
        "kind": SCALAR["string"],
        "metadata": builtin()["ObjectMeta"],
    }
    return Type("struct", fields={**fields, **common}, open=open)


def _fields(lines: Sequence[str], structs: Mapping[str, Type]) -> Any:
    for line in lines:
        names, _, text = line.partition(": ")
        for name in names.split():
            yield name, _parse(text.split(), structs)


def _parse(words: Sequence[str], structs: Mapping[str, Type]) -> Type:
    first = words[0]
    if first in SCALAR:
        return SCALAR[first]
    if first == "any":
        return ANY
    if first in ("map", "!map"):
        return Type("map", element=_parse(words[1:], structs), whole=first == "!map")
    if first in ("atomic", "set"):
        element = _parse(words[1:], structs)
        return Type("atomic" if first == "atomic" else "set", element=element)
    if first == "list":
        keys = words[3].split(",")
        return Type(
            "keyed",
            element=_parse(words[1:2], structs),
            keys=keys,
            patch_key=words[5] if len(words) > 4 else keys[0],
            defaults=KEY_DEFAULTS,
        )
    return structs[first]
