"""Compiles the nodes of a template into functions that write its output."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tiphys.languages._errors import LimitExceeded
from tiphys.languages.template import nodes
from tiphys.languages.template.expressions import ExpressionCompiler
from tiphys.languages.template.functions import Function
from tiphys.languages.template.limits import MAX_DEPTH
from tiphys.languages.template.parser import Parsed
from tiphys.languages.template.printing import display
from tiphys.languages.template.scope import Evaluate, Run, Scope, located
from tiphys.languages.template.values import MISSING, Value, go_type, is_true

__all__ = ["compile_statements"]

NO_VALUE = "<no value>"


class _Break(Exception):
    """``{{ break }}``"""


class _Continue(Exception):
    """``{{ continue }}``"""


def compile_statements(text: str, parsed: Parsed, functions: Mapping[str, Function]) -> Run:
    """Compile the template *parsed* from *text*."""
    return _Compiler(text, functions).template(parsed)


class _Compiler:
    def __init__(self, text: str, functions: Mapping[str, Function]) -> None:
        self.text = text
        self.expressions = ExpressionCompiler(text, functions)
        self.templates: dict[str, Run] = {}

    def template(self, parsed: Parsed) -> Run:
        for name, body in parsed.defined.items():
            self.templates[name] = self.body(body)
        return self.body(parsed.main)

    def body(self, blocks: list[nodes.Block]) -> Run:
        steps = tuple(map(self.block, blocks))
        if len(steps) == 1:
            return steps[0]

        def run(scope: Scope, dot: Value) -> None:
            for step in steps:
                step(scope, dot)

        return run

    def block(self, node: nodes.Block) -> Run:
        match node:
            case nodes.Text():
                value = node.value
                return lambda scope, _dot: scope.write(value)
            case nodes.Action():
                return self.action(node)
            case nodes.If():
                return self.conditional(node)
            case nodes.With():
                return self.with_(node)
            case nodes.Range():
                return self.range(node)
            case nodes.Call():
                return self.call(node)
            case nodes.Break():
                return _jump(_Break)
            case nodes.Continue():
                return _jump(_Continue)

    def action(self, node: nodes.Action) -> Run:
        if node.pipe.variables:
            evaluate = self.expressions.pipeline(node.pipe)

            def set_variables(scope: Scope, dot: Value) -> None:
                evaluate(scope, dot)

            return set_variables
        value_of = self.expressions.printed(node.pipe)

        def write(scope: Scope, dot: Value) -> None:
            value = value_of(scope, dot)
            if type(value) is str:
                scope.write(value)
            elif value is MISSING or value is None:
                scope.write(NO_VALUE)
            else:
                scope.write(display(value))

        return write

    def conditional(self, node: nodes.If) -> Run:
        condition = self.expressions.printed(node.pipe)
        body, otherwise = self.body(node.body), self.body(node.otherwise)

        def run(scope: Scope, dot: Value) -> None:
            mark = len(scope.names)
            if is_true(condition(scope, dot)):
                body(scope, dot)
            else:
                otherwise(scope, dot)
            scope.restore(mark)

        return run

    def with_(self, node: nodes.With) -> Run:
        value_of = self.expressions.pipeline(node.pipe)
        body, otherwise = self.body(node.body), self.body(node.otherwise)

        def run(scope: Scope, dot: Value) -> None:
            mark = len(scope.names)
            value = value_of(scope, dot)
            if is_true(value):
                body(scope, value)
            else:
                otherwise(scope, dot)
            scope.restore(mark)

        return run

    def range(self, node: nodes.Range) -> Run:
        value_of = self.expressions.pipeline(node.pipe, declare=node.pipe.assigns)
        one_round = self.round(node.pipe, self.body(node.body))
        otherwise = self.body(node.otherwise)
        variables, text = len(node.pipe.variables), self.text

        def run(scope: Scope, dot: Value) -> None:
            outer = len(scope.names)
            value = value_of(scope, dot)
            items = _items(value, variables)
            if isinstance(items, str):
                raise located(items, node.pipe, text)
            for name in () if node.pipe.assigns else node.pipe.variables:
                scope.declare(name, value)
            inner = len(scope.names)
            empty = True
            try:
                for key, item in items:
                    empty = False
                    one_round(scope, key, item, inner)
                    scope.restore(inner)
            except _Break:
                pass
            if empty:
                otherwise(scope, dot)
            scope.restore(outer)

        return run

    def round(self, pipe: nodes.Pipe, body: Run) -> Any:
        """One round of a loop: sets the variables, then runs the body with the item as dot."""
        variables, assigns = tuple(pipe.variables), pipe.assigns

        def run(scope: Scope, key: Value, item: Value, inner: int) -> None:
            scope.usage.spend(1)
            values = (item,) if len(variables) == 1 else (key, item)
            for index, (name, value) in enumerate(zip(variables, values, strict=False)):
                place = scope.find(name) if assigns else inner - len(variables) + index
                scope.values[place] = value
            with contextlib.suppress(_Continue):
                body(scope, item)

        return run

    def call(self, node: nodes.Call) -> Run:
        value_of: Evaluate = lambda _scope, _dot: MISSING  # noqa: E731
        if node.pipe is not None:
            value_of = self.expressions.pipeline(node.pipe)
        name, text, templates = node.name, self.text, self.templates

        def run(scope: Scope, dot: Value) -> None:
            body = templates.get(name)
            if body is None:
                raise located(f'template "{name}" not defined', node, text)
            usage = scope.usage
            usage.spend(1)
            if usage.depth == MAX_DEPTH:
                raise LimitExceeded(f"exceeded maximum template depth ({MAX_DEPTH})")
            value = value_of(scope, dot)
            usage.depth += 1
            body(Scope(value, scope.output, usage), value)
            usage.depth -= 1

        return run


def _jump(exception: type[Exception]) -> Run:
    def run(_scope: Scope, _dot: Value) -> None:
        raise exception

    return run


def _items(value: Value, variables: int) -> Iterable[tuple[Value, Value]] | str:
    """Keys and items of what a loop goes over, or what is wrong with it."""
    if value is None or value is MISSING:
        return ()
    if isinstance(value, list):
        return enumerate(value)
    if isinstance(value, dict):
        return [(key, value[key]) for key in sorted(value)]
    if go_type(value).basic in ("int", "uint"):
        if variables > 1:
            return f"can't use {display(value)} to iterate over more than one variable"
        return _count(value)
    return f"range can't iterate over {display(value)}"


def _count(value: int) -> Iterator[tuple[Value, Value]]:
    python_type = type(value)
    for number in range(value):
        yield MISSING, python_type(number)
