"""
What is known of values before evaluation, in terms of Go's types.

The checker rejects expressions whose types cannot fit, and the compiler picks stricter
comparisons where both sides are known. None stands for the type of nil.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Sequence
from typing import Any

__all__ = [
    "ANY",
    "ANY_MAP",
    "ARRAY",
    "BOOL",
    "DURATION",
    "FLOAT",
    "FUNCTION",
    "GROUPS",
    "INT",
    "INT64",
    "INTS",
    "LOCATION",
    "MAP",
    "MONTH",
    "STRING",
    "STRINGS",
    "TIME",
    "WEEKDAY",
    "Function",
    "Kind",
    "Signature",
    "Type",
    "Work",
    "closure_of",
    "describe",
    "is_any",
    "is_array",
    "is_bool",
    "is_duration",
    "is_float",
    "is_integer",
    "is_map",
    "is_number",
    "is_string",
    "is_time",
    "kind_of",
    "slice_of",
]


class Kind(enum.Enum):
    """How a type is built; equal kinds may be compared."""

    NIL = "nil"
    ANY = "interface"
    BOOL = "bool"
    INT = "int"
    INT32 = "int32"
    INT64 = "int64"
    FLOAT = "float64"
    STRING = "string"
    SLICE = "slice"
    MAP = "map"
    FUNCTION = "func"
    STRUCT = "struct"
    POINTER = "ptr"


@dataclasses.dataclass(frozen=True, slots=True)
class Type:
    """
    A Go type; two are the same if their names are.

    *element* belongs to slices and maps, *key* to maps, *result* to closures.
    """

    name: str
    kind: Kind
    element: Type | None = None
    key: Type | None = None
    result: Type | None = None

    @property
    def is_plain(self) -> bool:
        """Whether the type is none that a package declares, such as ``time.Duration``."""
        return "." not in self.name or self.kind in (Kind.SLICE, Kind.MAP, Kind.FUNCTION)

    def fits(self, target: Type) -> bool:
        """Whether a value of this type may be used where *target* is wanted."""
        return target.kind is Kind.ANY or self.name == target.name


def slice_of(element: Type) -> Type:
    """Build the type of a list of *element*."""
    return Type(f"[]{element.name}", Kind.SLICE, element=element)


def closure_of(result: Type) -> Type:
    """Build the type of what a loop evaluates for each element."""
    return Type(f"func(interface {{}}) {result.name}", Kind.FUNCTION, result=result)


ANY = Type("interface {}", Kind.ANY)
BOOL = Type("bool", Kind.BOOL)
INT = Type("int", Kind.INT)
INT32 = Type("int32", Kind.INT32)
INT64 = Type("int64", Kind.INT64)
FLOAT = Type("float64", Kind.FLOAT)
STRING = Type("string", Kind.STRING)
ARRAY = slice_of(ANY)
STRINGS = slice_of(STRING)
INTS = slice_of(INT)
MAP = Type("map[string]interface {}", Kind.MAP, element=ANY, key=STRING)
ANY_MAP = Type("map[interface {}]interface {}", Kind.MAP, element=ANY, key=ANY)
GROUPS = Type("map[interface {}][]interface {}", Kind.MAP, element=ARRAY, key=ANY)
FUNCTION = Type("func(...interface {}) (interface {}, error)", Kind.FUNCTION)
TIME = Type("time.Time", Kind.STRUCT)
DURATION = Type("time.Duration", Kind.INT64)
MONTH = Type("time.Month", Kind.INT)
WEEKDAY = Type("time.Weekday", Kind.INT)
LOCATION = Type("*time.Location", Kind.POINTER)

_INTEGERS = frozenset((Kind.INT, Kind.INT32, Kind.INT64))


@dataclasses.dataclass(frozen=True, slots=True)
class Signature:
    """Parameters and first result of a function or method with a fixed number of arguments."""

    parameters: tuple[Type, ...]
    result: Type


class Work(enum.Enum):
    """How much of its arguments a function looks at."""

    NONE = "not at what is in them"
    ELEMENTS = "at each element or character once"
    ALL = "at all that is in them, to any depth"


@dataclasses.dataclass(frozen=True, slots=True)
class Function:
    """
    A built-in function.

    *check* takes the types of the arguments and returns that of the result; it raises Fault.
    *through_variable* tells whether a variable that holds it can be called.
    """

    name: str
    evaluate: Callable[..., Any]
    check: Callable[[Sequence[Type | None]], Type | None]
    through_variable: bool = True
    work: Work = Work.ELEMENTS


def kind_of(type_: Type | None) -> Kind:
    """Return the kind of a type; that of nil is NIL."""
    return Kind.NIL if type_ is None else type_.kind


def describe(type_: Type | None) -> str:
    """Name a type in an error message."""
    return "<nil>" if type_ is None else type_.name


def is_any(type_: Type | None) -> bool:
    """Whether nothing is known of the value."""
    return type_ is not None and type_.kind is Kind.ANY


def is_integer(type_: Type | None) -> bool:
    """Whether the value is an integer; durations are."""
    return type_ is not None and type_.kind in _INTEGERS


def is_float(type_: Type | None) -> bool:
    """Whether the value is a floating-point number."""
    return type_ is not None and type_.kind is Kind.FLOAT


def is_number(type_: Type | None) -> bool:
    """Whether the value is an integer or a floating-point number."""
    return is_integer(type_) or is_float(type_)


def is_bool(type_: Type | None) -> bool:
    """Whether the value is a boolean."""
    return type_ is not None and type_.kind is Kind.BOOL


def is_string(type_: Type | None) -> bool:
    """Whether the value is a text."""
    return type_ is not None and type_.kind is Kind.STRING


def is_array(type_: Type | None) -> bool:
    """Whether the value is a list."""
    return type_ is not None and type_.kind is Kind.SLICE


def is_map(type_: Type | None) -> bool:
    """Whether the value is a map."""
    return type_ is not None and type_.kind is Kind.MAP


def is_time(type_: Type | None) -> bool:
    """Whether the value is a moment in time."""
    return type_ == TIME


def is_duration(type_: Type | None) -> bool:
    """Whether the value is a duration."""
    return type_ == DURATION
