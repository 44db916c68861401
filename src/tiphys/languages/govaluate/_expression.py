"""The compiled expression."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tiphys.languages._errors import CompileError
from tiphys.languages.govaluate._closures import Evaluate
from tiphys.languages.govaluate._lexer import tokenize
from tiphys.languages.govaluate._parser import compile_patterns, plan
from tiphys.languages.govaluate._tokens import Kind, Token, check_order

__all__ = ["Expression", "compile"]


class Expression:
    """A compiled expression; immutable and safe to share."""

    __slots__ = ("_evaluate", "names", "source")

    def __init__(self, source: str, names: tuple[str, ...], evaluate: Evaluate) -> None:
        self.source = source
        self.names = names
        """The names in the order in which they occur, each as often as it occurs."""
        self._evaluate = evaluate

    def __repr__(self) -> str:
        """Show the source."""
        return f"Expression({self.source!r})"

    def evaluate(self, parameters: Mapping[str, Any]) -> Any:
        """
        Evaluate with the values of the names: JSON values whose numbers are floats.

        Names that are not reached need no value. Raises EvaluationError.
        """
        return self._evaluate(parameters)


def compile(expression: str, *, dashes: bool = False) -> Expression:
    """
    Compile *expression*; raises CompileError with the place of what is broken.

    With *dashes*, as in conditions, every dash belongs to a name and none is a minus.
    """
    source = expression.replace("-", "\\-") if dashes else expression
    try:
        tokens = tokenize(source)
        check_order(tokens, source)
        tokens = compile_patterns(tokens, source)
        evaluate = plan(tokens, source)
    except CompileError as error:
        position = error.position
        if position is not None and dashes:
            position -= source.count("\\-", 0, position)
        raise CompileError(error.message, expression, position) from None
    return Expression(expression, _names(tokens), evaluate)


def _names(tokens: list[Token]) -> tuple[str, ...]:
    return tuple(token.value for token in tokens if token.kind is Kind.VARIABLE)
