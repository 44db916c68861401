"""What a template has while it runs: its variables, its output, and what it has used."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from tiphys.languages._errors import EvaluationError, LimitExceeded
from tiphys.languages.template.limits import MAX_OUTPUT, Usage
from tiphys.languages.template.nodes import Node
from tiphys.languages.template.values import Value

__all__ = ["Evaluate", "Run", "Scope", "located"]


class Scope:
    """
    One running template.

    Variables are a stack searched from its end, so that a declaration hides an older one until
    the block around it ends.
    """

    __slots__ = ("names", "output", "usage", "values")

    def __init__(self, dot: Value, output: list[str], usage: Usage) -> None:
        self.names = ["$"]
        self.values: list[Value] = [dot]
        self.output = output
        self.usage = usage

    def write(self, text: str) -> None:
        """Append *text* to the output; raises LimitExceeded when it grows too long."""
        self.usage.output += len(text)
        if self.usage.output > MAX_OUTPUT:
            raise LimitExceeded(f"template wrote more than {MAX_OUTPUT} characters")
        self.output.append(text)

    def declare(self, name: str, value: Value) -> None:
        """Add a variable."""
        self.names.append(name)
        self.values.append(value)

    def find(self, name: str) -> int:
        """The place of the youngest variable called *name*; raises EvaluationError."""
        names = self.names
        for index in range(len(names) - 1, -1, -1):
            if names[index] == name:
                return index
        raise EvaluationError(f"undefined variable: {name}")

    def restore(self, mark: int) -> None:
        """Forget the variables declared since there were *mark* of them."""
        if len(self.names) > mark:
            del self.names[mark:]
            del self.values[mark:]


Evaluate: TypeAlias = Callable[[Scope, Value], Value]
"""A compiled expression: takes the scope and dot."""

Run: TypeAlias = Callable[[Scope, Value], None]
"""A compiled statement: takes the scope and dot, and writes."""


def located(
    error: EvaluationError | str, node: Node, text: str, prefix: str = ""
) -> EvaluationError:
    """*error* with the line and column of *node* and the part of *text* that it stands for."""
    if isinstance(error, LimitExceeded):
        return error
    before = text[: node.start]
    line = before.count("\n") + 1
    column = node.start - (before.rfind("\n") + 1)
    return EvaluationError(f"{line}:{column}: <{text[node.start : node.end]}>: {prefix}{error}")
