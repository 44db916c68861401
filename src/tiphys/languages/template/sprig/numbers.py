"""sprig's arithmetic: on ``int64``, on floats, and on floats as exact decimals."""

from __future__ import annotations

import math
import secrets

from tiphys.languages._errors import EvaluationError
from tiphys.languages.template.functions import Function, function
from tiphys.languages.template.limits import check_items
from tiphys.languages.template.literals import parse_integer
from tiphys.languages.template.printing import display
from tiphys.languages.template.sprig import decimals
from tiphys.languages.template.sprig.casts import to_decimal_integer, to_float, to_integer
from tiphys.languages.template.values import Int64, Ints, Value, signed

__all__ = ["FUNCTIONS"]

_MIN, _MAX = -1 << 63, (1 << 63) - 1
_LARGEST_SHIFT = 1 << 12


def _integer(value: int) -> Int64:
    return Int64(signed(value))


def _add(*values: Value) -> Int64:
    return _integer(sum(map(to_integer, values)))


def _multiply(first: Value, *others: Value) -> Int64:
    product = to_integer(first)
    for value in others:
        product = signed(product * to_integer(value))
    return Int64(product)


def _divide(left: Value, right: Value) -> Int64:
    quotient, _ = _quotient(left, right)
    return _integer(quotient)


def _modulo(left: Value, right: Value) -> Int64:
    _, rest = _quotient(left, right)
    return Int64(rest)


def _quotient(left: Value, right: Value) -> tuple[int, int]:
    """Quotient cut towards zero, and a rest with the sign of the dividend."""
    dividend, divisor = to_integer(left), to_integer(right)
    if divisor == 0:
        raise EvaluationError("runtime error: integer divide by zero")
    quotient, rest = divmod(abs(dividend), abs(divisor))
    if (dividend < 0) != (divisor < 0):
        quotient = -quotient
    return quotient, -rest if dividend < 0 else rest


def _largest(first: Value, *others: Value) -> Int64:
    return Int64(max(map(to_integer, (first, *others))))


def _smallest(first: Value, *others: Value) -> Int64:
    return Int64(min(map(to_integer, (first, *others))))


def _largest_float(first: Value, *others: Value) -> float:
    result = to_float(first)
    for value in map(to_float, others):
        result = _extreme(result, value, math.inf)
    return result


def _smallest_float(first: Value, *others: Value) -> float:
    result = to_float(first)
    for value in map(to_float, others):
        result = _extreme(result, value, -math.inf)
    return result


def _extreme(left: float, right: float, infinity: float) -> float:
    """The larger or smaller of two floats; NaN wins over all but the *infinity* looked for."""
    if infinity in (left, right):
        return infinity
    if math.isnan(left) or math.isnan(right):
        return math.nan
    direction = math.copysign(1.0, infinity)
    if left == right == 0:
        return left if math.copysign(1.0, left) == direction else right
    return left if (left - right) * direction > 0 else right


def _decimal(operation: decimals.Operation, first: Value, others: tuple[Value, ...]) -> float:
    result = decimals.Decimal.of(to_float(first))
    for value in others:
        result = operation(result, decimals.Decimal.of(to_float(value)))
    return result.to_float()


def _floor(value: Value) -> float:
    number = to_float(value)
    return math.copysign(float(math.floor(number)), number) if math.isfinite(number) else number


def _ceil(value: Value) -> float:
    number = to_float(value)
    return math.copysign(float(math.ceil(number)), number) if math.isfinite(number) else number


def _round(value: Value, places: int, threshold: float = 0.5, *_: float) -> float:
    """Round to *places*; a fraction of at least *threshold* rounds up."""
    power = _power_of_ten(places)
    digits = power * to_float(value)
    fraction = math.modf(digits)[0] if math.isfinite(digits) else math.nan
    if math.isfinite(digits):
        whole = math.ceil(digits) if fraction >= threshold else math.floor(digits)
        digits = math.copysign(float(whole), digits)
    if power == 0:
        return math.nan if digits == 0 or math.isnan(digits) else math.copysign(math.inf, digits)
    return digits / power


def _power_of_ten(exponent: int) -> float:
    """10 to the power of *exponent*, off in the last digit just where the original is."""
    result, mantissa, shift, power = 1.0, 0.625, 4, 0
    remaining = abs(exponent)
    while remaining:
        if shift > _LARGEST_SHIFT:
            return math.inf if exponent > 0 else 0.0
        if remaining & 1:
            result, power = result * mantissa, power + shift
        mantissa, shift = mantissa * mantissa, shift * 2
        if mantissa < 0.5:
            mantissa, shift = mantissa * 2, shift - 1
        remaining >>= 1
    if exponent < 0:
        result, power = 1 / result, -power
    try:
        return math.ldexp(result, power)
    except OverflowError:
        return math.inf


def _until(count: int) -> Ints:
    return _until_step(0, count, -1 if count < 0 else 1)


def _until_step(start: int, stop: int, step: int) -> Ints:
    """Integers from *start* to before *stop*; empty when *step* leads away from it, or is 0."""
    if step == 0 or (stop < start) != (step < 0):
        return Ints()
    check_items(len(range(start, stop, step)))
    return Ints(range(start, stop, step))


def _sequence(*numbers: int) -> str:
    """Like the command ``seq``: last; first and last; or first, step and last."""
    if len(numbers) == 1:
        first, step, last = 1, -1 if numbers[0] < 1 else 1, numbers[0]
    elif len(numbers) == 2:
        first, last = numbers
        step = -1 if last < first else 1
    elif len(numbers) == 3:
        first, step, last = numbers
        if last < first and step > 0:
            return ""
    else:
        return ""
    end = last - 1 if last < first else last + 1
    return " ".join(map(str, _until_step(first, end, step)))


def _from_octal(value: Value) -> Int64:
    number = parse_integer(display(value), 8)
    return Int64(number if number is not None and _MIN <= number <= _MAX else 0)


def _random(low: int, high: int) -> int:
    if high <= low:
        raise EvaluationError("invalid argument to Intn")
    return low + secrets.randbelow(high - low)


FUNCTIONS: dict[str, Function] = {
    "add": function("any...", _add),
    "add1": function("any", lambda value: _integer(to_integer(value) + 1)),
    "add1f": function("any", lambda value: _decimal(decimals.add, value, (1,))),
    "addf": function("any...", lambda *values: _decimal(decimals.add, 0.0, values)),
    "atoi": function("string", to_decimal_integer),
    "biggest": function("any any...", _largest),
    "ceil": function("any", _ceil),
    "div": function("any any", _divide),
    "divf": function("any any...", lambda a, *rest: _decimal(decimals.divide, a, rest)),
    "float64": function("any", to_float),
    "floor": function("any", _floor),
    "int": function("any", to_integer),
    "int64": function("any", lambda value: Int64(to_integer(value))),
    "max": function("any any...", _largest),
    "maxf": function("any any...", _largest_float),
    "min": function("any any...", _smallest),
    "minf": function("any any...", _smallest_float),
    "mod": function("any any", _modulo),
    "mul": function("any any...", _multiply),
    "mulf": function("any any...", lambda a, *rest: _decimal(decimals.multiply, a, rest)),
    "randInt": function("int int", _random),
    "round": function("any int float64...", _round),
    "seq": function("int...", _sequence),
    "sub": function("any any", lambda a, b: _integer(to_integer(a) - to_integer(b))),
    "subf": function("any any...", lambda a, *rest: _decimal(decimals.subtract, a, rest)),
    "toDecimal": function("any", _from_octal),
    "until": function("int", _until),
    "untilStep": function("int int int", _until_step),
}
