"""Kinds of tokens, and which kind may follow which."""

from __future__ import annotations

import dataclasses
import enum
from typing import Any

from tiphys.languages._errors import CompileError
from tiphys.languages.govaluate._values import text_of

__all__ = ["Kind", "Token", "check_order", "may_follow"]


class Kind(enum.Enum):
    """What a token is; the names are those of the original's messages."""

    START = "UNKNOWN"
    PREFIX = "PREFIX"
    NUMERIC = "NUMERIC"
    BOOLEAN = "BOOLEAN"
    STRING = "STRING"
    PATTERN = "PATTERN"
    TIME = "TIME"
    VARIABLE = "VARIABLE"
    ACCESSOR = "ACCESSOR"
    SEPARATOR = "SEPARATOR"
    COMPARATOR = "COMPARATOR"
    LOGICAL = "LOGICALOP"
    MODIFIER = "MODIFIER"
    OPEN = "CLAUSE"
    CLOSE = "CLAUSE_CLOSE"
    TERNARY = "TERNARY"


@dataclasses.dataclass(frozen=True, slots=True)
class Token:
    """One token; *position* counts characters before it."""

    kind: Kind
    value: Any
    position: int

    def __str__(self) -> str:
        """The kind and the value, as the original prints them."""
        value = ord(self.value) if self.kind in (Kind.OPEN, Kind.CLOSE) else text_of(self.value)
        return f"{self.kind.value} [{value}]"


_PLAIN = {Kind.PREFIX, Kind.NUMERIC, Kind.BOOLEAN, Kind.VARIABLE, Kind.ACCESSOR, Kind.OPEN}
_OPERAND = _PLAIN | {Kind.STRING, Kind.TIME}
_OPERATOR = {Kind.MODIFIER, Kind.COMPARATOR, Kind.LOGICAL, Kind.CLOSE, Kind.SEPARATOR}
_FOLLOWERS = {
    Kind.START: _OPERAND,
    Kind.OPEN: _OPERAND | {Kind.CLOSE},
    Kind.CLOSE: _OPERATOR
    | {Kind.TERNARY, Kind.NUMERIC, Kind.BOOLEAN, Kind.VARIABLE}
    | {Kind.STRING, Kind.TIME, Kind.OPEN},
    Kind.NUMERIC: _OPERATOR | {Kind.TERNARY},
    Kind.BOOLEAN: _OPERATOR | {Kind.TERNARY},
    Kind.STRING: _OPERATOR | {Kind.TERNARY},
    Kind.VARIABLE: _OPERATOR | {Kind.TERNARY},
    Kind.ACCESSOR: _OPERATOR | {Kind.TERNARY, Kind.OPEN},
    Kind.TIME: _OPERATOR,
    Kind.MODIFIER: _PLAIN | {Kind.STRING, Kind.CLOSE},
    Kind.COMPARATOR: _OPERAND | {Kind.CLOSE},
    Kind.LOGICAL: _OPERAND | {Kind.CLOSE},
    Kind.PREFIX: (_PLAIN | {Kind.CLOSE}) - {Kind.PREFIX},
    Kind.TERNARY: _OPERAND | {Kind.SEPARATOR},
    Kind.SEPARATOR: _OPERAND,
}
_MAY_END = {
    *(Kind.CLOSE, Kind.NUMERIC, Kind.BOOLEAN, Kind.STRING),
    *(Kind.TIME, Kind.VARIABLE, Kind.ACCESSOR),
}


def may_follow(kind: Kind, after: Kind) -> bool:
    """Tell whether a token of *kind* may come after one of kind *after*."""
    return kind in _FOLLOWERS[after]


def check_order(tokens: list[Token], source: str) -> None:
    """Raise CompileError for unbalanced parentheses and for tokens that cannot be neighbours."""
    opened = sum(token.kind is Kind.OPEN for token in tokens)
    closed = sum(token.kind is Kind.CLOSE for token in tokens)
    if opened != closed:
        raise CompileError("Unbalanced parenthesis", source, _unbalanced(tokens))
    last = Token(Kind.START, None, 0)
    for token in tokens:
        if not may_follow(token.kind, last.kind):
            if last.kind is Kind.VARIABLE and token.kind is Kind.OPEN:
                raise CompileError(f"Undefined function {last.value}", source, last.position)
            message = f"Cannot transition token types from {last} to {token}"
            raise CompileError(message, source, token.position)
        last = token
    if last.kind not in _MAY_END:
        raise CompileError("Unexpected end of expression", source, len(source))


def _unbalanced(tokens: list[Token]) -> int:
    """The place of the first parenthesis without a partner."""
    opened: list[int] = []
    for token in tokens:
        if token.kind is Kind.OPEN:
            opened.append(token.position)
        elif token.kind is Kind.CLOSE:
            if not opened:
                return token.position
            opened.pop()
    return opened[0]
