"""Splits an expression into tokens; strings are unescaped and comments dropped on the way."""

from __future__ import annotations

import enum
import re
from typing import NamedTuple

from tiphys.languages._errors import CompileError
from tiphys.languages._unicode import SPACES

__all__ = ["Kind", "Token", "tokenize"]

_WORD_OPERATORS = frozenset(
    ("not", "in", "or", "and", "matches", "contains", "startsWith", "endsWith", "let")
)
_DIGITS = "0123456789_"
_BASES = {"x": "0123456789abcdefABCDEF_", "o": "01234567_", "b": "01_"}
_SYMBOL = re.compile(r"\|\|?|\?[.?]?|[,:;%+\-^]|[&!=*<>][&=*]?|\.\.?|/|##?")
_SURROGATE = re.compile("[\ud800-\udfff]")

_ESCAPE_LETTERS = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
}
_HEXADECIMAL_ESCAPES = {"x": 2, "u": 4, "U": 8}
_OCTAL = re.compile(r"[0-3][0-7]{2}")
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]+")


class Kind(enum.Enum):
    """What a token is; words such as ``in`` and ``not`` are operators."""

    IDENTIFIER = "Identifier"
    NUMBER = "Number"
    STRING = "String"
    OPERATOR = "Operator"
    BRACKET = "Bracket"
    END = "EOF"


class Token(NamedTuple):
    """One token; *value* is the unescaped text of a string, otherwise the source text."""

    kind: Kind
    value: str
    position: int

    def describe(self) -> str:
        """Name the token in an error message."""
        if not self.value:
            return self.kind.value
        value = self.value.replace("\\", "\\\\").replace('"', '\\"')
        return f'{self.kind.value}("{value}")'


def tokenize(expression: str) -> list[Token]:
    """Split *expression*; the last token is always the end. Raises CompileError."""
    # A byte that is no UTF-8 arrives as a surrogate; the original reads a replacement character.
    return _Lexer(_SURROGATE.sub("\ufffd", expression)).tokens()


def _is_word(character: str) -> bool:
    return character in ("_", "$") or character.isalpha() or character.isdecimal()


class _Lexer:
    """Walks through the text once; *position* is the next character to read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def tokens(self) -> list[Token]:
        found = []
        while self.skip_blanks():
            start = self.position
            token = self.next_token(start)
            found.append(token)
            if token.value == "#" and token.kind is Kind.OPERATOR and self.at_word():
                found.append(self.word(Kind.IDENTIFIER))
        found.append(Token(Kind.END, "", max(len(self.text) - 1, 0)))
        return found

    def skip_blanks(self) -> bool:
        """Pass over blanks and comments; false at the end of the text."""
        text = self.text
        while self.position < len(text):
            if text[self.position] in SPACES:
                self.position += 1
            elif text.startswith("//", self.position):
                end = text.find("\n", self.position)
                self.position = len(text) if end < 0 else end + 1
            elif text.startswith("/*", self.position):
                # The star that opens the comment does not close it: /*/ goes on.
                end = text.find("*/", self.position + 2)
                if end < 0:
                    raise self.error("unclosed comment", self.position)
                self.position = end + 2
            else:
                return True
        return False

    def next_token(self, start: int) -> Token:
        character = self.text[start]
        if character in "'\"":
            return self.string(start)
        if "0" <= character <= "9":
            return self.number(start)
        if character == "." and self.at_digit(start + 1):
            self.position += 1
            return self.number(start)
        if character in "([{)]}":
            self.position += 1
            return Token(Kind.BRACKET, character, start)
        if _is_word(character):
            return self.word(None)
        match = _SYMBOL.match(self.text, start)
        if match is None:
            raise self.error(f"unrecognized character: {character!r}", start)
        self.position = match.end()
        return Token(Kind.OPERATOR, match[0], start)

    def at_digit(self, position: int) -> bool:
        return self.text[position : position + 1] in tuple("0123456789")

    def at_word(self) -> bool:
        return self.position < len(self.text) and _is_word(self.text[self.position])

    def word(self, kind: Kind | None) -> Token:
        start = self.position
        while self.at_word():
            self.position += 1
        value = self.text[start : self.position]
        if kind is None:
            kind = Kind.OPERATOR if value in _WORD_OPERATORS else Kind.IDENTIFIER
        return Token(kind, value, start)

    def take(self, characters: str) -> bool:
        """Pass over one character if it is among *characters*."""
        if self.position < len(self.text) and self.text[self.position] in characters:
            self.position += 1
            return True
        return False

    def number(self, start: int) -> Token:
        digits = _DIGITS
        if self.take("0"):
            base = self.text[self.position : self.position + 1].lower()
            if base in _BASES:
                digits = _BASES[base]
                self.position += 1
        self.run(digits)
        if not self.text.startswith("..", self.position) and self.take("."):  # not a range
            self.run(digits)
        if self.take("eE"):
            self.take("+-")
            self.run(digits)
        if self.at_word():
            self.position += 1
            raise self.error(f'bad number syntax: "{self.text[start : self.position]}"', start)
        return Token(Kind.NUMBER, self.text[start : self.position], start)

    def run(self, characters: str) -> None:
        while self.take(characters):
            pass

    def string(self, start: int) -> Token:
        quote = self.text[start]
        parts: list[str] = []
        self.position += 1
        while True:
            character = self.text[self.position : self.position + 1]
            if character in ("", "\n"):
                raise self.error("literal not terminated", start)
            self.position += 1
            if character == quote:
                return Token(Kind.STRING, "".join(parts), start)
            if character == "\\":
                parts.append(self.escape(quote))
            elif character == "\r":
                self.take("\n")
                parts.append("\n")
            else:
                parts.append(character)

    def escape(self, quote: str) -> str:
        """What stands behind a backslash, which has been read."""
        start = self.position - 1
        letter = self.text[self.position : self.position + 1]
        if letter == quote:
            self.position += 1
            return quote
        if letter in _ESCAPE_LETTERS:
            self.position += 1
            return _ESCAPE_LETTERS[letter]
        if octal := _OCTAL.match(self.text, self.position):
            self.position += 3
            return chr(int(octal[0], 8))
        length = _HEXADECIMAL_ESCAPES.get(letter, 0)
        digits = self.text[self.position + 1 : self.position + 1 + length]
        if not length or len(digits) < length or not _HEXADECIMAL.fullmatch(digits):
            raise self.error("invalid char escape", start)
        self.position += 1 + length
        code = int(digits, 16)
        if code > 0x10FFFF:
            raise self.error("invalid char escape", start)
        return "\ufffd" if 0xD800 <= code <= 0xDFFF else chr(code)

    def error(self, message: str, position: int) -> CompileError:
        return CompileError(message, self.text, position)
