"""From tokens to functions: operators by precedence, all of them from left to right."""

from __future__ import annotations

import itertools

from tiphys.languages import regexp
from tiphys.languages._errors import CompileError
from tiphys.languages.govaluate._closures import (
    Evaluate,
    chain,
    literal,
    nothing,
    parameter,
    path,
    prefixed,
)
from tiphys.languages.govaluate._tokens import Kind, Token

__all__ = ["compile_patterns", "plan"]

_DEEPEST = 100  # parentheses and operators inside each other; bounds the recursion, too
_LEVELS = {
    (kind, symbol): level
    for level, (kind, symbols) in enumerate(
        (
            (Kind.SEPARATOR, ","),
            (Kind.TERNARY, "? : ??"),
            (Kind.LOGICAL, "||"),
            (Kind.LOGICAL, "&&"),
            (Kind.COMPARATOR, "== != > >= < <= =~ !~ in"),
            (Kind.MODIFIER, "& | ^"),
            (Kind.MODIFIER, "<< >>"),
            (Kind.MODIFIER, "+ -"),
            (Kind.MODIFIER, "* / %"),
            (Kind.MODIFIER, "**"),
        )
    )
    for symbol in symbols.split()
}
_NO_OPERATOR = -1
_LITERALS = {Kind.NUMERIC, Kind.BOOLEAN, Kind.STRING, Kind.PATTERN, Kind.TIME}


def compile_patterns(tokens: list[Token], source: str) -> list[Token]:
    """Replace texts on the right of ``=~`` and ``!~`` by patterns; raises CompileError."""
    result = tokens[:1]
    for before, token in itertools.pairwise(tokens):
        if token.kind is Kind.STRING and before.kind is Kind.COMPARATOR and "~" in before.value:
            try:
                pattern = regexp.compile(token.value)
            except CompileError as error:
                raise CompileError(error.message, source, token.position) from None
            token = Token(Kind.PATTERN, pattern, token.position)
        result.append(token)
    return result


def plan(tokens: list[Token], source: str) -> Evaluate:
    """
    Build the function that evaluates *tokens*.

    Tokens after a complete expression, as in ``(a) b``, are ignored as in the original. Raises
    CompileError where an operand is missing or the nesting is too deep.
    """
    return _Planner(tokens, source).expression(0)


class _Planner:
    def __init__(self, tokens: list[Token], source: str) -> None:
        self._tokens = tokens
        self._source = source
        self._index = 0
        self._depth = 0

    def expression(self, loosest: int) -> Evaluate:
        """Read an operand and what operators, no looser than level *loosest*, add to it."""
        self._depth += 1
        if self._depth > _DEEPEST:
            position = self._tokens[min(self._index, len(self._tokens) - 1)].position
            message = f"Expression is nested deeper than {_DEEPEST} levels"
            raise CompileError(message, self._source, position)
        left = self._operand()
        while (level := self._level()) >= loosest:
            steps = []
            while self._level() == level:
                symbol = self._take().value
                steps.append((symbol, self.expression(level + 1)))
            left = chain(left, steps)
        self._depth -= 1
        return left

    def _operand(self) -> Evaluate:
        token = self._peek()
        if token is None or token.kind is Kind.CLOSE:
            return nothing
        self._take()
        if token.kind in _LITERALS:
            return literal(token.value)
        if token.kind is Kind.VARIABLE:
            return parameter(token.value)
        if token.kind is Kind.PREFIX:
            return prefixed(token.value, self._operand())
        if token.kind is Kind.OPEN:
            inner = self.expression(0)
            # Whatever comes next counts as the closing parenthesis, as in the original.
            if self._peek() is not None:
                self._take()
            return inner
        if token.kind is Kind.ACCESSOR:
            return path(token.value, self._arguments())
        message = f"Unable to plan token kind: '{token.kind.value}', value: '{token.value}'"
        raise CompileError(message, self._source, token.position)

    def _arguments(self) -> Evaluate | None:
        """Read what follows a member's name: everything from a parenthesis on are arguments."""
        token = self._peek()
        return self.expression(0) if token is not None and token.kind is Kind.OPEN else None

    def _level(self) -> int:
        token = self._peek()
        if token is None or not isinstance(token.value, str):
            return _NO_OPERATOR
        return _LEVELS.get((token.kind, token.value), _NO_OPERATOR)

    def _peek(self) -> Token | None:
        return self._tokens[self._index] if self._index < len(self._tokens) else None

    def _take(self) -> Token:
        token = self._tokens[self._index]
        self._index += 1
        return token
