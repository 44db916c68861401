"""
Regular expressions of RE2 in the words of Oniguruma, the matcher inside libjq.

The two agree on most of the syntax, but not on what a line's beginning is, nor on which letters
a class such as ``\\d`` holds.
"""

from __future__ import annotations

import re
from typing import Final

from tiphys.languages import regexp

__all__ = ["rewrite"]

_WORD: Final = "0-9A-Za-z_"
_CLASSES: Final = {"d": "0-9", "w": _WORD, "s": r"\t\n\f\r "}
_NEGATED_CLASSES: Final = {  # inside a bracket, where nothing can be negated on its own
    "d": r"\x00-/:-\x{10ffff}",
    "w": r"\x00-/:-@\[-\^`{-\x{10ffff}",
    "s": r"\x00-\x08\x0b\x0e-\x1f!-\x{10ffff}",
}
_OTHERS: Final = r"\x{80}-\x{10ffff}"
_POSIX: Final = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7f",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": _WORD,
    "xdigit": "0-9A-Fa-f",
}
_NEGATED_POSIX: Final = {
    "alnum": rf"\x00-/:-@\[-`{{-\x7f{_OTHERS}",
    "alpha": rf"\x00-@\[-`{{-\x7f{_OTHERS}",
    "ascii": _OTHERS,
    "blank": rf"\x00-\x08\n-\x1f!-\x7f{_OTHERS}",
    "cntrl": rf" -~{_OTHERS}",
    "digit": rf"\x00-/:-\x7f{_OTHERS}",
    "graph": rf"\x00- \x7f{_OTHERS}",
    "lower": rf"\x00-`{{-\x7f{_OTHERS}",
    "print": rf"\x00-\x1f\x7f{_OTHERS}",
    "punct": rf"\x00- 0-9A-Za-z\x7f{_OTHERS}",
    "space": rf"\x00-\x08\x0e-\x1f!-\x7f{_OTHERS}",
    "upper": rf"\x00-@\[-\x7f{_OTHERS}",
    "word": _NEGATED_CLASSES["w"],
    "xdigit": rf"\x00-/:-@G-`g-\x7f{_OTHERS}",
}
_BOUNDARY = f"(?:(?<=[{_WORD}])(?![{_WORD}])|(?<![{_WORD}])(?=[{_WORD}]))"
_NO_BOUNDARY = f"(?:(?<=[{_WORD}])(?=[{_WORD}])|(?<![{_WORD}])(?![{_WORD}]))"
_LITERAL = re.compile(r"\\Q(.*?)(?:\\E|\Z)", re.DOTALL)
_CODE = re.compile(r"\\x\{([0-9a-fA-F]+)\}|\\x([0-9a-fA-F]{2})|\\([0-7]{1,3})")
_PROPERTY = re.compile(r"\\[pP](?:\{[^}]*\}|.)")
_FLAGS = re.compile(r"\(\?([a-zA-Z]*)(?:-([a-zA-Z]*))?([:)])")
_NAMED = re.compile(r"\(\?P?<([^>]+)>")
_POSIX_CLASS = re.compile(r"\[:(\^?)([a-z]+):\]")
_REPETITION = re.compile(r"\{[0-9]+(?:,[0-9]*)?\}")
_SPECIAL = frozenset("\\.+*?()|[]{}^$-&#")


def rewrite(pattern: str) -> str:
    """
    *pattern* for Oniguruma with Perl's syntax; raises CompileError where RE2 refuses it.

    Matches are the same except where letters of other scripts differ only in case.
    """
    regexp.compile(pattern)
    return _Rewriter(pattern).whole()


class _Rewriter:
    """Reads a pattern that RE2 has accepted."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._position = 0
        self._multiline = [False]  # per open group: do ^ and $ match at line breaks

    def whole(self) -> str:
        """The whole pattern."""
        parts: list[str] = []
        while self._position < len(self._pattern):
            parts.append(self._part())
        return "".join(parts)

    def _part(self) -> str:
        character = self._pattern[self._position]
        if character == "\\":
            return self._escape(in_set=False)
        if character == "[":
            return self._set()
        if character == "(":
            return self._group()
        if character == "{" and not _REPETITION.match(self._pattern, self._position):
            self._position += 1
            return r"\{"
        self._position += 1
        if character == ")":
            self._multiline.pop()
        elif character == "^":
            return r"(?:\A|(?<=\n))" if self._multiline[-1] else r"\A"
        elif character == "$":
            return r"(?=\n|\z)" if self._multiline[-1] else r"\z"
        return r"\#" if character == "#" else character

    def _group(self) -> str:
        if named := _NAMED.match(self._pattern, self._position):
            self._position = named.end()
            self._multiline.append(self._multiline[-1])
            return f"(?<{named.group(1)}>"
        flags = _FLAGS.match(self._pattern, self._position)
        if flags is None:
            self._position += 1
            self._multiline.append(self._multiline[-1])
            return "("
        self._position = flags.end()
        on, off, end = flags.group(1), flags.group(2) or "", flags.group(3)
        multiline = ("m" in on or self._multiline[-1]) and "m" not in off
        if end == ":":
            self._multiline.append(multiline)
        else:
            self._multiline[-1] = multiline
        on, off = on.replace("m", ""), off.replace("m", "")
        if not on and not off:
            return "(?:" if end == ":" else ""
        return f"(?{on}{'-' if off else ''}{off}{end}"

    def _escape(self, in_set: bool) -> str:
        pattern, position = self._pattern, self._position
        if literal := _LITERAL.match(pattern, position):
            self._position = literal.end()
            return "".join(map(_quoted, literal.group(1)))
        if code := _CODE.match(pattern, position):
            self._position = code.end()
            braced, two, octal = code.groups()
            return f"\\x{{{int(octal, 8) if octal else int(braced or two, 16):x}}}"
        if unicode_class := _PROPERTY.match(pattern, position):
            self._position = unicode_class.end()
            return _property(unicode_class.group())
        letter = pattern[position + 1]
        self._position += 2
        if letter in _CLASSES:
            return _CLASSES[letter] if in_set else f"[{_CLASSES[letter]}]"
        if letter.lower() in _CLASSES:
            plain = letter.lower()
            return _NEGATED_CLASSES[plain] if in_set else f"[^{_CLASSES[plain]}]"
        if letter in "bB" and not in_set:
            return _BOUNDARY if letter == "b" else _NO_BOUNDARY
        return f"\\{letter}"

    def _set(self) -> str:
        self._position += 1
        parts = ["["]
        if self._pattern.startswith("^", self._position):
            parts.append("^")
            self._position += 1
        first = True
        while first or self._pattern[self._position] != "]":
            parts.append(self._member())
            first = False
        self._position += 1
        return "".join([*parts, "]"])

    def _member(self) -> str:
        if posix := _POSIX_CLASS.match(self._pattern, self._position):
            self._position = posix.end()
            return (_NEGATED_POSIX if posix.group(1) else _POSIX)[posix.group(2)]
        character = self._pattern[self._position]
        if character == "\\":
            return self._escape(in_set=True)
        self._position += 1
        return f"\\{character}" if character in "[]&" else character


def _quoted(character: str) -> str:
    return f"\\{character}" if character in _SPECIAL else character


def _property(text: str) -> str:
    """``\\pL`` and ``\\p{^Greek}`` with braces and the negation where Oniguruma has them."""
    name = text[3:-1] if text[2] == "{" else text[2]
    negated = (text[1] == "P") != name.startswith("^")
    return f"\\{'P' if negated else 'p'}{{{name.removeprefix('^')}}}"
