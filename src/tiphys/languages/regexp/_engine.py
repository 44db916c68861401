"""Compiled patterns and what they find."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Iterator
from typing import Any

import re2

from tiphys.languages._errors import LimitExceeded
from tiphys.languages.regexp._syntax import broken, error_from_re2, to_re2
from tiphys.languages.regexp._template import expand

__all__ = ["Match", "Regexp", "compile", "quote_meta"]

_SURROGATE = re.compile("[\ud800-\udfff]")
_META = re.compile(r"[\\.+*?()|\[\]{}^$]")
_LONGEST = 64 << 20  # characters of all replacements in one text
_MEMORY_BYTES = 8 << 20  # of one pattern with its automata


@dataclasses.dataclass(frozen=True, slots=True)
class Match:
    """
    One match: the texts of the whole and of its groups, None for groups that took no part.

    *index* has for each of them the bytes of UTF-8 before its beginning and before its end,
    -1 and -1 for a group that took no part.
    """

    groups: tuple[str | None, ...]
    index: tuple[int, ...]


class Regexp:
    """A compiled pattern; immutable and safe to share."""

    __slots__ = ("_compiled", "_finds_inside_characters", "names", "pattern")

    def __init__(self, pattern: str) -> None:
        if _SURROGATE.search(pattern):
            raise broken("invalid UTF-8", "", pattern, None)
        rewritten, names = to_re2(pattern)
        options = re2.Options()
        options.log_errors = False
        options.max_mem = _MEMORY_BYTES
        try:
            self._compiled = re2.compile(rewritten.encode(), options)
        except re2.error as error:
            message = error.args[0]
            text = message.decode() if isinstance(message, bytes) else str(message)
            raise error_from_re2(text, pattern) from None
        self._finds_inside_characters = "\\B" in pattern
        self.pattern = pattern
        self.names: tuple[str, ...] = names
        """The names of the groups in order, empty for those without; the first is the whole."""

    def __repr__(self) -> str:
        """Show the pattern."""
        return f"Regexp({self.pattern!r})"

    def search(self, text: str) -> bool:
        """Tell whether *text* contains a match."""
        return self._search(_encode(text), 0) is not None

    def find(self, text: str) -> Match | None:
        """Find the leftmost match."""
        subject = _Subject(text)
        found = self._search(subject.encoded, 0)
        return subject.match(_spans(found, len(self.names))) if found else None

    def find_all(self, text: str, limit: int = -1) -> list[Match]:
        """Find the matches that do not overlap, at most *limit* of them unless that is negative."""
        subject = _Subject(text)
        return [subject.match(spans) for spans in self._iterate(subject.encoded, limit)]

    def replace_all(self, text: str, template: str) -> str:
        """
        Replace each match by *template*, in which ``$1`` and ``${name}`` stand for groups.

        Raises LimitExceeded for more than 64 Mi characters of replacements.
        """
        return self._replace(text, lambda match: expand(template, match.groups, self.names))

    def replace_all_literal(self, text: str, replacement: str) -> str:
        """Replace each match by *replacement* as it is; raises LimitExceeded as replace_all."""
        return self._replace(text, lambda _match: replacement)

    def split(self, text: str, limit: int = -1) -> list[str]:
        """
        Cut *text* at the matches, into at most *limit* parts unless that is negative.

        A limit of 0 gives no parts at all.
        """
        if limit == 0:
            return []
        if self.pattern and not text:
            return [""]
        subject = _Subject(text)
        parts: list[str] = []
        start = end = 0
        for (match_start, match_end), *_ in self._iterate(subject.encoded, limit):
            if limit > 0 and len(parts) == limit - 1:
                break
            end = match_start
            if match_end:
                parts.append(subject.slice(start, end))
            start = match_end
        if end != len(subject.encoded):
            parts.append(subject.slice(start, len(subject.encoded)))
        return parts

    def _replace(self, text: str, replacement: Callable[[Match], str]) -> str:
        subject = _Subject(text)
        parts: list[str] = []
        end = length = 0
        for spans in self._iterate(subject.encoded, -1):
            match_start, match_end = spans[0]
            parts += subject.slice(end, match_start), replacement(subject.match(spans))
            end = match_end
            length += len(parts[-1])
            if length > _LONGEST:
                raise LimitExceeded(f"replacements are longer than {_LONGEST} characters")
        if not parts:
            return text
        parts.append(subject.slice(end, len(subject.encoded)))
        return "".join(parts)

    def _search(self, encoded: bytes, position: int) -> Any:
        found = self._compiled.search(encoded, position)
        # RE2 finds \B also between the bytes of one character, where nothing else can match.
        while found and self._finds_inside_characters and _is_inside(encoded, found.start()):
            found = self._compiled.search(encoded, _after_character(encoded, found.start()))
        return found

    def _iterate(self, encoded: bytes, limit: int) -> Iterator[list[tuple[int, int]]]:
        """Spans of bytes of successive matches; none is empty right after another match."""
        position, previous_end, count = 0, -1, 0
        while position <= len(encoded) and (limit < 0 or count < limit):
            found = self._search(encoded, position)
            if found is None:
                return
            start, end = found.span()
            accepted = not start == end == previous_end
            previous_end = end
            position = _after_character(encoded, position) if end == position else end
            if accepted:
                count += 1
                yield _spans(found, len(self.names))


class _Subject:
    """A text with its UTF-8; bytes that are no UTF-8 match as U+FFFD, one for each byte."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.encoded = _encode(text)
        self._ascii = len(self.encoded) == len(text)
        self._replaced = not self._ascii and _SURROGATE.search(text) is not None

    def slice(self, start: int, end: int) -> str:
        """The text between two offsets in bytes."""
        if self._ascii:
            return self.text[start:end]
        if self._replaced:
            return self.text[self._characters[start] : self._characters[end]]
        return self.encoded[start:end].decode()

    def match(self, spans: list[tuple[int, int]]) -> Match:
        """Texts and offsets of the groups of one match."""
        groups = tuple(None if span[0] < 0 else self.slice(*span) for span in spans)
        index = [offset for span in spans for offset in span]
        if self._replaced:
            index = [self._original[offset] if offset >= 0 else -1 for offset in index]
        return Match(groups, tuple(index))

    @functools.cached_property
    def _characters(self) -> dict[int, int]:
        """The number of characters before an offset in bytes at which a character begins."""
        offsets, position = {}, 0
        for count, character in enumerate(self.text):
            offsets[position] = count
            position += len(_encode(character))
        offsets[position] = len(self.text)
        return offsets

    @functools.cached_property
    def _original(self) -> dict[int, int]:
        """The offset in the original bytes for an offset in the encoded text."""
        before = [0]
        for character in self.text:
            is_byte = "\udc80" <= character <= "\udcff"
            before.append(before[-1] + (1 if is_byte else len(_encode(character))))
        return {offset: before[count] for offset, count in self._characters.items()}


@functools.lru_cache(maxsize=128)
def compile(pattern: str) -> Regexp:
    """Compile *pattern*; raises CompileError with Go's text and, where it is known, the place."""
    return Regexp(pattern)


def quote_meta(text: str) -> str:
    """Escape what has a meaning in patterns, so that the result matches *text* itself."""
    return _META.sub(r"\\\g<0>", text)


def _encode(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", text).encode()


def _is_inside(encoded: bytes, position: int) -> bool:
    """Tell whether *position* is after the first byte of a character."""
    return position < len(encoded) and encoded[position] & 0xC0 == 0x80


def _after_character(encoded: bytes, position: int) -> int:
    position += 1
    while _is_inside(encoded, position):
        position += 1
    return position


def _spans(found: Any, count: int) -> list[tuple[int, int]]:
    return [found.span(group) for group in range(count)]
