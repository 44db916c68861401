"""Built-in functions on numbers and lists of numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from tiphys.languages import numbers
from tiphys.languages._errors import EvaluationError
from tiphys.languages.expr._arithmetic import less, more
from tiphys.languages.expr._builtins._checks import Check, count, one_of
from tiphys.languages.expr._faults import Fault
from tiphys.languages.expr._types import (
    ANY,
    FLOAT,
    INT,
    Function,
    Kind,
    Type,
    describe,
    is_any,
    is_number,
)
from tiphys.languages.expr._values import UNSIGNED, is_integer, signed, to_float, to_int, type_of
from tiphys.languages.template.moments import Duration, Month, Weekday

__all__ = ["FUNCTIONS"]

_NUMBERS = frozenset((Kind.INT, Kind.INT32, Kind.INT64, Kind.FLOAT))
_SLICES = frozenset((Kind.SLICE,))
_INTEGER = re.compile(r"[+-]?[0-9]+")


def _absolute(value: Any) -> Any:
    if type(value) is float:
        return -value if value < 0 else value
    if is_integer(value):
        return value if value >= 0 else type(value)(signed(-value))
    raise Fault(f"invalid argument for abs (type {type_of(value)})")


def _whole(name: str, whole: Callable[[float], float]) -> Callable[[Any], float]:
    """Make a function that takes the fraction off."""

    def convert(value: Any) -> float:
        if type(value) is float:
            if not math.isfinite(value):
                return value
            return math.copysign(whole(value), value)
        if is_integer(value):
            return float(value)
        raise Fault(f"invalid argument for {name} (type {type_of(value)})")

    return convert


def _nearest(value: float) -> float:
    """Halves go away from zero."""
    size = math.trunc(abs(value))
    return float(size + (abs(value) - size >= 0.5))


def _int(value: Any) -> int:
    if type(value) is not str:
        return to_int(value)
    if _INTEGER.fullmatch(value) and len(value) < 4000:
        number = int(value)
        if number == signed(number):
            return number
    raise Fault(f"invalid operation: int({value})")


def _float(value: Any) -> float:
    if type(value) is not str:
        return to_float(value)
    try:
        return numbers.parse_float(value)
    except EvaluationError:
        raise Fault(f"invalid operation: float({value})") from None


def _extreme(beats: Callable[[Any, Any], bool]) -> Callable[..., Any]:
    """Make a function that returns the argument that no other beats; nil never counts."""

    def find(*arguments: Any) -> Any:
        found = None
        for argument in arguments:
            if found is None or beats(found, argument):
                found = argument
        return found

    return find


def _amounts(name: str, values: Any) -> list[int | float]:
    """The elements of a list of numbers; durations and months count as integers."""
    if not isinstance(values, list):
        raise Fault(f"cannot {name} {type_of(values)}")
    amounts: list[int | float] = []
    for value in values:
        if type(value) is float:
            amounts.append(value)
        elif isinstance(value, Duration | Month | Weekday) or (
            is_integer(value) and not isinstance(value, UNSIGNED)
        ):
            amounts.append(int(value))
        else:
            raise Fault(f"cannot {name} {type_of(value)}")
    return amounts


def _sum(values: Any) -> int | float:
    total: int | float = 0
    for amount in _amounts("sum", values):
        if type(total) is int and type(amount) is int:
            total = signed(total + amount)
        else:
            total = float(total) + float(amount)
    return total


def _mean(values: Any) -> float:
    amounts = _amounts("mean", values)
    total = 0.0
    for amount in amounts:
        total += float(amount)
    return total / len(amounts) if amounts else 0.0


def _median(values: Any) -> float:
    amounts = sorted(
        map(float, _amounts("median", values)), key=lambda amount: (amount == amount, amount)
    )
    if not amounts:
        return 0.0
    middle = len(amounts) // 2
    if len(amounts) % 2:
        return amounts[middle]
    return (amounts[middle - 1] + amounts[middle]) / 2


def _all_numbers(name: str) -> Check:
    """Check for any number of numbers; what is unknown ends the check."""

    def check(arguments: Sequence[Type | None]) -> Type | None:
        if not arguments:
            raise Fault(f"not enough arguments to call {name}")
        for argument in arguments:
            if is_any(argument):
                return ANY
            if not is_number(argument):
                raise Fault(f"invalid argument for {name} (type {describe(argument)})")
        return arguments[0]

    return check


def _exactly_one(function: Callable[[Any], Any]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        count(arguments, 1)
        return function(arguments[0])

    return call


def _of_number(name: str, function: Callable[[Any], Any], result: Type | None) -> Function:
    return Function(name, function, one_of(name, _NUMBERS, result), through_variable=False)


def _of_list(name: str, function: Callable[[Any], Any], result: Type) -> Function:
    check = one_of(name, _SLICES, result, message=f"cannot {name}")
    return Function(name, _exactly_one(function), check)


FUNCTIONS = [
    _of_number("abs", _absolute, None),
    _of_number("ceil", _whole("ceil", math.ceil), FLOAT),
    _of_number("floor", _whole("floor", math.floor), FLOAT),
    _of_number("round", _whole("round", _nearest), FLOAT),
    Function("int", _int, one_of("int", _NUMBERS | {Kind.STRING}, INT), through_variable=False),
    Function(
        "float", _float, one_of("float", _NUMBERS | {Kind.STRING}, FLOAT), through_variable=False
    ),
    Function("max", _extreme(less), _all_numbers("max")),
    Function("min", _extreme(more), _all_numbers("min")),
    _of_list("sum", _sum, ANY),
    _of_list("mean", _mean, FLOAT),
    _of_list("median", _median, FLOAT),
]
