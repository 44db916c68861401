"""Pieces of translated Lua, each knowing the line of the script it came from."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

__all__ = ["Code", "Piece", "Slot", "commas", "quoted", "render"]


@dataclasses.dataclass(slots=True)
class Slot:
    """Text that is known only later, such as the label of a jump forward."""

    text: str = ""


Piece = tuple[int, str | Slot]


@dataclasses.dataclass(slots=True)
class Code:
    """
    A translated expression.

    *kind* is ``name``, ``index``, ``number``, ``string``, ``nil``, ``call`` and ``vararg`` (the
    two that give several values), ``function``, ``helper`` (a call of ours) or ``value``;
    *rank* is the precedence of its outermost operator.
    """

    pieces: list[Piece]
    kind: str = "value"
    rank: int = 9
    target: tuple[Code, Code] | None = None  # what an index indexes, and by what

    @property
    def line(self) -> int:
        """The line it begins on."""
        return self.pieces[0][0]

    @property
    def many(self) -> bool:
        """Whether it gives several values at the end of a list."""
        return self.kind in ("call", "vararg")

    def single(self) -> Code:
        """The same, cut to one value."""
        return self.enclosed() if self.many else self

    def enclosed(self) -> Code:
        """The same in parentheses."""
        line = self.pieces[-1][0]
        return Code([(self.line, "("), *self.pieces, (line, ")")])

    def within(self, rank: int) -> list[Piece]:
        """Its pieces as an operand of an operator of precedence *rank*."""
        return self.enclosed().pieces if self.rank < rank else self.pieces


def commas(codes: Iterable[Code]) -> list[Piece]:
    """The pieces of a list of expressions."""
    pieces: list[Piece] = []
    for code in codes:
        if pieces:
            pieces.append((code.line, ", "))
        pieces.extend(code.pieces)
    return pieces


def render(pieces: Iterable[Piece]) -> str:
    """The text of *pieces*, each on its own line or on a later one where it cannot be helped."""
    parts: list[str] = []
    current = 1
    for line, text in pieces:
        if line > current:
            parts.append("\n" * (line - current))
            current = line
        parts.append(text.text if isinstance(text, Slot) else text)
    return "".join(parts)


def quoted(text: str) -> str:
    """A string constant on one line; the byte after an escape must not be read as part of it."""
    escaped = "".join(
        character
        if " " <= character <= "~" and character not in '"\\'
        else f"\\{ord(character):03}"
        for character in text
    )
    return f'"{escaped}"'
