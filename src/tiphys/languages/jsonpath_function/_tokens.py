"""Cuts a path into the texts of its steps."""

from __future__ import annotations

from tiphys.languages._errors import CompileError

__all__ = ["split_path"]


def split_path(path: str) -> list[str]:
    """Cut *path*, which begins with ``$`` or ``@``; raises CompileError."""
    if path[:1] not in ("$", "@"):
        raise CompileError("a path begins with $ or @", path, 0)
    if path[1:2] not in ("", ".", "["):
        raise CompileError(f"unexpected {path[1]!r}, expected . or [", path, 1)
    splitter = _Splitter(path[0])
    for character in path[1:]:
        splitter.read(character)
    splitter.finish()
    return splitter.found


class _Splitter:
    """Reads one character at a time; *text* is the part of a step that has been read."""

    def __init__(self, first: str) -> None:
        self.found = [first]
        self.text = ""
        self.quotes = 0
        self.scripts = 0
        self.subscripts = 0

    def read(self, character: str) -> None:
        if not self.text:
            self.quotes = self.scripts = 0
        self.count(character)
        self.text += character
        if self.text == ".":
            return
        if self.text == "..":
            self.found.append(self.text)
            self.text = ""
        elif character == "[":
            self.open_subscript()
        elif "[" in self.text:
            if character == "]" and self.subscripts == 0 and not self.is_inside:
                self.end_step(len(self.text), "")
        elif character == "." and not self.is_inside:
            self.end_step(-1, ".")

    def count(self, character: str) -> None:
        if character == "'":
            self.quotes += 1
        elif character in "()":
            self.scripts += 1 if character == "(" else -1
        elif character in "[]":
            self.subscripts += 1 if character == "[" else -1

    @property
    def is_inside(self) -> bool:
        """Whether what was read last stands inside quotes or a script."""
        return self.quotes % 2 == 1 or self.scripts != 0

    def open_subscript(self) -> None:
        if self.text not in ("[", ".[") and self.text.count("[") == 1:
            self.end_step(-1, "[")

    def end_step(self, end: int, following: str) -> None:
        """Take the text up to *end* for a step; the next begins with *following*."""
        self.found.append(self.text[:end].removeprefix("."))
        self.text = following

    def finish(self) -> None:
        if self.text:
            self.found.append(self.text.removeprefix("."))
