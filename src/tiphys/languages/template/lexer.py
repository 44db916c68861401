"""Cuts a template into tokens: literal text, and words and signs between ``{{`` and ``}}``."""

from __future__ import annotations

import re
from typing import NamedTuple

from tiphys.languages._quoting import quote

__all__ = ["KEYWORDS", "Token", "is_letter_or_digit", "tokens_of"]

KEYWORDS = frozenset(
    ("block", "break", "continue", "define", "else", "end", "if", "range", "template", "with")
)
_SPACES = " \t\r\n"
_SPACE = re.compile(r"[ \t\r\n]+")
_CLOSING = re.compile(r"(?:[ \t\r\n]-)?\}\}")
_WORD = re.compile(r"\w+")
_QUOTED = re.compile(r'"(?:[^"\\\n]|\\[^\n])*"')
_RAW = re.compile(r"`[^`]*`")
_CHARACTER = re.compile(r"'(?:[^'\\\n]|\\[^\n])*'")
_NUMBER = re.compile(
    r"""
    [+-]?
    (?: 0[xX][0-9a-fA-F_]* (?:\.[0-9a-fA-F_]*)? (?:[pP][+-]?[0-9_]*)?
      | 0[oO][0-7_]* (?:\.[0-7_]*)?
      | 0[bB][01_]* (?:\.[01_]*)?
      | [0-9_]* (?:\.[0-9_]*)? (?:[eE][+-]?[0-9_]*)?
    )
    i?
    """,
    re.VERBOSE,
)


class Token(NamedTuple):
    """
    One token; *kind* is ``text``, ``open``, ``close``, ``space``, ``end`` or ``error`` (then
    *text* is the message), a keyword's or sign's own text, or what kind of word it is.
    """

    kind: str
    text: str
    start: int
    end: int


def is_letter_or_digit(character: str) -> bool:
    """Whether names may have *character*: letters and decimal digits of any script, and ``_``."""
    return character == "_" or character.isalpha() or character.isdecimal()


def tokens_of(text: str) -> list[Token]:
    """Cut *text* into tokens; the last is ``end``, or ``error`` where the text is broken."""
    return _Lexer(text).run()


class _Broken(Exception):
    """Ends the scan: message and place."""


class _Lexer:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.parentheses = 0
        self.tokens: list[Token] = []

    def run(self) -> list[Token]:
        try:
            while self.outside():
                while self.inside():
                    pass
        except _Broken as broken:
            message, place = broken.args
            self.tokens.append(Token("error", message, place, place))
        else:
            self.tokens.append(Token("end", "EOF", len(self.text), len(self.text)))
        return self.tokens

    def emit(self, kind: str, end: int) -> None:
        self.tokens.append(Token(kind, self.text[self.position : end], self.position, end))
        self.position = end

    def outside(self) -> bool:
        """Literal text up to the next action; False at the end of the template."""
        while True:
            opening = self.text.find("{{", self.position)
            if opening < 0:
                if self.position < len(self.text):
                    self.emit("text", len(self.text))
                return False
            trims = self.text[opening + 2 : opening + 3] == "-" and self.is_space(opening + 3)
            literal = self.text[self.position : opening]
            if trims:
                literal = literal.rstrip(_SPACES)
            if literal:
                self.emit("text", self.position + len(literal))
            self.position = opening
            inner = opening + (4 if trims else 2)
            if not self.text.startswith("/*", inner):
                self.emit("open", opening + 2)
                self.position = inner
                self.parentheses = 0
                return True
            self.comment(inner)

    def comment(self, start: int) -> None:
        end = self.text.find("*/", start + 2)
        if end < 0:
            raise _Broken("unclosed comment", start)
        closing = _CLOSING.match(self.text, end + 2)
        if closing is None:
            raise _Broken("comment ends before closing delimiter", start)
        self.position = closing.end()
        self.trim(closing[0])

    def trim(self, closing: str) -> None:
        """Pass over the white space after an action that ends in `` -}}``."""
        if closing != "}}" and (space := _SPACE.match(self.text, self.position)):
            self.position = space.end()

    def inside(self) -> bool:
        """One token of an action; False when it was the last."""
        position = self.position
        if closing := _CLOSING.match(self.text, position):
            if self.parentheses:
                raise _Broken("unclosed left paren", position)
            self.position = closing.end() - 2
            self.emit("close", closing.end())
            self.trim(closing[0])
            return False
        character = self.text[position : position + 1]
        if not character:
            raise _Broken("unclosed action", position)
        if character in _SPACES:
            self.space()
        elif character in "\"`'":
            self.quoted(character)
        elif character == "$":
            self.name("variable", position + 1)
        elif character == "." and not "0" <= self.text[position + 1 : position + 2] <= "9":
            self.name("field", position + 1)
        elif character in "+-." or "0" <= character <= "9":
            self.number()
        elif is_letter_or_digit(character):
            self.name("word", position)
        else:
            self.sign(character)
        return True

    def space(self) -> None:
        """White space, but for the character that belongs to `` -}}``."""
        match = _SPACE.match(self.text, self.position)
        assert match is not None
        end = match.end()
        if self.text.startswith("-}}", end):
            end -= 1
        if end > self.position:
            self.emit("space", end)

    def quoted(self, quotes: str) -> None:
        pattern, kind, problem = {
            '"': (_QUOTED, "string", "unterminated quoted string"),
            "`": (_RAW, "string", "unterminated raw quoted string"),
            "'": (_CHARACTER, "number", "unterminated character constant"),
        }[quotes]
        match = pattern.match(self.text, self.position)
        if match is None:
            raise _Broken(problem, self.position)
        self.emit(kind, match.end())

    def name(self, kind: str, start: int) -> None:
        match = _WORD.match(self.text, start)
        end = match.end() if match else start
        for index in range(start, end):
            if not is_letter_or_digit(self.text[index]):  # \w knows more digits than names have
                end = index
                break
        if not self.at_terminator(end):
            raise self.bad_character(end)
        if kind == "word":
            kind = self.kind_of_word(self.text[start:end])
        elif kind == "field" and end == start:
            kind = "dot"
        self.emit(kind, end)

    @staticmethod
    def kind_of_word(word: str) -> str:
        if word in KEYWORDS or word == "nil":
            return word
        return "bool" if word in ("true", "false") else "identifier"

    def number(self) -> None:
        end = self.scan_number(self.position)
        kind = "number"
        if self.text[end : end + 1] in ("+", "-"):
            end = self.scan_number(end)
            kind = "complex"
            if self.text[end - 1] != "i":
                raise self.bad_number(end)
        self.emit(kind, end)

    def scan_number(self, start: int) -> int:
        match = _NUMBER.match(self.text, start)
        assert match is not None  # every part of the pattern is optional
        end = match.end()
        if end < len(self.text) and is_letter_or_digit(self.text[end]):
            raise self.bad_number(end + 1)
        return end

    def sign(self, character: str) -> None:
        position = self.position
        if character == ":":
            if self.text[position + 1 : position + 2] != "=":
                raise _Broken("expected :=", position)
            self.emit(":=", position + 2)
            return
        if character == "(":
            self.parentheses += 1
        elif character == ")":
            self.parentheses -= 1
            if self.parentheses < 0:
                raise _Broken("unexpected right paren", position)
        elif not (character.isascii() and character.isprintable()):
            raise _Broken(f"unrecognized character in action: {_described(character)}", position)
        self.emit(character if character in "=|()" else "character", position + 1)

    def at_terminator(self, position: int) -> bool:
        """Whether a name may end here."""
        following = self.text[position : position + 1]
        return following in (
            "",
            " ",
            "\t",
            "\r",
            "\n",
            ".",
            ",",
            "|",
            ":",
            ")",
            "(",
        ) or self.text.startswith("}}", position)

    def is_space(self, position: int) -> bool:
        return self.text[position : position + 1] in (" ", "\t", "\r", "\n")

    def bad_character(self, position: int) -> _Broken:
        return _Broken(f"bad character {_described(self.text[position])}", position)

    def bad_number(self, end: int) -> _Broken:
        return _Broken(f"bad number syntax: {quote(self.text[self.position : end])}", self.position)


def _described(character: str) -> str:
    code = f"U+{ord(character):04X}"
    return f"{code} '{character}'" if character.isprintable() else code
