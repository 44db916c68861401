"""
The words of a Lua script.

Scripts are read byte by byte, as the original reads them: a script is UTF-8, and each of its
bytes stands here as one character below U+0100.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

__all__ = ["END", "SyntaxFault", "Token", "fault", "misplaced", "tokenize"]

END: Final = "end of script"

_KEYWORDS = frozenset(
    [
        "and",
        "break",
        "do",
        "else",
        "elseif",
        "end",
        "false",
        "for",
        "function",
        "goto",
        "if",
        "in",
        "local",
        "nil",
        "not",
        "or",
        "repeat",
        "return",
        "then",
        "true",
        "until",
        "while",
    ]
)
_BLANKS = re.compile(r"[ \t\r\n]+")
_NEWLINE = re.compile(r"\r\n|\n\r|\r|\n")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SYMBOL = re.compile(r"\.\.\.|\.\.|==|~=|<=|>=|::|[-+*/%^#(){}\[\];,=<>.:]")
_LONG_OPENING = re.compile(r"\[(=*)\[")
_LINE = re.compile(r"[^\r\n]*")
_HEXADECIMAL = re.compile(r"0[xX][0-9a-fA-F]*")
_EXPONENT = re.compile(r"[eE][-+]?")
_DIGITS = re.compile(r"[0-9]*")
_STRING_PART = re.compile(r"[^\\\"'\r\n]+")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


class Token(NamedTuple):
    """
    One word: *kind* is ``name``, ``number``, ``string``, or the keyword or symbol itself.

    *text* is the value of a string and the source of everything else; *start* and *end* are
    its place in the script, *line* counts from 1.
    """

    kind: str
    text: str
    start: int
    end: int
    line: int


class SyntaxFault(Exception):
    """
    A script that is not Lua.

    *position* counts bytes; *near* is the word the original names, None at the end of the script.
    """

    def __init__(self, message: str, position: int, near: str | None, line: int, column: int):
        super().__init__(message)
        self.message = message
        self.position = position
        self.near = near
        self.line = line
        self.column = column
        self.expected = ""
        self.compiling = False  # the words are in order, but what they say cannot be

    def __str__(self) -> str:
        """What is wrong, near which word, and what should stand there."""
        where = "at the end of the script" if self.near is None else f"near '{self.near}'"
        return f"{self.message} {where}" + (f": {self.expected}" if self.expected else "")

    def in_original_words(self, name: str) -> str:
        """The text that a script sees when it loads a broken script named *name*."""
        if self.compiling:
            return f"compile error near line({self.line}) {name}: {self.message}"
        if self.near is None:
            return f"{name} at EOF:   {self.message}\n"
        return (
            f"{name} line:{self.line}(column:{self.column}) near '{self.near}':   {self.message}\n"
        )


def fault(message: str, script: str, token: Token) -> SyntaxFault:
    """The error that *token* makes where it stands."""
    if token.kind == END:
        return SyntaxFault(message, token.start, None, token.line, 0)
    return _fault_at(message, script, token.start, token.end, token.text, token.line)


def misplaced(message: str, script: str, token: Token) -> SyntaxFault:
    """The error of a word that is grammatical but means nothing where it stands."""
    error = fault(message, script, token)
    error.compiling = True
    return error


def tokenize(script: str) -> list[Token]:
    """All words of *script* and an END; raises SyntaxFault."""
    return _Scanner(script).tokens()


def _fault_at(message: str, script: str, start: int, end: int, near: str, line: int) -> SyntaxFault:
    line_start = max(script.rfind("\n", 0, end), script.rfind("\r", 0, end)) + 1
    return SyntaxFault(message, start, near, line, end - line_start)


class _Scanner:
    def __init__(self, script: str) -> None:
        self._script = script
        self._position = 0
        self._line = 1

    def tokens(self) -> list[Token]:
        tokens = []
        while self._skip():
            tokens.append(self._token())
        tokens.append(Token(END, "", self._position, self._position, self._line))
        return tokens

    def _skip(self) -> bool:
        """Pass blanks and comments; false at the end of the script."""
        script = self._script
        while True:
            if blanks := _BLANKS.match(script, self._position):
                self._pass(blanks.end())
            if not script.startswith("--", self._position):
                return self._position < len(script)
            start = self._position
            self._position += 2
            if script[self._position : self._position + 2] in ("[[", "[="):
                self._long_string(start, "multiline comment", "invalid")
            elif rest := _LINE.match(script, self._position):
                self._position = rest.end()

    def _token(self) -> Token:
        script, start, line = self._script, self._position, self._line
        character = script[start]
        following = script[start + 1 : start + 2]
        if name := _NAME.match(script, start):
            self._position = name.end()
            text = name.group()
            return Token(text if text in _KEYWORDS else "name", text, start, self._position, line)
        if _is_digit(character) or (character == "." and _is_digit(following)):
            return Token("number", self._number(), start, self._position, line)
        if character in "\"'":
            return Token("string", self._string(character), start, self._position, line)
        if character == "[" and following in ("[", "="):
            text = self._long_string(start, "multiline string")
            return Token("string", text, start, self._position, line)
        if symbol := _SYMBOL.match(script, start):
            self._position = symbol.end()
            return Token(symbol.group(), symbol.group(), start, self._position, line)
        message = "Invalid '~' token" if character == "~" else "Invalid token"
        raise _fault_at(message, script, start, start + 1, character, line)

    def _number(self) -> str:
        """The text of a number, less one leading zero where the original drops it."""
        script, start = self._script, self._position
        if hexadecimal := _HEXADECIMAL.match(script, start):
            self._position = hexadecimal.end()
            if len(hexadecimal.group()) == 2:
                raise self._fault("illegal hexadecimal number", start, hexadecimal.group())
            return hexadecimal.group()
        if script[start] == "0" and _is_digit(script[start + 1 : start + 2]):
            start += 1
        end = self._digits(start + 1)
        if script[start] != "." and script[end : end + 1] == ".":
            end = self._digits(end + 1)
        if exponent := _EXPONENT.match(script, end):
            end = self._digits(min(exponent.end() + 1, len(script)))
        self._position = end
        return script[start:end]

    def _digits(self, position: int) -> int:
        digits = _DIGITS.match(self._script, position)
        return digits.end() if digits else position

    def _string(self, quote: str) -> str:
        script, start = self._script, self._position
        parts: list[str] = []
        self._position += 1
        while (character := script[self._position : self._position + 1]) != quote:
            if character in ("", "\n", "\r"):
                raise self._fault("unterminated string", start, "".join(parts))
            if character == "\\":
                parts.append(self._escape(start, parts))
            elif part := _STRING_PART.match(script, self._position):
                parts.append(part.group())
                self._position = part.end()
            else:  # the other kind of quote
                parts.append(character)
                self._position += 1
        self._position += 1
        return "".join(parts)

    def _escape(self, start: int, parts: list[str]) -> str:
        script, position = self._script, self._position + 1
        character = script[position : position + 1]
        if not character:
            self._position = position
            raise self._fault("unterminated string", start, "".join(parts))
        if newline := _NEWLINE.match(script, position):
            self._pass(newline.end())
            return "\n"
        if _is_digit(character):
            end = min(self._digits(position), position + 3)
            self._position = end
            return chr(int(script[position:end]) & 0xFF)
        self._position = position + 1
        return _ESCAPES.get(character, character)

    def _long_string(self, start: int, what: str, open_end: str = "unterminated") -> str:
        script = self._script
        opening = _LONG_OPENING.match(script, self._position)
        if opening is None:
            self._position += 1
            raise self._fault(f"invalid {what}", start, script[self._position - 1])
        end = script.find(f"]{opening.group(1)}]", opening.end())
        if end < 0:
            self._pass(len(script))
            raise self._fault(f"{open_end} {what}", start, "")
        text = _NEWLINE.sub("\n", script[opening.end() : end])
        self._pass(end + len(opening.group()))
        return text.removeprefix("\n")

    def _pass(self, end: int) -> None:
        """Go on at *end*, counting the lines in between."""
        self._line += sum(1 for _ in _NEWLINE.finditer(self._script, self._position, end))
        self._position = end

    def _fault(self, message: str, start: int, near: str) -> SyntaxFault:
        if self._position >= len(self._script):
            return SyntaxFault(message, start, None, self._line, 0)
        return _fault_at(message, self._script, start, self._position, near, self._line)


def _is_digit(character: str) -> bool:
    return "0" <= character <= "9"
