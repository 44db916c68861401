"""``camelcase``, ``snakecase`` and ``kebabcase``: texts taken apart into words."""

from __future__ import annotations

import enum
import unicodedata
from collections.abc import Callable

from tiphys.languages.template.sprig.cases import to_lower, to_upper
from tiphys.languages.template.text import is_space, runes

__all__ = ["camel_case", "kebab_case", "snake_case"]

_FIRST_CJK = "\u3400"
_CJK = (("\u4e00", "\u9fcc"), ("\u3400", "\u4d85"), ("\U00020000", "\U0002b81d"))
_BROKEN = "\ufffd"


def camel_case(text: str) -> str:
    """
    Join words at spaces, ``-`` and ``_``, each starting in upper case: ``HttpServer``.

    Connectors at the start stay; a text of nothing else gets one more, as in the original.
    """
    text = runes(text)
    start = next((i for i, character in enumerate(text) if not _is_connector(character)), None)
    if start is None:
        return text + text[-1:]
    result = [text[:start]]
    lowering = _is_upper(text[start])  # upper case after upper case becomes lower case
    previous = to_upper(text[start])
    for character in text[start + 1 :]:
        current = character
        if _is_connector(previous):
            if _is_connector(current):
                result.append(previous)
            else:
                lowering = _is_upper(current)
                current = to_upper(current)
        else:
            lowering = lowering and _is_upper(current)
            if lowering:
                current = to_lower(current)
            result.append(previous)
        previous = current
    return "".join((*result, previous))


def snake_case(text: str) -> str:
    """Lower case words joined by ``_``: ``http_20x_ok``."""
    return _lower_words(text, "_")


def kebab_case(text: str) -> str:
    """Lower case words joined by ``-``: ``http-20x-ok``."""
    return _lower_words(text, "-")


class _Kind(enum.Enum):
    END = enum.auto()
    NUMBER = enum.auto()
    UPPER = enum.auto()
    LETTERS = enum.auto()
    CONNECTOR = enum.auto()
    PUNCTUATION = enum.auto()
    OTHER = enum.auto()


_Word = tuple[_Kind, str]
_JOINED = (_Kind.CONNECTOR, _Kind.PUNCTUATION)
_WITH_NUMBER = (_Kind.LETTERS, _Kind.NUMBER)


class _Words:
    """Takes words from a text one by one."""

    def __init__(self, text: str, connector: str) -> None:
        self.rest = text
        self.connector = connector
        self.result: list[str] = []

    def next(self) -> _Word:
        kind, size = _next_word(self.rest)
        word, self.rest = self.rest[:size], self.rest[size:]
        return kind, word

    def write(self, word: _Word) -> None:
        kind, text = word
        if kind is _Kind.UPPER:
            text = "".join(to_lower(c) if _is_upper(c) else c for c in runes(text))
        elif kind is _Kind.CONNECTOR:
            text = "".join(self.connector if _is_connector(c) else c for c in runes(text))
        self.result.append(text)

    def join_unless(self, following: _Kind, *kinds: _Kind) -> None:
        """A connector between words, unless the next has one of *kinds*."""
        if following not in kinds:
            self.result.append(self.connector)

    def write_with_number(self, word: _Word) -> _Word:
        """Letters and digits that belong to one word; returns the word after them."""
        while word[0] in _WITH_NUMBER:
            self.write(word)
            word = self.next()
        self.join_unless(word[0], _Kind.END, *_JOINED)
        return word


def _lower_words(text: str, connector: str) -> str:
    words = _Words(text, connector)
    word = words.next()
    while words.rest:
        if word[0] is not _Kind.CONNECTOR:
            words.write(word)
        previous = word
        word = words.next()
        match previous[0]:
            case _Kind.NUMBER:
                word = words.write_with_number(word)
            case _Kind.CONNECTOR:
                words.write(previous)
            case _Kind.PUNCTUATION:
                pass
            case _:
                word = _after_letters(words, word)
    words.write(word)
    return "".join(words.result)


def _after_letters(words: _Words, word: _Word) -> _Word:
    """What separates a word of letters from *word*: a number may belong to either side."""
    if word[0] is not _Kind.NUMBER:
        words.join_unless(word[0], *_JOINED)
        return word
    if not words.rest:
        return word
    number = word
    word = words.next()
    if word[0] is not _Kind.LETTERS:  # Bld4Floor: the number ends the word before it
        words.write(number)
        words.join_unless(word[0], *_JOINED)
        return word
    words.result.append(words.connector)  # http2xx: the number starts a word
    words.write(number)
    return words.write_with_number(word)


def _next_word(text: str) -> tuple[_Kind, int]:
    """Kind and length of the word at the start of *text*; broken characters are passed over."""
    start = _skip_broken(text, 0)
    if start == len(text):
        return _Kind.END, len(text)
    character = text[start]
    if _is_connector(character):
        return _Kind.CONNECTOR, _run(text, start, _is_connector)
    if _is_punctuation(character):
        return _Kind.PUNCTUATION, _run(text, start, _is_punctuation)
    if _is_upper(character):
        return _Kind.UPPER, _upper_word(text, start)
    if _is_letter(character):
        return _Kind.LETTERS, _run(text, start, _is_lower_letter)
    if _is_number(character):
        return _Kind.NUMBER, _run(text, start, _is_number)
    return _Kind.OTHER, _run(text, start, _is_other)


def _upper_word(text: str, start: int) -> int:
    """An abbreviation (``HTTP`` of ``HTTPStatus``), or a letter and what follows in lower case."""
    end = _run(text, start, _is_upper)
    following = text[_skip_broken(text, end) :][:1]
    if following and _is_letter(following):
        if end > start + 1:
            return end - 1
        return _run(text, start, _is_lower_letter)
    return end


def _run(text: str, start: int, belongs: Callable[[str], bool]) -> int:
    """The end of the characters after *start* that belong to its word."""
    end = start + 1
    while (position := _skip_broken(text, end)) < len(text) and belongs(text[position]):
        end = position + 1
    return len(text) if position == len(text) else end


def _skip_broken(text: str, position: int) -> int:
    while position < len(text) and runes(text[position]) == _BROKEN:
        position += 1
    return position


def _is_connector(character: str) -> bool:
    return character in "-_" or is_space(character)


def _is_punctuation(character: str) -> bool:
    return unicodedata.category(character)[0] == "P"


def _is_upper(character: str) -> bool:
    return unicodedata.category(character) == "Lu"


def _is_letter(character: str) -> bool:
    if not character.isalpha():
        return False
    return character < _FIRST_CJK or not any(low <= character <= high for low, high in _CJK)


def _is_lower_letter(character: str) -> bool:
    return _is_letter(character) and not _is_upper(character)


def _is_number(character: str) -> bool:
    return unicodedata.category(character)[0] == "N"


def _is_other(character: str) -> bool:
    return not (
        _is_connector(character)
        or _is_letter(character)
        or _is_number(character)
        or _is_punctuation(character)
    )
