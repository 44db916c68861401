"""Functions and methods that templates can call, and the Go types of their parameters."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from tiphys.languages._errors import EvaluationError
from tiphys.languages.template import nodes
from tiphys.languages.template.values import (
    MISSING,
    Certificate,
    Items,
    NilList,
    NilMap,
    Uint32,
    Value,
    type_name,
)

__all__ = ["ANY", "Function", "Parameter", "function", "register_parameter"]


@dataclasses.dataclass(frozen=True, slots=True)
class Parameter:
    """
    One parameter: the Go type, the Python types that are of it, and what nil becomes.

    *literal* reads a constant of the template as this type; it returns None for one that is not.
    """

    go: str
    types: tuple[type, ...] = ()
    nil: Callable[[], Value] | None = None
    literal: Callable[[nodes.Bool | nodes.String | nodes.Number], Value] | None = None

    def convert(self, value: Value) -> Value:
        """*value* if it is of this type, or the type's nil; raises EvaluationError."""
        if type(value) in self.types:
            return value
        if value is MISSING:
            if self.nil is None:
                raise EvaluationError(f"invalid value; expected {self.go}")
            return self.nil()
        got = "interface {}" if value is None else type_name(value)
        raise EvaluationError(f"wrong type for value; expected {self.go}; got {got}")


def _bool(node: nodes.Bool | nodes.String | nodes.Number) -> Value:
    return node.value if isinstance(node, nodes.Bool) else None


def _string(node: nodes.Bool | nodes.String | nodes.Number) -> Value:
    return node.value if isinstance(node, nodes.String) else None


def _integer(node: nodes.Bool | nodes.String | nodes.Number) -> Value:
    return node.integer if isinstance(node, nodes.Number) else None


def _unsigned(node: nodes.Bool | nodes.String | nodes.Number) -> Value:
    if isinstance(node, nodes.Number) and node.unsigned is not None:
        return Uint32(node.unsigned & 0xFFFF_FFFF)
    return None


def _real(node: nodes.Bool | nodes.String | nodes.Number) -> Value:
    return node.real if isinstance(node, nodes.Number) else None


ANY = Parameter("interface {}")

_PARAMETERS = {
    "any": ANY,
    "bool": Parameter("bool", (bool,), literal=_bool),
    "string": Parameter("string", (str,), literal=_string),
    "int": Parameter("int", (int,), literal=_integer),
    "uint32": Parameter("uint32", (Uint32,), literal=_unsigned),
    "float64": Parameter("float64", (float,), literal=_real),
    "map": Parameter("map[string]interface {}", (dict, NilMap), nil=NilMap),
    "list": Parameter("[]interface {}", (list, Items, NilList), nil=NilList),
    "certificate": Parameter("sprig.certificate", (Certificate,)),
}


def register_parameter(name: str, kind: Parameter) -> None:
    """Add a type that signatures can name."""
    _PARAMETERS[name] = kind


@dataclasses.dataclass(frozen=True, slots=True)
class Function:
    """
    A function or method with typed parameters.

    *call* takes values of these types and raises EvaluationError for what Go answers with an
    error or a panic. *cost* is what a call counts in the budget of work.
    """

    parameters: tuple[Parameter, ...]
    variadic: Parameter | None
    call: Callable[..., Any]
    cost: int = 1

    def parameter(self, index: int) -> Parameter:
        """The type of the argument at *index*."""
        if index < len(self.parameters):
            return self.parameters[index]
        assert self.variadic is not None
        return self.variadic

    def problem(self, name: str, count: int) -> str | None:
        """What is wrong with calling it with *count* arguments."""
        wanted = len(self.parameters)
        if self.variadic is not None:
            if count < wanted:
                return f"wrong number of args for {name}: want at least {wanted} got {count}"
        elif count != wanted:
            return f"wrong number of args for {name}: want {wanted} got {count}"
        return None


def function(signature: str, call: Callable[..., Any], cost: int = 1) -> Function:
    """Make a function; *signature* names its parameter types, the last one maybe with dots."""
    names = signature.split()
    variadic = None
    if names and names[-1].endswith("..."):
        variadic = _PARAMETERS[names.pop().removesuffix("...")]
    return Function(tuple(_PARAMETERS[name] for name in names), variadic, call, cost)
