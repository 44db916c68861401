"""The state of one evaluation, and what it may cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tiphys.languages.expr._faults import Overrun

__all__ = ["MAX_ELEMENTS", "MAX_STEPS", "MAX_TEXT", "Frame", "Loop"]

MAX_STEPS = 1_000_000
"""Turns of loops, and elements that functions and comparisons look at, in one evaluation."""

MAX_ELEMENTS = 1_000_000
"""Elements of all lists, maps and ranges that one evaluation makes; the original's budget."""

MAX_TEXT = 16 * 1024 * 1024
"""Characters of all texts that one evaluation makes."""

_SCANNED = 10
"""Characters count less than elements: looking at 1,024 of them is one step."""


class Loop:
    """A turn of a loop: where ``#``, ``#index`` and ``#acc`` are read."""

    __slots__ = ("accumulator", "index", "items", "outer")

    def __init__(self, items: list[Any], outer: Loop | None) -> None:
        self.items = items
        self.index = 0
        self.accumulator: Any = None
        self.outer = outer


class Frame:
    """What one evaluation reads, where it is, and what it has used so far."""

    __slots__ = ("elements", "environment", "loop", "steps", "text", "variables")

    def __init__(self, environment: Mapping[str, Any], variables: int) -> None:
        self.environment = environment
        self.variables: list[Any] = [None] * variables
        self.loop: Loop | None = None
        self.steps = 0
        self.elements = 0
        self.text = 0

    def spend(self, steps: int) -> None:
        """Count *steps*; raises Overrun when there were too many."""
        self.steps += steps
        if self.steps > MAX_STEPS:
            raise Overrun(f"an evaluation may take {MAX_STEPS} steps at most")

    def scan(self, value: Any) -> None:
        """Count the work of looking at a text, or at the elements of a list or map, once."""
        if type(value) is str:
            if len(value) > 1 << _SCANNED:
                self.spend(len(value) >> _SCANNED)
        elif isinstance(value, list | dict):
            self.spend(len(value))

    def scan_deeply(self, value: Any) -> None:
        """
        Count the work of walking through all that is in a value.

        A list of an expression may hold another many times, and so on, which takes little
        memory and very long to walk through; what an event holds is a tree.
        """
        if not self.elements:
            self.scan(value)
            return
        waiting = [value]
        while waiting:
            current = waiting.pop()
            self.scan(current)
            if isinstance(current, dict):
                waiting.extend(current.values())
            elif isinstance(current, list):
                waiting.extend(current)

    def grow(self, elements: int) -> None:
        """Count the elements of a new list or map; raises Overrun when there were too many."""
        self.elements += elements
        if self.elements >= MAX_ELEMENTS:
            raise Overrun("memory budget exceeded")

    def write(self, characters: int) -> None:
        """Count the characters of a new text; raises Overrun when there were too many."""
        self.text += characters
        if self.text > MAX_TEXT:
            raise Overrun("memory budget exceeded")
