"""Types of the results of operators, and which operands each of them takes."""

from __future__ import annotations

from collections.abc import Callable

from tiphys.languages.expr._faults import Fault
from tiphys.languages.expr._types import (
    ANY,
    BOOL,
    DURATION,
    FLOAT,
    INT,
    INTS,
    STRING,
    TIME,
    Type,
    describe,
    is_any,
    is_array,
    is_bool,
    is_duration,
    is_float,
    is_integer,
    is_map,
    is_number,
    is_string,
    is_time,
)

__all__ = ["binary_type", "is_comparable", "membership_type", "unary_type"]

Operand = Type | None
_Test = Callable[[Operand], bool]


def unary_type(operator: str, operand: Operand) -> Operand:
    """Return the type of a prefix operator's result; raises Fault for a wrong operand."""
    if operator in ("!", "not"):
        if is_bool(operand) or is_any(operand):
            return BOOL
    elif is_number(operand) or is_any(operand):
        return operand
    raise Fault(f"invalid operation: {operator} (mismatched type {describe(operand)})")


def binary_type(operator: str, left: Operand, right: Operand) -> Operand:
    """Return the type of an operator's result; raises Fault for operands that do not fit."""
    if operator == "??":
        return _coalesced(left, right)
    fits, result = _RULES[operator]
    if fits(left, right):
        return result(left, right) if callable(result) else result
    raise mismatch(operator, left, right)


def mismatch(operator: str, left: Operand, right: Operand) -> Fault:
    """Make the error for operands that do not fit."""
    types = f"{describe(left)} and {describe(right)}"
    return Fault(f"invalid operation: {operator} (mismatched types {types})")


def membership_type(left: Operand, right: Operand, element: Operand) -> Operand:
    """Return the type of ``in``; *element* is known of lists whose elements are all alike."""
    if (is_string(left) or is_any(left)) and is_time(right):
        return BOOL
    if right is not None and is_map(right):
        if left is not None and right.key is not None and not _is_key(left, right.key):
            raise Fault(f"cannot use {left.name} as type {right.key.name} in map key")
        return BOOL
    if right is not None and is_array(right):
        for known in (right.element, element):
            if not is_comparable(left, known):
                raise Fault(f"cannot use {describe(left)} as type {describe(known)} in array")
        return BOOL
    if is_any(right) or (is_any(left) and is_string(right)):
        return BOOL
    raise mismatch("in", left, right)


def is_comparable(left: Operand, right: Operand) -> bool:
    """Whether ``==`` may be asked; nil compares with everything."""
    if left is None or right is None or is_any(left) or is_any(right):
        return True
    return left.kind is right.kind or (is_number(left) and is_number(right))


def _is_key(type_: Type, key: Type) -> bool:
    return is_any(type_) or type_.fits(key)


def _coalesced(left: Operand, right: Operand) -> Operand:
    if left is None or right is None:
        return left or right
    return left if right.fits(left) else ANY


def _combined(left: Operand, right: Operand) -> Operand:
    """The type of an arithmetic result: float as soon as one side is."""
    if is_number(left) and is_number(right) and left is not None and right is not None:
        if left.kind is right.kind:
            return left
        return FLOAT if is_float(left) or is_float(right) else INT
    return ANY


def _sum(left: Operand, right: Operand) -> Operand:
    if is_string(left) and is_string(right):
        return STRING
    if (is_time(left) and is_duration(right)) or (is_duration(left) and is_time(right)):
        return TIME
    return _combined(left, right)


def _difference(left: Operand, right: Operand) -> Operand:
    if is_time(left) and is_time(right):
        return DURATION
    return TIME if is_time(left) and is_duration(right) else _combined(left, right)


def _unknown(left: Operand, right: Operand, *tests: _Test) -> bool:
    """Whether one side is unknown and the other is too or passes one of *tests*."""
    if not (is_any(left) or is_any(right)):
        return False
    known = right if is_any(left) else left
    return is_any(known) or any(test(known) for test in tests)


def _both(*tests: _Test) -> Callable[[Operand, Operand], bool]:
    """Both sides pass the same test, or one does and the other is unknown."""

    def fits(left: Operand, right: Operand) -> bool:
        both = any(test(left) and test(right) for test in tests)
        return both or _unknown(left, right, *tests)

    return fits


def _addable(left: Operand, right: Operand) -> bool:
    return (
        (is_time(left) and is_duration(right))
        or (is_duration(left) and is_time(right))
        or (is_number(left) and is_number(right))
        or (is_string(left) and is_string(right))
        or _unknown(left, right, is_number, is_string, is_time)
    )


def _subtractable(left: Operand, right: Operand) -> bool:
    between = (is_number(left) and is_number(right)) or (
        is_time(left) and (is_time(right) or is_duration(right))
    )
    return between or _unknown(left, right, is_number, is_time)


_Result = Type | Callable[[Operand, Operand], Operand]
_Rule = tuple[Callable[[Operand, Operand], bool], _Result]
_RULES: dict[str, _Rule] = {
    **dict.fromkeys(("==", "!="), (is_comparable, BOOL)),
    **dict.fromkeys(("or", "||", "and", "&&"), (_both(is_bool), BOOL)),
    **dict.fromkeys(("<", ">", "<=", ">="), (_both(is_number, is_string, is_time), BOOL)),
    **dict.fromkeys(("matches", "contains", "startsWith", "endsWith"), (_both(is_string), BOOL)),
    **dict.fromkeys(("/", "**", "^"), (_both(is_number), FLOAT)),
    "*": (_both(is_number), _combined),
    "%": (_both(is_integer), _combined),
    "..": (_both(is_integer), INTS),
    "+": (_addable, _sum),
    "-": (_subtractable, _difference),
}
