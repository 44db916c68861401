"""The built-in functions by name; loops such as ``filter`` are part of the compiler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tiphys.languages.expr._builtins import _collections, _conversions, _numbers, _texts
from tiphys.languages.expr._faults import Fault
from tiphys.languages.expr._parser import LOOPS
from tiphys.languages.expr._types import Function, Type

__all__ = ["BUILTINS", "NAMES"]

BUILTINS = {
    function.name: function
    for module in (_collections, _conversions, _numbers, _texts)
    for function in module.FUNCTIONS
}
"""What can be called by name."""


def _loop(name: str) -> Function:
    """A loop as a value: it has a type, but calling it through a variable is an error."""

    def evaluate(*_: Any) -> Any:
        raise Fault(f"{name} can only be called by its name")

    def check(_: Sequence[Type | None]) -> Type | None:
        raise Fault(f"{name} can only be called by its name")

    return Function(name, evaluate, check, through_variable=False)


NAMES = BUILTINS | {name: _loop(name) for name in LOOPS}
"""What hides members of the environment from the checker: functions and loops."""
