"""Functions and methods as values: what an expression gets when it names one without calling."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from tiphys.languages._errors import LanguageError, LimitExceeded
from tiphys.languages.expr._faults import Fault, Overrun
from tiphys.languages.expr._methods import FIRST_RESULTS
from tiphys.languages.template import time_methods  # noqa: F401  it registers the methods
from tiphys.languages.template.fields import find_method
from tiphys.languages.template.functions import ANY, Function, Parameter, function
from tiphys.languages.template.moments import Time
from tiphys.languages.template.printing import register_display
from tiphys.languages.template.values import GoType, register, type_name

__all__ = ["GoFunction", "guarded", "method_of", "typed"]


class GoFunction:
    """
    A function that expressions can call; whatever it raises comes out as a Fault.

    *cost* is what a call counts among the steps of an evaluation.
    """

    __slots__ = ("_call", "cost", "name")

    def __init__(self, name: str, call: Callable[..., Any], cost: int = 1) -> None:
        self.name = name
        self.cost = cost
        self._call = call

    def __call__(self, *arguments: Any) -> Any:
        """Call it; raises Fault."""
        return guarded(self._call, arguments)


register(GoFunction, GoType("func", "func"))
register_display(GoFunction, lambda function: f"func {function.name}")


def guarded(call: Callable[..., Any], arguments: tuple[Any, ...] | list[Any]) -> Any:
    """Call a function and turn whatever it raises into a Fault."""
    try:
        return call(*arguments)
    except Fault:
        raise
    except (LimitExceeded, RecursionError, MemoryError) as error:
        raise Overrun(str(error) or "a function took too much memory") from error
    except LanguageError as error:
        raise Fault(str(error)) from error
    except Exception as error:  # a panic inside a function is an error of the expression
        raise Fault(f"{type(error).__name__}: {error}") from error


def typed(name: str, known: Function) -> GoFunction:
    """Make a function of the template language callable; arguments must have its types."""

    def call(*arguments: Any) -> Any:
        if problem := known.problem(name, len(arguments)):
            raise Fault(problem)
        for index, argument in enumerate(arguments):
            _check(argument, known.parameter(index))
        return known.call(*arguments)

    return GoFunction(name, call, known.cost)


def _check(argument: Any, parameter: Parameter) -> None:
    """Unlike a template, a call by reflection passes nil for nothing but an interface."""
    if parameter is not ANY and type(argument) not in parameter.types:
        given = "interface {}" if argument is None else type_name(argument)
        raise Fault(f"reflect: Call using {given} as type {parameter.go}")


def method_of(value: Any, name: str) -> GoFunction | None:
    """Return a method bound to a value; None if it has no such method."""
    method = find_method(value, name)
    if method is None and isinstance(value, Time) and name in FIRST_RESULTS:
        method = function("", functools.partial(FIRST_RESULTS[name], value))
    return None if method is None else typed(name, method)
