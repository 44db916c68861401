"""Equality and membership, which go by value between numbers and by exact type inside lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from tiphys.languages.expr._faults import Fault
from tiphys.languages.expr._values import is_nil, is_number, member_of_map, type_of
from tiphys.languages.template.moments import Time

__all__ = ["IntSet", "Meter", "TextSet", "contains", "equal"]

_SCALARS = frozenset((str, float, bool, int))


class Meter(Protocol):
    """What counts the work of an evaluation and stops it when it is too much."""

    def spend(self, steps: int) -> None:
        """Count *steps*; raises Overrun when there were too many."""


class IntSet(frozenset[int]):
    """The integers of a constant list, where only an integer is looked for."""


class TextSet(frozenset[str]):
    """The texts of a constant list, where only a text may be looked for."""


def equal(left: Any, right: Any, meter: Meter) -> bool:
    """
    Compare as ``==`` does: numbers by value, anything else by type and value.

    Inside lists and maps an integer never equals a floating-point number.
    """
    if type(left) is type(right) and type(left) in _SCALARS:
        return bool(left == right)
    if is_number(left) and is_number(right):
        if type(left) is float or type(right) is float:
            return float(left) == float(right)
        return int(left) == int(right)
    if isinstance(left, Time) and isinstance(right, Time):
        return left.compare(right) == 0
    if is_nil(left) and is_nil(right):
        return True
    return _identical(left, right, meter)


def _identical(left: Any, right: Any, meter: Meter) -> bool:
    """Whether two values have the same type and the same content, to any depth."""
    if type(left) is not type(right):
        return False
    if isinstance(left, list | Mapping):
        if left is right:
            return True
        meter.spend(len(left))
        if len(left) != len(right):
            return False
        if isinstance(left, list):
            return all(_identical(a, b, meter) for a, b in zip(left, right, strict=True))
        return all(key in right and _identical(left[key], right[key], meter) for key in left)
    if callable(left):
        return False
    return bool(left == right)


def contains(container: Any, wanted: Any, meter: Meter) -> bool:
    """Tell whether a list has an element or a map a key; raises Fault for anything else."""
    if container is None:
        return False
    if isinstance(container, IntSet | TextSet):
        return _in_constants(container, wanted)
    if isinstance(container, list):
        meter.spend(len(container))
        if type(wanted) is str and type(container) is list:
            return wanted in container
        return any(equal(element, wanted, meter) for element in container)
    if isinstance(container, Mapping):
        return member_of_map(container, wanted)[0]
    if isinstance(container, Time):
        if type(wanted) is str:
            return wanted in ("wall", "ext", "loc")
        raise Fault(f"cannot use {type_of(wanted)} as field name of time.Time")
    raise Fault(f'operator "in" not defined on {type_of(container)}')


def _in_constants(constants: IntSet | TextSet, wanted: Any) -> bool:
    """A constant list is a map of Go, where a key of another type is an error and nil is zero."""
    key_type: type = int if isinstance(constants, IntSet) else str
    if wanted is None:
        return key_type() in constants
    if type(wanted) is not key_type:
        raise Fault(
            f"reflect.Value.MapIndex: value of type {type_of(wanted)} "
            f"is not assignable to type {type_of(key_type())}"
        )
    return wanted in constants
