"""
Values as the original engine tells them apart, beyond what Python's own types can say.

``int``, ``float``, ``str``, ``bool``, None, ``list`` and ``dict`` stand for Go's int, float64,
string, bool, nil, []any and map[string]any. Texts are counted in bytes of UTF-8; a byte that is
no UTF-8 is a surrogate escape (PEP 383).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tiphys.languages.expr._faults import Fault
from tiphys.languages.expr._times import Duration, Location, Month, Time, Weekday, method

__all__ = [
    "AnyMap",
    "Ints",
    "NilGroups",
    "NilList",
    "NilStrings",
    "Pair",
    "Pairs",
    "Strings",
    "Uint8",
    "bytes_of",
    "fetch",
    "is_integer",
    "is_nil",
    "is_number",
    "items_of",
    "member_of_map",
    "text_of",
    "to_float",
    "to_int",
    "type_name",
]

_MIN_INT, _MAX_INT = -(1 << 63), (1 << 63) - 1


class Uint8(int):
    """A byte, which an index into a text gives."""


class Strings(list[str]):
    """A []string, which never equals a []any."""


class Ints(list[int]):
    """A []int, which ranges are."""


class Pair(list[Any]):
    """A [2]any, one entry of ``toPairs``."""


class Pairs(list[Pair]):
    """A [][2]any, the result of ``toPairs``."""


class NilList(list[Any]):
    """A []any that is nil: empty, and equal to nil."""


class NilStrings(Strings):
    """A []string that is nil."""


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
        if isinstance(key, list | dict | AnyMap) or callable(key):
            raise Fault(f"runtime error: hash of unhashable type {type_name(key)}")
        return type(key), key


class Groups(AnyMap):
    """The result of ``groupBy``; a key that is not there gives an empty list."""


class NilGroups(Groups):
    """What ``groupBy`` makes of an empty list: empty, and equal to nil."""


class TextMap(dict[str, str]):
    """A map[string]string; a key that is not there gives an empty text."""


_NAMES: dict[type, str] = {
    type(None): "<nil>",
    bool: "bool",
    int: "int",
    Uint8: "uint8",
    float: "float64",
    str: "string",
    list: "[]interface {}",
    NilList: "[]interface {}",
    Strings: "[]string",
    NilStrings: "[]string",
    Ints: "[]int",
    Pair: "[2]interface {}",
    Pairs: "[][2]interface {}",
    dict: "map[string]interface {}",
    TextMap: "map[string]string",
    AnyMap: "map[interface {}]interface {}",
    Groups: "map[interface {}][]interface {}",
    NilGroups: "map[interface {}][]interface {}",
    Time: "time.Time",
    Duration: "time.Duration",
    Month: "time.Month",
    Weekday: "time.Weekday",
    Location: "*time.Location",
}
_NILS = (NilList, NilStrings, NilGroups)


def type_name(value: Any) -> str:
    """Name the type of a value as Go prints it."""
    name = _NAMES.get(type(value))
    if name is not None:
        return name
    return "func" if callable(value) else type(value).__name__


def is_nil(value: Any) -> bool:
    """Whether a value is nil or a collection that was never made."""
    return value is None or isinstance(value, _NILS)


def is_integer(value: Any) -> bool:
    """Whether a value is a plain integer of any size."""
    return isinstance(value, int) and type(value) is not bool


def is_number(value: Any) -> bool:
    """Whether a value is a plain integer or a floating-point number."""
    return type(value) is float or is_integer(value)


def bytes_of(text: str) -> bytes:
    """Encode a text as the bytes that it stands for."""
    return text.encode("utf-8", "surrogateescape")


def text_of(data: bytes) -> str:
    """Decode bytes; what is no UTF-8 becomes surrogate escapes."""
    return data.decode("utf-8", "surrogateescape")


def to_int(value: Any) -> int:
    """Convert a number to an integer, cutting its fraction off; raises Fault for other types."""
    if type(value) is float:
        # An amd64 processor gives the smallest integer for all that does not fit.
        return int(value) if -(2.0**63) <= value < 2.0**63 else _MIN_INT
    if is_integer(value):
        return int(value)
    raise Fault(f"invalid operation: int({type_name(value)})")


def to_float(value: Any) -> float:
    """Convert a number to floating point; raises Fault for other types."""
    if is_number(value):
        return float(value)
    raise Fault(f"invalid operation: float({type_name(value)})")


def items_of(value: Any) -> list[Any]:
    """
    Return the elements of a collection that a loop walks over.

    A loop over a map has as many turns as the map has keys, but no elements. Raises Fault.
    """
    if isinstance(value, list):
        return value
    if isinstance(value, str):
        return [Uint8(byte) for byte in bytes_of(value)]
    if isinstance(value, Mapping):
        return _Unreachable(None for _ in value)
    if value is None:
        raise Fault("reflect: call of reflect.Value.Len on zero Value")
    raise Fault(f"reflect: call of reflect.Value.Len on {type_name(value)} Value")


class _Unreachable(list[Any]):
    """Elements that are counted but cannot be read."""

    def __getitem__(self, index: Any) -> Any:
        raise Fault("reflect: call of reflect.Value.Index on map Value")


def fetch(base: Any, member: Any) -> Any:
    """Return a member of a map, list, text or time value; raises Fault where there is none."""
    if isinstance(base, list | str):
        return _element(base, to_int(member))
    if isinstance(base, Mapping):
        return _entry(base, member)
    found: Callable[..., Any] | None = None
    if isinstance(member, str):
        found = method(base, member)
    if found is None:
        shown = member if isinstance(member, str) else type_name(member)
        raise Fault(f"cannot fetch {shown} from {type_name(base)}")
    return found


def _element(base: list[Any] | str, index: int) -> Any:
    if isinstance(base, str):
        data = bytes_of(base)
        if -len(data) <= index < len(data):
            return Uint8(data[index])
        raise Fault("reflect: string index out of range")
    if -len(base) <= index < len(base):
        return base[index]
    raise Fault("reflect: slice index out of range")


def _entry(base: Mapping[Any, Any], key: Any) -> Any:
    present, value = member_of_map(base, key)
    if present:
        return value
    if isinstance(base, Groups):
        return NilList()
    return "" if isinstance(base, TextMap) else None


def member_of_map(base: Mapping[Any, Any], key: Any) -> tuple[bool, Any]:
    """Tell whether a map has a key, and its value; raises Fault for a key of a wrong type."""
    if not isinstance(base, AnyMap):
        if key is None:
            key = ""
        elif type(key) is not str:
            raise Fault(
                "reflect.Value.MapIndex: value of type "
                f"{type_name(key)} is not assignable to type string"
            )
    if key in base:
        return True, base[key]
    return False, None
