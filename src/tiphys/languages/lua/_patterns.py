"""
Lua patterns as the original reads them, rewritten for the engine's own matcher.

The original knows no frontier pattern, takes an unknown class for a plain letter, and reads
ranges and a lone ``%`` in its own way.
"""

from __future__ import annotations

__all__ = ["PatternFault", "rewrite"]

_CLASSES = frozenset("acdlpsuwxzACDLPSUWXZ")
_NEVER = "[^%z\x01-\xff]"  # matches no byte
_QUANTIFIERS = "*+-?"


class PatternFault(Exception):
    """A pattern that the original refuses."""


def rewrite(pattern: str) -> tuple[str, bool]:
    """
    *pattern* for the engine, without its leading ``^``, and whether there was one.

    Raises PatternFault.  Patterns have one character a byte.
    """
    anchored = pattern.startswith("^")
    rewriter = _Rewriter(pattern, 1 if anchored else 0)
    return rewriter.sequence(0), anchored


class _Rewriter:
    def __init__(self, pattern: str, position: int) -> None:
        self._pattern = pattern
        self._position = position

    def _peek(self) -> str:
        return self._pattern[self._position : self._position + 1]

    def _take(self) -> str:
        character = self._peek()
        self._position += 1
        return character

    def sequence(self, depth: int) -> str:
        """Everything up to the end, or up to the parenthesis that closes this capture."""
        parts: list[str] = []
        if depth > 30:
            raise PatternFault("too many captures")
        while character := self._peek():
            if character == ")":
                if depth == 0:
                    raise PatternFault(f"invalid ')' at {self._position}")
                return "".join(parts)
            if character == "(":
                parts.append(self._capture(depth))
            elif character == "$" and self._position == len(self._pattern) - 1 and depth == 0:
                parts.append(self._take())
            else:
                parts.append(self._item())
        return "".join(parts)

    def _capture(self, depth: int) -> str:
        self._take()
        if self._peek() == ")":
            self._take()
            return "()"
        inner = self.sequence(depth + 1)
        if self._take() != ")":
            raise PatternFault("unfinished capture")
        return f"({inner})"

    def _item(self) -> str:
        """One character or class with its quantifier, a reference, or a balanced pair."""
        character = self._take()
        if character == "%":
            following = self._take()
            if following == "0":
                raise PatternFault("invalid capture index")
            if following and following in "123456789":
                return f"%{following}"
            if following == "b":
                return f"%b{self._take()}{self._take()}"
            single = _class(following)
        elif character == "[":
            single = self._set()
        elif character == ".":
            single = "."
        else:
            single = _literal(character)
            if character in _QUANTIFIERS:
                return single  # nothing to repeat: it stands for itself
        if (quantifier := self._peek()) and quantifier in _QUANTIFIERS:
            return single + self._take()
        return single

    def _set(self) -> str:
        negated = self._peek() == "^"
        if negated:
            self._take()
        members: list[str] = []
        while True:
            character = self._peek()
            if not character:
                raise PatternFault(f"unexpected EOS at {len(self._pattern)}")
            if character == "]" and members:
                self._take()
                break
            if character == "-" and members:
                self._take()
                if self._peek() == "]":
                    members.append("%-")
                elif self._peek():
                    members.append(_range(members.pop(), self._member()))
                continue
            members.append(self._member())
        if not any(members):
            return "." if negated else _NEVER
        return f"[{'^' if negated else ''}{''.join(members)}]"

    def _member(self) -> str:
        character = self._take()
        if character != "%":
            return _literal(character)
        return _class(self._take(), in_set=True)


def _class(letter: str, in_set: bool = False) -> str:
    if not letter:
        return "" if in_set else _NEVER
    return f"%{letter}" if letter in _CLASSES else _literal(letter)


def _literal(character: str) -> str:
    return character if character.isalnum() and character.isascii() else _escaped(character)


def _escaped(character: str) -> str:
    if character == "\0":
        return "%z"
    return f"%{character}" if character.isascii() and character.isprintable() else character


def _range(first: str, last: str) -> str:
    """A range; in the original one with a class at either end matches nothing."""
    low, high = first.removeprefix("%"), last.removeprefix("%")
    ends_are_classes = (first.startswith("%") and low.isalnum()) or (
        last.startswith("%") and high.isalnum()
    )
    if ends_are_classes or not low or not high or low > high:
        return ""
    return f"{low}-{high}"
