"""What stands behind a dot: keys of maps, methods and fields of Go's own types."""

from __future__ import annotations

from collections.abc import Mapping

from tiphys.languages._errors import EvaluationError
from tiphys.languages.template.functions import Function
from tiphys.languages.template.values import MISSING, Certificate, Value, type_name

__all__ = ["find_method", "register_methods", "select"]

_METHODS: dict[type, Mapping[str, Function]] = {}


def register_methods(python_type: type, methods: Mapping[str, Function]) -> None:
    """Give values of *python_type* methods; each takes the value before its parameters."""
    _METHODS[python_type] = methods


def find_method(value: Value, name: str) -> Function | None:
    """The method *name* of *value*, bound to it."""
    method = _METHODS.get(type(value), {}).get(name)
    if method is None:
        return None
    return Function(
        method.parameters,
        method.variadic,
        lambda *arguments: method.call(value, *arguments),
        method.cost,
    )


def select(value: Value, name: str) -> Value:
    """
    What ``.name`` gives for *value*: MISSING for a key that a map does not have.

    Raises EvaluationError for nil and for values that have no fields.
    """
    if isinstance(value, dict):
        return value.get(name, MISSING)
    if value is MISSING:
        return MISSING
    if value is None:
        raise EvaluationError(f"nil pointer evaluating interface {{}}.{name}")
    method = find_method(value, name)
    if method is not None:
        if problem := method.problem(name, 0):
            raise EvaluationError(problem)
        return method.call()
    if isinstance(value, Certificate) and name in ("Cert", "Key"):
        return value.Cert if name == "Cert" else value.Key
    raise EvaluationError(f"can't evaluate field {name} in type {type_name(value)}")
