"""
The values that templates compute with, and their Go types.

Python's own types stand for the Go types that JSON and literals have; the others are small
classes of their own, so that ``typeOf``, ``printf "%T"`` and the checks of arguments can tell
``int`` from ``int64`` and ``[]string`` from ``[]interface {}``:

=========== ====================== =========== =======================
Python      Go                     Python      Go
=========== ====================== =========== =======================
``None``    nil                    ``Int64``   ``int64``
``bool``    ``bool``               ``Uint8``   ``uint8``
``float``   ``float64``            ``Strings`` ``[]string``
``int``     ``int``                ``Ints``    ``[]int``
``complex`` ``complex128``         ``Lists``   ``[][]interface {}``
``str``     ``string``             ``Texts``   ``map[string]string``
=========== ====================== =========== =======================

``list`` and ``Items`` are ``[]interface {}``, ``dict`` is ``map[string]interface {}``; nil slices
and maps are ``NilList``, ``NilStrings`` and ``NilMap``.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final

__all__ = [
    "MISSING",
    "Certificate",
    "GoType",
    "Int32",
    "Int64",
    "Ints",
    "Items",
    "Lists",
    "Missing",
    "NilList",
    "NilMap",
    "NilStrings",
    "Strings",
    "Texts",
    "Uint8",
    "Uint32",
    "Uint64",
    "Value",
    "go_type",
    "is_true",
    "kind_of",
    "register",
    "signed",
    "type_name",
]

Value = Any
"""Any value of a template; its Python type tells its Go type."""


class Missing:
    """The type of MISSING."""

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING: Final = Missing()
"""What a key that a map does not have gives, and what nil becomes at the end of a pipeline."""


class Int64(int):
    """Go's ``int64``, the result of sprig's integer arithmetic."""

    __slots__ = ()


class Int32(int):
    """Go's ``int32``."""

    __slots__ = ()


class Uint8(int):
    """Go's ``uint8``: one byte of a text."""

    __slots__ = ()


class Uint32(int):
    """Go's ``uint32``."""

    __slots__ = ()


class Uint64(int):
    """Go's ``uint64``."""

    __slots__ = ()


class Strings(list[str]):
    """Go's ``[]string``."""

    __slots__ = ()


class Ints(list[int]):
    """Go's ``[]int``."""

    __slots__ = ()


class Items(list[Any]):
    """A ``[]interface {}`` that a function made; unlike one from JSON it has no room to grow."""

    __slots__ = ()


class Lists(list[list[Any]]):
    """Go's ``[][]interface {}``."""

    __slots__ = ()


class NilList(list[Any]):
    """A nil ``[]interface {}``: empty, but null in JSON."""

    __slots__ = ()


class NilStrings(Strings):
    """A nil ``[]string``."""

    __slots__ = ()


class Texts(dict[str, str]):
    """Go's ``map[string]string``."""

    __slots__ = ()


class NilMap(dict[str, Any]):
    """A nil ``map[string]interface {}``: can be read, not written."""

    __slots__ = ()


@dataclasses.dataclass(slots=True, eq=False)
class Certificate:
    """What the certificate functions of sprig return."""

    Cert: str
    Key: str


@dataclasses.dataclass(frozen=True, slots=True)
class GoType:
    """A Go type: its name as ``%T`` prints it, its kind, and what kind its comparisons are of."""

    name: str
    kind: str
    basic: str | None = None  # bool, int, uint, float, complex, string: what eq and lt can compare
    nil: bool = False


_LIST = "[]interface {}"
_MAP = "map[string]interface {}"
_TYPES: dict[type, GoType] = {
    type(None): GoType("<nil>", "invalid"),
    Missing: GoType("<nil>", "invalid"),
    bool: GoType("bool", "bool", "bool"),
    float: GoType("float64", "float64", "float"),
    int: GoType("int", "int", "int"),
    Int64: GoType("int64", "int64", "int"),
    Int32: GoType("int32", "int32", "int"),
    Uint8: GoType("uint8", "uint8", "uint"),
    Uint32: GoType("uint32", "uint32", "uint"),
    Uint64: GoType("uint64", "uint64", "uint"),
    complex: GoType("complex128", "complex128", "complex"),
    str: GoType("string", "string", "string"),
    list: GoType(_LIST, "slice"),
    Items: GoType(_LIST, "slice"),
    NilList: GoType(_LIST, "slice", nil=True),
    Strings: GoType("[]string", "slice"),
    NilStrings: GoType("[]string", "slice", nil=True),
    Ints: GoType("[]int", "slice"),
    Lists: GoType("[][]interface {}", "slice"),
    dict: GoType(_MAP, "map"),
    NilMap: GoType(_MAP, "map", nil=True),
    Texts: GoType("map[string]string", "map"),
    Certificate: GoType("sprig.certificate", "struct"),
}


def register(python_type: type, go: GoType) -> None:
    """Tell that values of *python_type* have the Go type *go*."""
    _TYPES[python_type] = go


def go_type(value: Value) -> GoType:
    """The Go type of *value*."""
    return _TYPES[type(value)]


def type_name(value: Value) -> str:
    """The name of the Go type of *value*, as ``%T`` prints it."""
    return _TYPES[type(value)].name


def kind_of(value: Value) -> str:
    """The name of the Go kind of *value*, ``invalid`` for nil."""
    return _TYPES[type(value)].kind


def is_true(value: Value) -> bool:
    """Whether ``if`` takes its first branch: not false, not zero, not empty, not nil."""
    if isinstance(value, (str, list, dict, int, float, complex)):
        return bool(value)
    return value is not None and value is not MISSING


def signed(number: int) -> int:
    """*number* cut to 64 bits, as integer arithmetic in Go overflows."""
    return (number + 0x8000_0000_0000_0000 & 0xFFFF_FFFF_FFFF_FFFF) - 0x8000_0000_0000_0000
