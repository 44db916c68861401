"""
What one template may cost.

Templates come from manifests and run on every event: a loop or a doubling text must end in
LimitExceeded, not in a process without memory.
"""

from __future__ import annotations

from tiphys.languages._errors import LimitExceeded

__all__ = [
    "MAX_DEPTH",
    "MAX_ITEMS",
    "MAX_NESTING",
    "MAX_OUTPUT",
    "MAX_TEXT",
    "MAX_WORK",
    "Usage",
    "check_items",
    "check_text",
]

MAX_NESTING = 100
"""Blocks and parentheses inside one another, counted while a template is compiled."""

MAX_DEPTH = 60
"""Templates that call one another."""

MAX_OUTPUT = 4 * 1024 * 1024
"""Characters of the result."""

MAX_TEXT = 4 * 1024 * 1024
"""Characters of a text that a function makes."""

MAX_ITEMS = 1_000_000
"""Items of a list that a function makes."""

MAX_WORK = 500_000
"""
Units of work: one for a call or a round of a loop, for 16 characters or items that a function
makes, and for 256 characters that it reads; slow functions cost more.
"""


class Usage:
    """What one rendering has used so far."""

    __slots__ = ("depth", "output", "work")

    def __init__(self) -> None:
        self.work = 0
        self.output = 0
        self.depth = 0

    def spend(self, work: int) -> None:
        """Count *work*; raises LimitExceeded when it is used up."""
        self.work += work
        if self.work > MAX_WORK:
            raise LimitExceeded(f"template used more than {MAX_WORK} units of work")


def check_text(size: int) -> None:
    """Raise LimitExceeded when a text of *size* characters is too long to be made."""
    if size > MAX_TEXT:
        raise LimitExceeded(f"template made a text of more than {MAX_TEXT} characters")


def check_items(size: int) -> None:
    """Raise LimitExceeded when a list of *size* items is too long to be made."""
    if size > MAX_ITEMS:
        raise LimitExceeded(f"template made a list of more than {MAX_ITEMS} items")
