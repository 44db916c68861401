"""Calls of built-in functions and of whatever a name of the environment holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tiphys.languages._errors import EvaluationError
from tiphys.languages.expr._faults import Fault
from tiphys.languages.expr._frame import Frame
from tiphys.languages.expr._functions import GoFunction, guarded
from tiphys.languages.expr._loops import Evaluate
from tiphys.languages.expr._types import Function, Work
from tiphys.languages.expr._values import Ints, Strings

__all__ = ["call_builtin", "call_value"]

_SIZED = frozenset((str, list, dict, Strings, Ints))


def call_builtin(
    function: Function,
    arguments: Sequence[Evaluate],
    place: str,
    *,
    through_variable: bool = False,
) -> Evaluate:
    """Make a call of a built-in function; some cannot be called through a variable."""
    if through_variable and not function.through_variable:
        return _failing(f"{function.name} can only be called by its name ({place})")
    return _guarded_call(function.evaluate, arguments, place, function.work)


def _failing(message: str) -> Evaluate:
    def run(_: Frame) -> Any:
        raise EvaluationError(message)

    return run


def _guarded_call(function: Any, arguments: Sequence[Evaluate], place: str, work: Work) -> Evaluate:
    def run(frame: Frame) -> Any:
        values = [argument(frame) for argument in arguments]
        try:
            return _measured(frame, function, values, work)
        except Fault as fault:
            raise fault.at(place) from None

    return run


def call_value(callee: Evaluate, arguments: Sequence[Evaluate], place: str) -> Evaluate:
    """Make a call of a value, which must turn out to be a function."""

    def run(frame: Frame) -> Any:
        values = [argument(frame) for argument in arguments]
        function = callee(frame)
        try:
            if not callable(function):
                raise Fault("reflect: call of reflect.Value.Call on a value that is no function")
            if isinstance(function, GoFunction):
                frame.spend(function.cost)
            return _measured(frame, function, values, Work.ALL)
        except Fault as fault:
            raise fault.at(place) from None

    return run


def _measured(frame: Frame, function: Any, values: list[Any], work: Work) -> Any:
    """Call a function; count what it looks at, and what it makes if that is new."""
    if work is not Work.NONE:
        scan = frame.scan_deeply if work is Work.ALL else frame.scan
        for value in values:
            if type(value) in _SIZED:
                scan(value)
    result = guarded(function, values)
    if type(result) is str:
        frame.write(len(result))
    elif (
        work is not Work.NONE
        and isinstance(result, list)
        and not any(result is value for value in values)
    ):
        frame.scan(result)
    return result
