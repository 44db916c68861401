"""Compiled expressions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from tiphys.languages._errors import CompileError, LimitExceeded
from tiphys.languages.expr._builtins import BUILTINS
from tiphys.languages.expr._checker import check
from tiphys.languages.expr._compiler import Compiler
from tiphys.languages.expr._faults import Fault
from tiphys.languages.expr._frame import Frame
from tiphys.languages.expr._functions import GoFunction
from tiphys.languages.expr._optimizer import optimize
from tiphys.languages.expr._parser import parse

__all__ = ["Expression", "compile"]


class Expression:
    """An expression ready to be evaluated; immutable and safe to share between threads."""

    __slots__ = ("_evaluate", "_variables", "source")

    def __init__(self, source: str, evaluate: Callable[[Frame], Any], variables: int) -> None:
        self.source = source
        self._evaluate = evaluate
        self._variables = variables

    def __repr__(self) -> str:
        """Show the source."""
        return f"Expression({self.source!r})"

    def evaluate(self, environment: Mapping[str, Any]) -> Any:
        """
        Evaluate with the names in *environment*; a name that is not there is nil.

        Raises EvaluationError where the expression does not fit the values, and LimitExceeded
        where it takes too many steps or too much memory.
        """
        try:
            return self._evaluate(Frame(environment, self._variables))
        except Fault as fault:
            raise fault.error(fault.message) from None
        except RecursionError:
            raise LimitExceeded("the expression is nested too deeply") from None


def compile(
    expression: str,
    functions: Mapping[str, Any] | None = None,
    *,
    variables: Collection[str] | None = None,
) -> Expression:
    """
    Check and compile *expression*.

    *functions* may be called, and hide names of the environment; a map among them gives
    functions behind a dot. With *variables* no other names may be used, and each holds a text.
    Raises CompileError with the place and what is wrong there.
    """
    known = {name: _callable(name, value) for name, value in (functions or {}).items()}
    try:
        tree = parse(expression, BUILTINS)
        check(tree, expression, variables)
        compiler = Compiler(expression, known, typed=variables is not None)
        evaluate = compiler.compile(optimize(tree, expression))
    except RecursionError:
        raise CompileError("the expression is nested too deeply", expression) from None
    return Expression(expression, evaluate, compiler.variables)


def _callable(name: str, value: Any) -> Any:
    if callable(value) and not isinstance(value, GoFunction):
        return GoFunction(name, value)
    return value
