"""What one evaluation may cost; the limits are far above what real documents need."""

from __future__ import annotations

from tiphys.languages._errors import LimitExceeded

__all__ = ["MAX_DEPTH", "MAX_OUTPUT", "MAX_READ", "Budget"]

MAX_DEPTH = 150
"""Levels of path components, pipes, and queries inside each other, or of values in a document."""

MAX_OUTPUT = 64 * 2**20
"""Characters of new text (lists, multipaths, modifiers) that one evaluation may build."""

MAX_READ = 512 * 2**20
"""Characters that one evaluation may look at; nested ``@dig`` reads a document many times."""


class Budget:
    """Counts depth, characters read, and characters written; raises LimitExceeded."""

    __slots__ = ("depth", "output", "read_so_far")

    def __init__(self) -> None:
        self.depth = 0
        self.output = 0
        self.read_so_far = 0

    def enter(self) -> None:
        """Go one level deeper; leave() comes back. No need to leave when an error is raised."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise LimitExceeded(f"path or document is nested more than {MAX_DEPTH} levels deep")

    def leave(self) -> None:
        """Come back from a level that enter() opened."""
        self.depth -= 1

    def read(self, characters: int) -> None:
        """Account for a text that is about to be searched."""
        self.read_so_far += characters
        if self.read_so_far > MAX_READ:
            raise LimitExceeded(f"path reads more than {MAX_READ} characters")

    def write(self, characters: int) -> None:
        """Account for text that is about to be built."""
        self.output += characters
        if self.output > MAX_OUTPUT:
            raise LimitExceeded(f"path builds more than {MAX_OUTPUT} characters")
