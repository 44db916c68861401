"""What goes wrong inside one operation, before the place in the expression is added."""

from __future__ import annotations

from tiphys.languages._errors import EvaluationError, LimitExceeded

__all__ = ["Fault", "Overrun"]


class Fault(Exception):
    """An operation that does not fit its operands; only its message reaches the outside."""

    error: type[EvaluationError] = EvaluationError

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def at(self, place: str) -> EvaluationError:
        """Make the error for the outside; *place* is line and column."""
        return self.error(f"{self.message} ({place})")


class Overrun(Fault):
    """An operation that takes more steps or memory than an evaluation may."""

    error = LimitExceeded
