"""The words of a jq program; strings with ``\\(…)`` in them are several words."""

from __future__ import annotations

import json
import re
from typing import Final, NamedTuple

from tiphys.languages._errors import CompileError

__all__ = ["END", "Token", "tokenize"]

END: Final = "end of program"

_KEYWORDS: Final = frozenset(
    [
        "or",
        "and",
        "module",
        "import",
        "include",
        "def",
        "as",
        "label",
        "break",
        "null",
        "true",
        "false",
        "if",
        "then",
        "elif",
        "else",
        "end",
        "try",
        "catch",
        "reduce",
        "foreach",
    ]
)
_BLANK = re.compile(r"(?:[ \t\r\n]+|#(?:\\(?:\r\n|[\\\n]|\r)?|[^\\\r\n])*)+")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:::[A-Za-z_][A-Za-z0-9_]*)?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FORMAT = re.compile(r"@[A-Za-z0-9_]+")
_NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_AFTER_NUMBER = re.compile(r"[A-Za-z_.]")
_SYMBOL = re.compile(r"\.\.|\?//|\|=|\+=|-=|\*=|//=|/=|%=|==|!=|<=|>=|//|[.\[\](){}|,:;=<>+\-*/%?]")
_STRING_PART = re.compile(r'(?:[^"\\]|\\(?:u[0-9a-fA-F]{4}|["/\\bfnrt]))*')
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_SHORT_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class Token(NamedTuple):
    """
    One word; *start* and *end* are its place.

    *kind* is ``name``, ``variable``, ``index`` (``.name``), ``number``, ``string``, ``format``,
    ``string start``, ``string query``, ``string end``, or the keyword or symbol itself; *text*
    is the value of a string and the name without its mark.
    """

    kind: str
    text: str
    start: int
    end: int


def tokenize(program: str) -> list[Token]:
    """All words of *program* and an END; raises CompileError."""
    return _Scanner(program).tokens()


class _Scanner:
    def __init__(self, program: str) -> None:
        self._program = program
        self._position = 0
        self._tokens: list[Token] = []
        self._open: list[int] = []  # per string we are inside of: the parentheses open in its query

    def tokens(self) -> list[Token]:
        while self._skip():
            self._token()
        if self._open:
            raise self._fault("unexpected end of program in a string", self._position)
        self._add(END, "", self._position)
        return self._tokens

    def _fault(self, message: str, position: int) -> CompileError:
        return CompileError(message, self._program, position)

    def _add(self, kind: str, text: str, start: int) -> None:
        self._tokens.append(Token(kind, text, start, self._position))

    def _skip(self) -> bool:
        if blank := _BLANK.match(self._program, self._position):
            self._position = blank.end()
        return self._position < len(self._program)

    def _token(self) -> None:
        program, start = self._program, self._position
        character = program[start]
        if character == '"':
            self._position += 1
            self._string(start)
        elif word := _WORD.match(program, start):
            self._position = word.end()
            text = word.group()
            self._add(text if text in _KEYWORDS else "name", text, start)
        elif number := _NUMBER.match(program, start):
            self._position = number.end()
            if _AFTER_NUMBER.match(program, self._position):
                raise self._fault(f"invalid number {program[start : self._position + 1]!r}", start)
            self._add("number", number.group(), start)
        elif character == "." and (name := _NAME.match(program, start + 1)):
            self._position = name.end()
            self._add("index", name.group(), start)
        elif character == "$" and (name := _WORD.match(program, start + 1)):
            self._position = name.end()
            self._add("variable", name.group(), start)
        elif form := _FORMAT.match(program, start):
            self._position = form.end()
            self._add("format", form.group(), start)
        elif symbol := _SYMBOL.match(program, start):
            self._symbol(symbol.group(), start)
        else:
            raise self._fault(f"unexpected {character!r}", start)

    def _symbol(self, symbol: str, start: int) -> None:
        self._position += len(symbol)
        if self._open and symbol == "(":
            self._open[-1] += 1
        elif self._open and symbol == ")":
            if self._open[-1] == 0:
                self._open.pop()
                self._add("query end", symbol, start)
                self._string_rest(start)
                return
            self._open[-1] -= 1
        self._add(symbol, symbol, start)

    def _string(self, start: int) -> None:
        """A string from behind its opening quote."""
        part = self._part(start)
        if self._program.startswith('"', self._position):
            self._position += 1
            self._add("string", part, start)
            return
        self._add("string start", "", start)
        self._query(part, start)

    def _string_rest(self, start: int) -> None:
        """A string from behind a query in it."""
        part = self._part(start)
        if not self._program.startswith('"', self._position):
            self._query(part, start)
            return
        if part:
            self._add("string", part, start)
        self._position += 1
        self._add("string end", '"', self._position - 1)

    def _query(self, part: str, start: int) -> None:
        if part:
            self._add("string", part, start)
        self._position += 2
        self._add("string query", "\\(", self._position - 2)
        self._open.append(0)

    def _part(self, start: int) -> str:
        """The text up to the closing quote or to ``\\(``, its escapes decoded."""
        part = _STRING_PART.match(self._program, self._position)
        assert part is not None  # it matches the empty text
        self._position = part.end()
        following = self._program[self._position : self._position + 2]
        if not following or following == "\\":
            raise self._fault("unterminated string literal", start)
        if following[0] == "\\" and following != "\\(":
            raise self._fault(f"invalid escape sequence {following!r} in a string", self._position)
        return _decoded(part.group())


def _decoded(part: str) -> str:
    if "\\" not in part:
        return part
    escaped = _ESCAPE.sub(_character, part)
    joined = escaped.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    return _LONE_SURROGATE.sub("�", joined)


def _character(match: re.Match[str]) -> str:
    code, letter = match.groups()
    return chr(int(code, 16)) if code else _SHORT_ESCAPES.get(letter, letter)


def quoted(text: str) -> str:
    """*text* as a string constant of jq."""
    return json.dumps(text)
