"""What can be wrong with an expression; every language raises only these."""

from __future__ import annotations

__all__ = ["CompileError", "EvaluationError", "LanguageError", "LimitExceeded"]


class LanguageError(ValueError):
    """Base of the errors of all languages."""


class CompileError(LanguageError):
    """
    The expression itself is broken; no document can mend that.

    *position* counts characters from 0 in *expression*; it is absent where an engine tells none.
    """

    def __init__(self, message: str, expression: str = "", position: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.expression = expression
        self.position = position

    def __str__(self) -> str:
        """The message, followed by the place in the expression where there is one."""
        if self.position is None:
            return self.message
        before = self.expression[: self.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        return f"{self.message} (line {line}, column {column})"


class EvaluationError(LanguageError):
    """The expression does not fit this document."""


class LimitExceeded(EvaluationError):
    """Evaluation was stopped because it took more time, memory, or output than it may."""
