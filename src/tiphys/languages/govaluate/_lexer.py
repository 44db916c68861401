"""
From text to tokens.

A run of characters ends where its kind ends; a backslash takes the next character into the run
whatever it is, and white space ends names, numbers and symbols.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tiphys.languages import layouts, numbers
from tiphys.languages._errors import CompileError, EvaluationError
from tiphys.languages._unicode import SPACES
from tiphys.languages.govaluate._tokens import Kind, Token, may_follow

__all__ = ["tokenize"]

_SURROGATE = re.compile("[\ud800-\udfff]")
_HEXADECIMAL = re.compile("0*[0-9a-fA-F]{1,16}")
_QUOTES = "'\""
_PREFIXES = frozenset("-!~")
_SYMBOLS = {
    **dict.fromkeys(("+", "-", "*", "/", "%", "**", "&", "|", "^", ">>", "<<"), Kind.MODIFIER),
    **dict.fromkeys(("&&", "||"), Kind.LOGICAL),
    **dict.fromkeys(("==", "!=", ">", ">=", "<", "<=", "=~", "!~"), Kind.COMPARATOR),
    **dict.fromkeys(("?", ":", "??"), Kind.TERNARY),
}
_DATE_LAYOUTS = (
    "Mon Jan _2 15:04:05 2006",
    "Mon Jan _2 15:04:05 MST 2006",
    "Mon Jan 02 15:04:05 -0700 2006",
    "3:04PM",
    "2006-01-02T15:04:05Z07:00",
    "2006-01-02T15:04:05.999999999Z07:00",
    "2006-01-02",
    "2006-01-02 15:04",
    "2006-01-02 15:04:05",
    "2006-01-02 15:04:05-07:00",
    "2006-01-02T15Z0700",
    "2006-01-02T15:04Z0700",
    "2006-01-02T15:04:05Z0700",
    "2006-01-02T15:04:05.999999999Z0700",
)


def tokenize(source: str) -> list[Token]:
    """Split *source* into tokens; raises CompileError."""
    lexer = _Lexer(source)
    tokens: list[Token] = []
    after = Kind.START
    while (token := lexer.next(after)) is not None:
        tokens.append(token)
        after = token.kind
    return tokens


class _Lexer:
    def __init__(self, source: str) -> None:
        self._source = source
        # What is no text is one and the same character, as in the original.
        self._characters = _SURROGATE.sub("\ufffd", source)
        self._position = 0

    def next(self, after: Kind) -> Token | None:
        """Read the token that follows one of kind *after*, None at the end."""
        while self._position < len(self._characters):
            start = self._position
            character = self._take()
            if character in SPACES:
                continue
            if character == ",":
                return Token(Kind.SEPARATOR, character, start)
            if character == "(":
                return Token(Kind.OPEN, character, start)
            if character == ")":
                return Token(Kind.CLOSE, character, start)
            if character == "[":
                name = self._quoted(_is_not_bracket, "Unclosed parameter bracket", start)
                return Token(Kind.VARIABLE, name, start)
            if character in _QUOTES:
                return self._string(start)
            self._position = start
            if _is_numeric(character):
                return self._number(start)
            return self._name(start) if character.isalpha() else self._symbol(start, after)
        return None

    def _string(self, start: int) -> Token:
        """Read a string; one that reads as a date is a number, Unix seconds."""
        text = self._quoted(_is_not_quote, "Unclosed string literal", start)
        seconds = _date(text)
        if seconds is None:
            return Token(Kind.STRING, text, start)
        return Token(Kind.TIME, seconds, start)

    def _number(self, start: int) -> Token:
        if self._characters.startswith("0x", start) and len(self._characters) > start + 2:
            self._position += 2
            text, _ = self._run(_is_hexadecimal)
            if not _HEXADECIMAL.fullmatch(text):
                message = f"Unable to parse hex value '{text}' to uint64"
                raise CompileError(message, self._source, start)
            return Token(Kind.NUMERIC, float(int(text, 16)), start)
        text, _ = self._run(_is_numeric)
        try:
            return Token(Kind.NUMERIC, numbers.parse_float(text), start)
        except EvaluationError:
            message = f"Unable to parse numeric value '{text}' to float64"
            raise CompileError(message, self._source, start) from None

    def _name(self, start: int) -> Token:
        text, _ = self._run(_is_in_name)
        if "." in text[1:]:
            return Token(Kind.ACCESSOR, self._path(text, start), start)
        if text in ("true", "false"):
            return Token(Kind.BOOLEAN, text == "true", start)
        if text in ("in", "IN"):
            return Token(Kind.COMPARATOR, "in", start)
        return Token(Kind.VARIABLE, text, start)

    def _path(self, text: str, start: int) -> tuple[str, ...]:
        """The parts of a name with dots in it; all but the first must be exported names."""
        if text.endswith("."):
            raise CompileError(f"Hanging accessor on token '{text}'", self._source, start)
        first, *others = text.split(".")
        for part in others:
            upper = part[:1].upper()
            if len(upper) == 1 and upper != part[0]:
                message = f"Unable to access unexported field '{part}' in token '{text}'"
                raise CompileError(message, self._source, start)
        return first, *others

    def _symbol(self, start: int, after: Kind) -> Token:
        text, _ = self._run(_is_in_symbol)
        if text in _PREFIXES and may_follow(Kind.PREFIX, after):
            return Token(Kind.PREFIX, text, start)
        if text not in _SYMBOLS:
            raise CompileError(f"Invalid token: '{text}'", self._source, start)
        return Token(_SYMBOLS[text], text, start)

    def _quoted(self, accepts: Callable[[str], bool], unclosed: str, start: int) -> str:
        text, closed = self._run(accepts, with_spaces=True)
        if not closed:
            raise CompileError(unclosed, self._source, start)
        self._position += 1
        return text

    def _run(
        self, accepts: Callable[[str], bool], *, with_spaces: bool = False
    ) -> tuple[str, bool]:
        """Read as long as *accepts* agrees; tells also whether something else follows."""
        parts: list[str] = []
        while self._position < len(self._characters):
            character = self._take()
            if character == "\\":
                parts.append(self._take())
            elif character in SPACES and not with_spaces:
                if parts:
                    return "".join(parts), True
            elif accepts(character):
                parts.append(character)
            else:
                self._position -= 1
                return "".join(parts), True
        return "".join(parts), False

    def _take(self) -> str:
        if self._position >= len(self._characters):
            raise CompileError("Nothing follows the backslash", self._source, self._position)
        character = self._characters[self._position]
        self._position += 1
        return character


def _date(text: str) -> float | None:
    """Unix seconds of a text that reads as a date, in the zone of the process if it has none."""
    if not any(map(str.isdigit, text)):
        return None
    for layout in _DATE_LAYOUTS:
        try:
            return float(layouts.parse(layout, text, zone=None).unix)
        except EvaluationError:
            continue
    return None


def _is_numeric(character: str) -> bool:
    return character.isdecimal() or character == "."


def _is_hexadecimal(character: str) -> bool:
    return character.isdecimal() or character in "abcdefABCDEF"


def _is_in_name(character: str) -> bool:
    return character.isalpha() or character.isdecimal() or character in "_."


def _is_in_symbol(character: str) -> bool:
    return not (character.isalpha() or character.isdecimal() or character in "()[]'\"")


def _is_not_quote(character: str) -> bool:
    return character not in _QUOTES


def _is_not_bracket(character: str) -> bool:
    return character != "]"
