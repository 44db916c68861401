"""Checks of the arguments of built-in functions before evaluation, and their types during it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tiphys.languages.expr._faults import Fault
from tiphys.languages.expr._types import (
    Kind,
    Signature,
    Type,
    describe,
    is_any,
    is_float,
    is_integer,
    kind_of,
)
from tiphys.languages.expr._values import type_of

__all__ = ["Check", "argument_fault", "count", "fits", "one_of", "overloads", "text"]

Check = Callable[[Sequence[Type | None]], Type | None]


def argument_fault(
    name: str, parameters: Sequence[Type], arguments: Sequence[Type | None]
) -> Fault | None:
    """Tell why *arguments* do not fit a function with fixed *parameters*; None if they do."""
    if len(arguments) != len(parameters):
        few = len(arguments) < len(parameters)
        return Fault(f"{'not enough' if few else 'too many'} arguments to call {name}")
    for argument, parameter in zip(arguments, parameters, strict=True):
        if not fits(argument, parameter):
            return Fault(
                f"cannot use {describe(argument)} as argument "
                f"(type {parameter.name}) to call {name}"
            )
    return None


def fits(argument: Type | None, parameter: Type) -> bool:
    """Whether an argument may be passed; nil and what is unknown always may."""
    if argument is None or is_any(argument) or argument.fits(parameter):
        return True
    if is_integer(argument):
        differs = argument.kind is not parameter.kind
        return is_float(parameter) or (is_integer(parameter) and differs)
    return False


def overloads(name: str, *signatures: Signature) -> Check:
    """Check against several signatures; the first that fits decides the result."""

    def check(arguments: Sequence[Type | None]) -> Type | None:
        fault: Fault | None = None
        for signature in signatures:
            fault = argument_fault(name, signature.parameters, arguments)
            if fault is None:
                return signature.result
        assert fault is not None  # there is at least one signature
        raise fault

    return check


def count(arguments: Sequence[Any], *allowed: int) -> None:
    """Raise Fault unless the number of arguments is among *allowed*."""
    if len(arguments) not in allowed:
        expected = " or ".join(map(str, allowed))
        raise Fault(f"invalid number of arguments (expected {expected}, got {len(arguments)})")


def one_of(name: str, kinds: frozenset[Kind], result: Type | None, *, message: str = "") -> Check:
    """Check for one argument of one of *kinds*; without *result* its type is that of the result."""

    def check(arguments: Sequence[Type | None]) -> Type | None:
        count(arguments, 1)
        argument = arguments[0]
        if is_any(argument) or kind_of(argument) in kinds:
            return result if result is not None else argument
        raise Fault(
            f"{message} {describe(argument)}"
            if message
            else f"invalid argument for {name} (type {describe(argument)})"
        )

    return check


def text(value: Any) -> str:
    """Return a value that must be a text; raises Fault for others."""
    if type(value) is not str:
        found = "nil" if value is None else type_of(value)
        raise Fault(f"interface conversion: interface {{}} is {found}, not string")
    return value
