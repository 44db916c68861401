"""
Turns the tokens of a template into nodes.

As in Go, an unknown function, an undefined variable and ``break`` outside of a loop are errors
here, not when the template runs; an undefined template is not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Container
from typing import NamedTuple

from tiphys.languages._errors import EvaluationError
from tiphys.languages._quoting import quote
from tiphys.languages.template import nodes
from tiphys.languages.template.lexer import Token
from tiphys.languages.template.literals import text_of
from tiphys.languages.template.pipelines import PipelineParser

__all__ = ["Parsed", "parse"]


@dataclasses.dataclass(slots=True)
class Parsed:
    """A template's own nodes, those of the templates that it defines, and what they call."""

    main: list[nodes.Block]
    defined: dict[str, list[nodes.Block]]
    called: set[str]


_Control = nodes.If | nodes.With | nodes.Range
_CONTROLS: dict[str, type[_Control]] = {
    "if": nodes.If,
    "with": nodes.With,
    "range": nodes.Range,
}


class _End(NamedTuple):
    """What closes a list of nodes: ``end`` or ``else``, and the word that follows ``else``."""

    kind: str
    then: str = ""


def parse(text: str, functions: Container[str]) -> Parsed:
    """Parse *text*, which may call *functions*; raises CompileError."""
    return _Parser(text, functions).parse()


class _Parser(PipelineParser):
    def __init__(self, text: str, functions: Container[str]) -> None:
        super().__init__(text, functions)
        self.loops = 0
        self.defined: dict[str, list[nodes.Block]] = {}

    def parse(self) -> Parsed:
        main: list[nodes.Block] = []
        while self.peek().kind != "end":
            before = self.index
            if self.next().kind == "open" and self.next_word().kind == "define":
                self.definition()
                continue
            self.index = before
            node = self.text_or_action()
            if isinstance(node, _End):
                self.fail(f"unexpected {{{{{node.kind}}}}}", self.tokens[before])
            main.append(node)
        return Parsed(main, self.defined, self.called)

    def definition(self) -> None:
        """The name and body of ``{{ define }}``."""
        name = self.template_name("define clause")
        self.expect("close", "define clause")
        self.define(name, "define clause")

    def define(self, name: str, context: str) -> None:
        """The body of a template; it sees neither the variables nor the loops around it."""
        before = self.peek()
        outer = self.variables, self.loops
        self.variables, self.loops = ["$"], 0
        body, end = self.body()
        self.variables, self.loops = outer
        if end.kind != "end":
            self.fail(f"unexpected {{{{{end.kind}}}}} in {context}")
        if _is_empty(self.defined.get(name, [])):
            self.defined[name] = body
        elif not _is_empty(body):
            self.fail(f"multiple definition of template {quote(name)}", before)

    def body(self) -> tuple[list[nodes.Block], _End]:
        """Nodes up to ``end`` or ``else``, which is taken."""
        found: list[nodes.Block] = []
        while True:
            if self.peek().kind == "end":
                self.fail("unexpected EOF")
            node = self.text_or_action()
            if isinstance(node, _End):
                return found, node
            found.append(node)

    def text_or_action(self) -> nodes.Block | _End:
        token = self.next()
        if token.kind == "text":
            return nodes.Text(token.start, token.end, token.text)
        if token.kind != "open":
            self.unexpected(token, "input")
        with self.nested(token):
            return self.action()

    def action(self) -> nodes.Block | _End:
        token = self.skip_space()
        match token.kind:
            case "if" | "with" | "range":
                self.next()
                return self.control(token)
            case "else" | "end":
                self.next()
                return self.closing(token)
            case "break" | "continue":
                self.next()
                return self.jump(token)
            case "template":
                self.next()
                return self.template_call(token)
            case "block":
                self.next()
                return self.block(token)
        pipe = self.pipeline("command", "close")
        return nodes.Action(pipe.start, pipe.end, pipe)

    def control(self, word: Token) -> _Control:
        """``if``, ``with`` or ``range`` up to its ``end``."""
        outer = len(self.variables)
        pipe = self.pipeline(word.kind, "close")
        self.loops += word.kind == "range"
        body, end = self.body()
        self.loops -= word.kind == "range"
        otherwise: list[nodes.Block] = []
        if end.kind == "else":
            otherwise = self.otherwise(word, end)
        del self.variables[outer:]
        kind = _CONTROLS[word.kind]
        return kind(word.start, pipe.end, pipe, body, otherwise)

    def otherwise(self, word: Token, end: _End) -> list[nodes.Block]:
        """What follows ``else``: ``else if`` is a nested block that shares our ``end``."""
        if end.then:
            following = self.skip_space()
            if end.then != word.kind:
                self.unexpected(following, "input")
            self.next()
            with self.nested(following):
                return [self.control(following)]
        body, closing = self.body()
        if closing.kind != "end":
            self.fail(f"expected end; found {{{{{closing.kind}}}}}")
        return body

    def closing(self, word: Token) -> _End:
        if word.kind == "else" and self.skip_space().kind in ("if", "with"):
            return _End("else", self.peek().kind)
        self.expect("close", word.kind)
        return _End(word.kind)

    def jump(self, word: Token) -> nodes.Break | nodes.Continue:
        shown = f"{{{{{word.kind}}}}}"
        self.expect("close", shown)
        if not self.loops:
            self.fail(f"{shown} outside {{{{range}}}}", word)
        if word.kind == "break":
            return nodes.Break(word.start, word.end)
        return nodes.Continue(word.start, word.end)

    def template_call(self, word: Token) -> nodes.Call:
        name = self.template_name("template clause")
        pipe = None
        if self.skip_space().kind == "close":
            end = self.next().start
        else:
            pipe = self.pipeline("template clause", "close")
            end = pipe.end
        return nodes.Call(word.start, end, name, pipe)

    def block(self, word: Token) -> nodes.Call:
        """``block`` defines a template and calls it."""
        name = self.template_name("block clause")
        pipe = self.pipeline("block clause", "close")
        self.define(name, "block clause")
        return nodes.Call(word.start, pipe.end, name, pipe)

    def template_name(self, context: str) -> str:
        token = self.expect("string", context)
        try:
            return text_of(token.text)
        except EvaluationError as error:
            self.fail(str(error), token)


def _is_empty(body: list[nodes.Block]) -> bool:
    """Whether a template has nothing but white space, so that another may take its name."""
    return all(isinstance(node, nodes.Text) and not node.value.strip() for node in body)
