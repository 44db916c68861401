"""Formatting JSON text: ``@ugly`` without blanks, ``@pretty`` on indented lines."""

from __future__ import annotations

import dataclasses
import re
from typing import NamedTuple

from tiphys.languages.gjson._budget import Budget
from tiphys.languages.gjson._strings import unescape
from tiphys.languages.gjson._values import number

__all__ = ["Layout", "pretty", "ugly"]

_TO_KEEP = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[^"\x00-\x20]+', re.DOTALL)
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_NUMBER = re.compile(rb".[^\x00-\x20,:\]}]*", re.DOTALL)
_WORDS = {ord("t"): b"true", ord("f"): b"false", ord("n"): b"null"}


@dataclasses.dataclass(slots=True)
class Layout:
    """How ``@pretty`` formats; an array that fits into *width* columns stays on one line."""

    width: int = 80
    prefix: str = ""
    indent: str = "  "
    sort_keys: bool = False


def ugly(text: str) -> str:
    """*text* without blanks and control characters outside of strings."""
    return "".join(_TO_KEEP.findall(text))


def pretty(text: str, layout: Layout, budget: Budget) -> str:
    """*text* on indented lines, with a line end behind it. Raises LimitExceeded."""
    printer = _Printer(text.encode("utf-8", "surrogateescape"), layout, budget)
    return printer.print().decode("utf-8", "surrogateescape")


class _State(NamedTuple):
    """Where reading goes on, where the current line began, and whether one line still holds."""

    position: int
    line: int
    fits: bool


class _Pair(NamedTuple):
    """A member of an object: the source of its key, and where it is printed."""

    key: bytes
    begin: int
    end: int


class _Printer:
    """
    Prints bytes, since the width of a line is counted in them.

    An array is first tried on one line, which holds as long as it contains no object: *limit* is
    then the space on that line, and -1 elsewhere.
    """

    def __init__(self, source: bytes, layout: Layout, budget: Budget) -> None:
        self.source = source
        self.layout = layout
        self.prefix = layout.prefix.encode()
        self.indent = layout.indent.encode()
        self.budget = budget
        self.out = bytearray()

    def print(self) -> bytes:
        """The first value of the source on indented lines; nothing when it has none."""
        self.out += self.prefix
        self.value(0, 0, 0, -1, spread=True)
        if self.out:
            self.out += b"\n"
        return bytes(self.out)

    def value(self, position: int, tabs: int, line: int, limit: int, *, spread: bool) -> _State:
        """Print the next value from *position* on; what cannot begin one is skipped."""
        source = self.source
        while position < len(source):
            first = source[position]
            if first in b"{[":
                self.budget.enter()
                state = self.container(position, tabs, line, limit, spread=spread)
                self.budget.leave()
                return state
            if first == ord('"'):
                return _State(self.copy(_STRING, position), line, True)
            if first in b"0123456789-iI+N" or (
                first == ord("n") and source[position + 1 : position + 2] not in (b"u", b"")
            ):
                return _State(self.copy(_NUMBER, position), line, True)
            if first in _WORDS:
                word = _WORDS[first]
                self.out += word
                return _State(position + len(word), line, True)
            position += 1
        return _State(position, line, True)

    def copy(self, pattern: re.Pattern[bytes], position: int) -> int:
        """Print what *pattern* matches at *position*; where it ends."""
        match = pattern.match(self.source, position)
        end = match.end() if match else position
        self.out += self.source[position:end]
        return end

    def container(self, position: int, tabs: int, line: int, limit: int, *, spread: bool) -> _State:
        """Print an array or object, if possible an array on the rest of the line."""
        is_object = self.source[position] == ord("{")
        if self.layout.width > 0:
            space = self.layout.width - (len(self.out) - line)
            if spread and not is_object and limit == -1 and space > 3:
                begin = len(self.out)
                state = self.members(position, 0, 0, space, spread=False)
                if state.fits and len(self.out) - begin <= space:
                    return _State(state.position, line, True)
                del self.out[begin:]
            elif limit != -1 and is_object:
                return _State(position, line, False)
        return self.members(position, tabs, line, limit, spread=spread)

    def members(self, position: int, tabs: int, line: int, limit: int, *, spread: bool) -> _State:
        """Print the brackets and what is between them, each member on a line if *spread*."""
        source, out = self.source, self.out
        is_object = source[position] == ord("{")
        closing = ord("}" if is_object else "]")
        out.append(source[position])
        pairs: list[_Pair] = []
        count = 0
        position += 1
        while position < len(source):
            character = source[position]
            if character == closing:
                if spread:
                    line = self.before_closing(pairs, count, tabs, line)
                out.append(closing)
                return _State(position + 1, line, not is_object)
            if character <= 0x20 or (is_object and character != ord('"')):
                position += 1
                continue
            if count:
                out += b"," if is_object or self.layout.width == -1 else b", "
            begin, key = len(out), b""
            if spread:
                line = self.new_line()
                begin = len(out)
                self.indentation(tabs + 1)
            if is_object:
                end = self.copy(_STRING, position)
                key, position = source[position:end], end
                out += b": " if spread else b":"
            state = self.value(position, tabs + 1, line, limit, spread=spread)
            position, line = state.position, state.line
            if limit != -1 and not state.fits:
                return state
            pairs.append(_Pair(key, begin, len(out)))
            count += 1
        return _State(position, line, not is_object)

    def before_closing(self, pairs: list[_Pair], count: int, tabs: int, line: int) -> int:
        """Sort the pairs and go to the line of the closing bracket; where that line begins."""
        if not count:
            return line
        if self.layout.sort_keys and pairs[0].key:
            self.sort(pairs)
        line = self.new_line()
        self.indentation(tabs)
        return line

    def new_line(self) -> int:
        """End the line, in place of a blank at its end; the length before that."""
        length = len(self.out)
        if self.out.endswith(b" "):
            self.out[-1:] = b"\n"
        else:
            self.out += b"\n"
        return length

    def indentation(self, tabs: int) -> None:
        """Begin a line."""
        self.budget.write(len(self.prefix) + len(self.indent) * tabs)
        self.out += self.prefix + self.indent * tabs

    def sort(self, pairs: list[_Pair]) -> None:
        """Sort the printed *pairs* by key, equal keys by value."""
        printed = [(pair.key, bytes(self.out[pair.begin : pair.end])) for pair in pairs]
        printed.sort(key=lambda pair: (_rank(pair[0]), _rank(_value_of(*pair))))
        del self.out[pairs[0].begin :]
        self.out += b",\n".join(text for _, text in printed)


def _value_of(key: bytes, printed: bytes) -> bytes:
    return printed.strip()[len(key) + 1 :].strip()


def _rank(source: bytes) -> tuple[int, float, bytes]:
    """A sorting key: null, false, numbers, strings, true, arrays and objects, in this order."""
    first = source[:1]
    if first in (b"", b"n"):
        return 0, 0, source
    if first == b'"':
        return 3, 0, _string_of(source)
    words = {b"f": 1, b"t": 4, b"{": 5, b"[": 5}
    if first in words:
        return words[first], 0, source
    return 2, number(source.decode("utf-8", "surrogateescape")), b""


def _string_of(source: bytes) -> bytes:
    inside = source[1:].partition(b'"')[0] if b"\\" not in source else source[1:-1]
    return unescape(inside.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
