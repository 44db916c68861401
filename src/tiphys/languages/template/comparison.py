"""Equality and order of values: ``eq`` and ``lt``, and the deep equality of sprig."""

from __future__ import annotations

from tiphys.languages._errors import EvaluationError
from tiphys.languages.template.printing import display
from tiphys.languages.template.text import encode
from tiphys.languages.template.values import Value, go_type, kind_of, type_name

__all__ = ["deep_equal", "equal", "equal_to_any", "identical", "less"]

_INTEGERS = ("int", "uint")


def equal_to_any(first: Value, *others: Value) -> bool:
    """``eq``: whether *first* equals one of *others*; raises EvaluationError."""
    if not others:
        raise EvaluationError("missing argument for comparison")
    return any(equal(first, other) for other in others)


def equal(left: Value, right: Value) -> bool:
    """
    Whether two values of the same kind of type are equal; integers compare across types.

    Raises EvaluationError for other types, and for lists and maps, unless one side is nil.
    """
    kind, other = go_type(left).basic, go_type(right).basic
    if kind != other:
        if left is None or right is None:
            return False
        if kind in _INTEGERS and other in _INTEGERS:
            return bool(left == right)
        raise _incompatible(left, right)
    if kind is not None:
        return bool(left == right)
    if left is None or right is None or go_type(left).nil or go_type(right).nil:
        if None not in (left, right) and kind_of(left) != kind_of(right):
            raise _not_comparable(right)
        return _is_nil(left) == _is_nil(right)
    if kind_of(left) != kind_of(right) or kind_of(right) in ("slice", "map"):
        raise _not_comparable(right)
    return identical(left, right)


def less(left: Value, right: Value) -> bool:
    """``lt``; raises EvaluationError for values that have no order, or different types."""
    kind, other = go_type(left).basic, go_type(right).basic
    if kind is None or other is None:
        raise EvaluationError("invalid type for comparison")
    if kind != other and not (kind in _INTEGERS and other in _INTEGERS):
        raise _incompatible(left, right)
    if kind in ("bool", "complex"):
        raise EvaluationError("invalid type for comparison")
    if kind == "string":
        return encode(left) < encode(right)
    return bool(left < right)


def identical(left: Value, right: Value) -> bool:
    """Whether two values that are neither lists nor maps are the same, type included."""
    if type(left) is not type(right):
        return False
    return left is right or bool(left == right)


def deep_equal(left: Value, right: Value) -> bool:
    """``reflect.DeepEqual``: same types and same contents; NaN differs from itself."""
    if go_type(left) != go_type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(
            deep_equal(left[key], right[key]) for key in left
        )
    if isinstance(left, list):
        return len(left) == len(right) and all(map(deep_equal, left, right))
    return left is right if left is None else bool(left == right)


def _is_nil(value: Value) -> bool:
    return value is None or go_type(value).nil


def _incompatible(left: Value, right: Value) -> EvaluationError:
    types = f"{type_name(left)} and {type_name(right)}"
    return EvaluationError(f"incompatible types for comparison: {types}")


def _not_comparable(value: Value) -> EvaluationError:
    return EvaluationError(f"non-comparable type {display(value)}: {type_name(value)}")
