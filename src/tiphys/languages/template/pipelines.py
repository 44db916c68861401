"""Parses what stands between ``{{`` and ``}}``: pipelines of commands with their operands."""

from __future__ import annotations

from collections.abc import Container
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from tiphys.languages._errors import CompileError, EvaluationError
from tiphys.languages._quoting import quote
from tiphys.languages.template import nodes
from tiphys.languages.template.lexer import Token, tokens_of
from tiphys.languages.template.limits import MAX_NESTING
from tiphys.languages.template.literals import number_of, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PipelineParser"]

_STARTS = frozenset(
    ("bool", "number", "complex", "dot", "field", "identifier", "nil", "string", "variable", "(")
)
_LITERALS = (nodes.Bool, nodes.Dot, nodes.Nil, nodes.Number, nodes.String)


class PipelineParser:
    """The tokens of one template and a place among them."""

    def __init__(self, text: str, functions: Container[str]) -> None:
        self.text = text
        self.functions = functions
        self.tokens = tokens_of(text)
        self.index = 0
        self.nesting = 0
        self.variables = ["$"]
        self.called: set[str] = set()

    def peek(self) -> Token:
        """The next token, which stays."""
        return self.tokens[self.index]

    def next(self) -> Token:
        """Take the next token; the last one stays for ever."""
        token = self.tokens[self.index]
        if self.index < len(self.tokens) - 1:
            self.index += 1
        return token

    def skip_space(self) -> Token:
        """Pass over white space, then peek."""
        while self.tokens[self.index].kind == "space":
            self.index += 1
        return self.tokens[self.index]

    def next_word(self) -> Token:
        """Pass over white space, then take a token."""
        self.skip_space()
        return self.next()

    def expect(self, kind: str, context: str) -> Token:
        """Take a token of *kind*, or fail."""
        token = self.next_word()
        if token.kind != kind:
            self.unexpected(token, context)
        return token

    def unexpected(self, token: Token, context: str) -> NoReturn:
        """Fail at a token that cannot stand here, or with what the lexer found wrong."""
        if token.kind == "error":
            self.fail(token.text, token)
        shown = "EOF" if token.kind == "end" else quote(token.text)
        self.fail(f"unexpected {shown} in {context}", token)

    def fail(self, message: str, token: Token | None = None) -> NoReturn:
        """Raise CompileError at *token*, or at the next one."""
        raise CompileError(message, self.text, (token or self.peek()).start)

    @contextmanager
    def nested(self, token: Token) -> Iterator[None]:
        """Count one block or parenthesis more inside others."""
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            self.fail(f"more than {MAX_NESTING} blocks or parentheses inside one another", token)
        yield
        self.nesting -= 1

    def pipeline(self, context: str, closing: str) -> nodes.Pipe:
        """Everything up to a token of kind *closing*, which is taken as well."""
        pipe = nodes.Pipe(self.skip_space().start, 0, [], [])
        self.declarations(pipe, context)
        while True:
            token = self.skip_space()
            if token.kind == closing:
                self.next()
                break
            if token.kind not in _STARTS:
                self.unexpected(self.next(), context)
            pipe.commands.append(self.command())
        pipe.end = token.start
        if not pipe.commands:
            self.fail(f"missing value for {context}", token)
        for stage, command in enumerate(pipe.commands[1:], 2):
            if isinstance(command.operands[0], _LITERALS):
                self.fail(f"non executable command in pipeline stage {stage}", token)
        return pipe

    def declarations(self, pipe: nodes.Pipe, context: str) -> None:
        """``$x :=``, ``$x =``, and in a range ``$i, $x :=``."""
        while self.skip_space().kind == "variable":
            before = self.index
            variable = self.next()
            sign = self.skip_space()
            if sign.kind in ("=", ":="):
                self.next()
                pipe.assigns = sign.kind == "="
                self.declare(pipe, variable)
                return
            if sign.text != ",":
                self.index = before
                return
            self.next()
            self.declare(pipe, variable)
            if context != "range" or len(pipe.variables) > 1:
                self.fail(f"too many declarations in {context}", sign)
            if self.skip_space().kind not in ("variable", "close", ")"):
                self.fail("range can only initialize variables")

    def declare(self, pipe: nodes.Pipe, variable: Token) -> None:
        pipe.variables.append(variable.text)
        self.variables.append(variable.text)

    def command(self) -> nodes.Command:
        """Operands up to a pipe sign, which is taken, or to the end of the pipeline."""
        operands: list[nodes.Operand] = []
        start = self.peek().start
        while True:
            self.skip_space()
            operand = self.operand()
            if operand is not None:
                operands.append(operand)
            token = self.peek()
            if token.kind == "space":
                continue
            if token.kind == "|":
                self.next()
            elif token.kind not in ("close", ")"):
                self.unexpected(self.next(), "operand")
            break
        if not operands:
            self.fail("empty command", token)
        return nodes.Command(start, operands[-1].end, operands)

    def operand(self) -> nodes.Operand | None:
        """A term and the fields taken from it; None where no term stands."""
        term = self.term()
        if term is None or self.peek().kind != "field":
            return term
        if isinstance(term, _LITERALS):
            self.fail(f"unexpected . after term {quote(self.text[term.start : term.end])}")
        names = []
        end = term.end
        while self.peek().kind == "field":
            token = self.next()
            names.append(token.text[1:])
            end = token.end
        if isinstance(term, nodes.Field):
            return nodes.Field(term.start, end, (*term.names, *names))
        if isinstance(term, nodes.Variable):
            return nodes.Variable(term.start, end, term.name, (*term.names, *names))
        return nodes.Chain(term.start, end, term, tuple(names))

    def term(self) -> nodes.Operand | None:
        token = self.peek()
        if token.kind not in _STARTS:
            return None
        self.next()
        start, end = token.start, token.end
        match token.kind:
            case "identifier":
                if token.text not in self.functions:
                    self.fail(f"function {quote(token.text)} not defined", token)
                self.called.add(token.text)
                return nodes.Identifier(start, end, token.text)
            case "dot":
                return nodes.Dot(start, end)
            case "nil":
                return nodes.Nil(start, end)
            case "bool":
                return nodes.Bool(start, end, token.text == "true")
            case "field":
                return nodes.Field(start, end, (token.text[1:],))
            case "variable":
                if token.text not in self.variables:
                    self.fail(f"undefined variable {quote(token.text)}", token)
                return nodes.Variable(start, end, token.text)
            case "(":
                with self.nested(token):
                    pipe = self.pipeline("parenthesized pipeline", ")")
                pipe.start, pipe.end = start, pipe.end + 1
                return pipe
        return self.literal(token)

    def literal(self, token: Token) -> nodes.String | nodes.Number:
        try:
            if token.kind == "string":
                return nodes.String(token.start, token.end, text_of(token.text))
            return number_of(token.text, token.kind, token.start)
        except EvaluationError as error:
            self.fail(str(error), token)
