"""
Values of expressions: those of templates, because Sprig's functions return them, and some more.

Texts are counted in bytes of UTF-8; a byte that is no UTF-8 is a surrogate escape (PEP 383).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tiphys.languages.expr._faults import Fault
from tiphys.languages.expr._functions import GoFunction, method_of
from tiphys.languages.template.printing import display, register_display
from tiphys.languages.template.text import encode
from tiphys.languages.template.values import (
    GoType,
    Int32,
    Int64,
    Ints,
    NilList,
    NilMap,
    NilStrings,
    Strings,
    Texts,
    Uint8,
    Uint32,
    Uint64,
    register,
    signed,
    type_name,
)

__all__ = [
    "UNSIGNED",
    "AnyMap",
    "Groups",
    "Ints",
    "NilGroups",
    "NilList",
    "NilStrings",
    "Pair",
    "Pairs",
    "Strings",
    "Texts",
    "Uint8",
    "check_json",
    "fetch",
    "is_integer",
    "is_nil",
    "is_number",
    "items_of",
    "member_of_map",
    "signed",
    "to_float",
    "to_int",
    "type_of",
]

UNSIGNED = (Uint8, Uint32, Uint64)
"""Integers that many functions do not take for numbers."""

_INTEGERS = frozenset((int, Int64, Int32, *UNSIGNED))
_NUMBERS = _INTEGERS | {float}
_MIN_INT = -(1 << 63)


class Pair(list[Any]):
    """A [2]any, one entry of ``toPairs``."""


class Pairs(list[Pair]):
    """A [][2]any, the result of ``toPairs``."""


class AnyMap(Mapping[Any, Any]):
    """A map whose keys may be of any type: 1, 1.0 and true are three keys."""

    def __init__(self) -> None:
        self._entries: dict[tuple[type, Any], tuple[Any, Any]] = {}

    def __getitem__(self, key: Any) -> Any:
        return self._entries[self._identity(key)][1]

    def __setitem__(self, key: Any, value: Any) -> None:
        self._entries[self._identity(key)] = (key, value)

    def __iter__(self) -> Iterator[Any]:
        return (key for key, _ in self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    @staticmethod
    def _identity(key: Any) -> tuple[type, Any]:
        if isinstance(key, list | Mapping | GoFunction):
            raise Fault(f"runtime error: hash of unhashable type {type_of(key)}")
        return type(key), key


class Groups(AnyMap):
    """The result of ``groupBy``; a key that is not there gives an empty list."""


class NilGroups(Groups):
    """What ``groupBy`` makes of an empty list: empty, and equal to nil."""


_NILS = (NilList, NilStrings, NilMap, NilGroups)
_ANY_MAP = "map[interface {}]interface {}"
_GROUPS = "map[interface {}][]interface {}"

register(Pair, GoType("[2]interface {}", "array"))
register(Pairs, GoType("[][2]interface {}", "slice"))
register(AnyMap, GoType(_ANY_MAP, "map"))
register(Groups, GoType(_GROUPS, "map"))
register(NilGroups, GoType(_GROUPS, "map", nil=True))


def type_of(value: Any) -> str:
    """Name the Go type of a value; anything that comes from outside is named by its class."""
    try:
        return type_name(value)
    except KeyError:
        return type(value).__name__


def is_nil(value: Any) -> bool:
    """Whether a value is nil or a collection that was never made."""
    return value is None or isinstance(value, _NILS)


def is_integer(value: Any) -> bool:
    """Whether a value is an integer of any size; durations and months are none."""
    return type(value) in _INTEGERS


def is_number(value: Any) -> bool:
    """Whether a value is an integer or a floating-point number."""
    return type(value) in _NUMBERS


def to_int(value: Any) -> int:
    """Convert a number to an integer, cutting its fraction off; raises Fault for other types."""
    if type(value) is float:
        # An amd64 processor gives the smallest integer for all that does not fit.
        return int(value) if -(2.0**63) <= value < 2.0**63 else _MIN_INT
    if type(value) in _INTEGERS:
        return signed(int(value))
    raise Fault(f"invalid operation: int({type_of(value)})")


def to_float(value: Any) -> float:
    """Convert a number to floating point; raises Fault for other types."""
    if type(value) in _NUMBERS:
        return float(value)
    raise Fault(f"invalid operation: float({type_of(value)})")


def check_json(value: Any) -> None:
    """
    Raise Fault if a value holds what JSON cannot: functions, and maps with keys of any type.

    The value has been written before, so its size is known to be bounded.
    """
    if isinstance(value, AnyMap | GoFunction):
        raise Fault(f"json: unsupported type: {type_of(value)}")
    if isinstance(value, list | dict):
        for member in value.values() if isinstance(value, dict) else value:
            check_json(member)


def items_of(value: Any) -> list[Any]:
    """
    Return the elements of a collection that a loop walks over.

    A loop over a map has as many turns as the map has keys, but no elements. Raises Fault.
    """
    if isinstance(value, list):
        return value
    if type(value) is str:
        return [Uint8(byte) for byte in encode(value)]
    if isinstance(value, Mapping):
        return _Unreachable(None for _ in value)
    shown = "zero" if value is None else type_of(value)
    raise Fault(f"reflect: call of reflect.Value.Len on {shown} Value")


class _Unreachable(list[Any]):
    """Elements that are counted but cannot be read."""

    def __getitem__(self, index: Any) -> Any:
        raise Fault("reflect: call of reflect.Value.Index on map Value")


def fetch(base: Any, member: Any) -> Any:
    """Return a member of a map, list, text or time value; raises Fault where there is none."""
    if isinstance(base, list):
        index = to_int(member)
        if -len(base) <= index < len(base):
            return base[index]
        raise Fault("reflect: slice index out of range")
    if isinstance(base, Mapping):
        return _entry(base, member)
    if type(base) is str:
        data = encode(base)
        index = to_int(member)
        if -len(data) <= index < len(data):
            return Uint8(data[index])
        raise Fault("reflect: string index out of range")
    found = method_of(base, member) if type(member) is str else None
    if found is None:
        shown = member if type(member) is str else type_of(member)
        raise Fault(f"cannot fetch {shown} from {type_of(base)}")
    return found


def _entry(base: Mapping[Any, Any], key: Any) -> Any:
    present, value = member_of_map(base, key)
    if present:
        return value
    if isinstance(base, Groups):
        return NilList()
    return "" if isinstance(base, Texts) else None


def member_of_map(base: Mapping[Any, Any], key: Any) -> tuple[bool, Any]:
    """Tell whether a map has a key, and its value; raises Fault for a key of a wrong type."""
    if not isinstance(base, AnyMap):
        if key is None:
            key = ""
        elif type(key) is not str:
            raise Fault(
                "reflect.Value.MapIndex: value of type "
                f"{type_of(key)} is not assignable to type string"
            )
    if key in base:
        return True, base[key]
    return False, None


def _map_text(value: AnyMap) -> str:
    shown = (f"{display(key)}:{display(value[key])}" for key in sorted(value, key=_rank))
    return f"map[{' '.join(shown)}]"


def _rank(key: Any) -> tuple[int, Any]:
    """nil, booleans, integers, floating-point numbers, texts, in the order of the original."""
    if key is None:
        return 0, 0
    order = {bool: 1, float: 3, str: 4}.get(type(key), 2 if is_integer(key) else 5)
    return order, key if order < 5 else display(key)


for _type in (AnyMap, Groups, NilGroups):
    register_display(_type, _map_text)
