"""One walk along a path: the whole document, and how much has been looked at."""

from __future__ import annotations

from typing import Any, NoReturn, Protocol

from tiphys.languages._errors import EvaluationError, LimitExceeded

__all__ = ["MAX_STEPS", "Panic", "Query", "Step", "follow", "kind", "missing", "wrong_target"]

MAX_STEPS = 500_000
"""Values that one walk may look at."""


class Panic(EvaluationError):
    """An error that ends the walk even where others only leave an element out."""


class Query:
    """What a walk knows besides the place where it stands."""

    __slots__ = ("steps",)

    def __init__(self) -> None:
        self.steps = 0

    def spend(self, steps: int = 1) -> None:
        """Count values that are looked at; raises LimitExceeded when there were too many."""
        self.steps += steps
        if self.steps > MAX_STEPS:
            raise LimitExceeded(f"a path may look at {MAX_STEPS} values at most")


class Step(Protocol):
    """A part of a path."""

    def apply(self, query: Query, root: Any, current: Any, rest: tuple[Step, ...]) -> Any:
        """
        Take this step from *current*, then the *rest*; *root* is what ``$`` means in scripts.

        Raises EvaluationError where the step leads nowhere.
        """


def follow(query: Query, root: Any, value: Any, rest: tuple[Step, ...]) -> Any:
    """Take the *rest* of the steps from *value*, which the walk has reached."""
    query.spend()
    return rest[0].apply(query, root, value, rest[1:]) if rest else value


def kind(value: Any) -> str:
    """Name a type in an error message."""
    if value is None:
        return "nil"
    names = {bool: "bool", float: "float64", int: "int64", str: "string", list: "slice"}
    return names.get(type(value), "map")


def wrong_target(step: str, expected: str, value: Any) -> NoReturn:
    """Raise the error for a step that does not apply to *value*."""
    raise EvaluationError(f"{step}: expected {expected}, got {kind(value)}")


def missing(step: str, what: str) -> NoReturn:
    """Raise the error for a member that is not there."""
    raise EvaluationError(f"{step}: {what}")
