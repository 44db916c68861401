"""Functions of the parameters, built once for each part of an expression."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tiphys.languages._errors import EvaluationError
from tiphys.languages.govaluate._operators import BINARY, PREFIX, unfit

__all__ = ["Evaluate", "chain", "literal", "nothing", "parameter", "path", "prefixed"]

Evaluate = Callable[[Mapping[str, Any]], Any]
Steps = list[tuple[str, Evaluate]]


def nothing(_parameters: Mapping[str, Any]) -> None:
    """Evaluate what is missing, as between two parentheses."""


def literal(value: Any) -> Evaluate:
    """Build a constant."""
    return lambda _parameters: value


def parameter(name: str) -> Evaluate:
    """Build the look-up of a name; whole numbers become floats."""

    def evaluate(parameters: Mapping[str, Any]) -> Any:
        try:
            value = parameters[name]
        except KeyError:
            raise EvaluationError(f"No parameter '{name}' found.") from None
        return float(value) if type(value) is int else value

    return evaluate


def path(parts: tuple[str, ...], arguments: Evaluate | None) -> Evaluate:
    """
    Build an access to a member, which always fails.

    The original reaches into structures of its program, and no event has any.
    """
    first, second, *_ = parts
    get = parameter(first)

    def evaluate(parameters: Mapping[str, Any]) -> Any:
        if arguments is not None:
            arguments(parameters)
        get(parameters)
        raise EvaluationError(f"Unable to access '{second}', '{first}' is not a struct")

    return evaluate


def prefixed(symbol: str, operand: Evaluate) -> Evaluate:
    """Build an operator in front of a value."""
    apply = PREFIX[symbol]
    return lambda parameters: apply(operand(parameters))


def chain(first: Evaluate, steps: Steps) -> Evaluate:
    """Build operators of one precedence, which are applied from left to right."""
    symbol = steps[0][0]
    if symbol == "&&":
        return _all(first, steps)
    if symbol == "||":
        return _any(first, steps)
    if symbol in ("?", ":", "??"):
        return _ternary(first, steps)
    if len(steps) == 1:
        return _single(first, *steps[0])
    applied = [(BINARY[symbol], operand) for symbol, operand in steps]

    def evaluate(parameters: Mapping[str, Any]) -> Any:
        value = first(parameters)
        for apply, operand in applied:
            value = apply(value, operand(parameters))
        return value

    return evaluate


def _single(left: Evaluate, symbol: str, right: Evaluate) -> Evaluate:
    apply = BINARY[symbol]
    return lambda parameters: apply(left(parameters), right(parameters))


def _all(first: Evaluate, steps: Steps) -> Evaluate:
    operands = [operand for _, operand in steps]

    def evaluate(parameters: Mapping[str, Any]) -> bool:
        value = first(parameters)
        for operand in operands:
            if value is False:
                return False
            value = _both(value, operand(parameters), "&&")
        return bool(value)

    return evaluate


def _any(first: Evaluate, steps: Steps) -> Evaluate:
    operands = [operand for _, operand in steps]

    def evaluate(parameters: Mapping[str, Any]) -> bool:
        value = first(parameters)
        for operand in operands:
            if value is True:
                return True
            value = _both(value, operand(parameters), "||")
        return bool(value)

    return evaluate


def _both(left: Any, right: Any, symbol: str) -> bool:
    """Return the right side, which decides; both must be booleans."""
    for value in (left, right):
        if not isinstance(value, bool):
            raise unfit(value, symbol, "logical operator", "bool")
    return bool(right)


def _ternary(first: Evaluate, steps: Steps) -> Evaluate:
    def evaluate(parameters: Mapping[str, Any]) -> Any:
        value = first(parameters)
        for symbol, operand in steps:
            if symbol != "?":
                value = operand(parameters) if value is None else value
            elif value is False:
                value = None
            else:
                right = operand(parameters)
                if value is not True:
                    raise unfit(value, "?", "ternary operator", "bool")
                value = right
        return value

    return evaluate
