"""Compiles pipelines into functions of the scope and dot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tiphys.languages._errors import EvaluationError
from tiphys.languages.template import nodes
from tiphys.languages.template.calls import compile_call, compile_choice, ideal, raising
from tiphys.languages.template.fields import find_method, select
from tiphys.languages.template.functions import Function
from tiphys.languages.template.scope import Evaluate, Scope, located
from tiphys.languages.template.values import MISSING, Value

__all__ = ["ExpressionCompiler"]


class ExpressionCompiler:
    """Compiles the expressions of one template *text*, which may call *functions*."""

    def __init__(self, text: str, functions: Mapping[str, Function]) -> None:
        self.text = text
        self.functions = functions

    def pipeline(self, pipe: nodes.Pipe, *, declare: bool = True) -> Evaluate:
        """Compile a pipeline; its variables are set unless *declare* is false."""
        value: Evaluate | None = None
        for command in pipe.commands:
            value = self.command(command, value)
        assert value is not None  # the parser lets no empty pipeline pass
        if not pipe.variables or not declare:
            return _normal(value)
        return self.declaration(pipe, _normal(value))

    def printed(self, pipe: nodes.Pipe) -> Evaluate:
        """Compile a pipeline whose value is only printed or tested, where all nils are equal."""
        if len(pipe.commands) == 1 and not pipe.variables:
            return self.command(pipe.commands[0], None)
        return self.pipeline(pipe)

    def declaration(self, pipe: nodes.Pipe, value: Evaluate) -> Evaluate:
        names, text = tuple(pipe.variables), self.text

        def declare(scope: Scope, dot: Value) -> Value:
            result = value(scope, dot)
            for name in names:
                scope.declare(name, result)
            return result

        def assign(scope: Scope, dot: Value) -> Value:
            result = value(scope, dot)
            try:
                for name in names:
                    scope.values[scope.find(name)] = result
            except EvaluationError as error:
                raise located(error, pipe, text) from None
            return result

        return assign if pipe.assigns else declare

    def command(self, command: nodes.Command, previous: Evaluate | None) -> Evaluate:
        """Compile a command; *previous* is the stage of the pipeline before it."""
        first, *rest = command.operands
        if isinstance(first, nodes.Identifier):
            return self.call(first, rest, previous, command)
        if isinstance(first, (nodes.Field, nodes.Chain)) or (
            isinstance(first, nodes.Variable) and first.names
        ):
            if rest or previous is not None:
                return self.method_call(first, rest, previous)
            return self.operand(first)
        if rest or previous is not None:
            shown = self.text[first.start : first.end]
            return raising(f"can't give argument to non-function {shown}", first, self.text)
        if isinstance(first, nodes.Nil):
            return raising("nil is not a command", first, self.text)
        return self.operand(first)

    def call(
        self,
        identifier: nodes.Identifier,
        operands: Sequence[nodes.Operand],
        previous: Evaluate | None,
        node: nodes.Node,
    ) -> Evaluate:
        name = identifier.name
        if name in ("and", "or") and (operands or previous is not None):
            return compile_choice(self, name == "or", operands, previous)
        return compile_call(self, name, self.functions[name], operands, previous, node)

    def operand(self, node: nodes.Operand) -> Evaluate:
        """Compile a value that takes no arguments."""
        match node:
            case nodes.Dot():
                return lambda _scope, dot: dot
            case nodes.Field():
                return self.field(node)
            case nodes.Variable():
                return self.path(self.variable(node), node.names, node)
            case nodes.Pipe():
                return self.pipeline(node)
            case nodes.Identifier():
                return self.call(node, (), None, node)
            case nodes.Chain():
                if isinstance(node.operand, nodes.Nil):
                    return raising("indirection through explicit nil", node, self.text)
                return self.path(self.operand(node.operand), node.names, node)
            case nodes.Number():
                return self.number(node)
            case nodes.Bool() | nodes.String():
                value = node.value
                return lambda _scope, _dot: value
        return raising("nil is not a command", node, self.text)

    def number(self, node: nodes.Number) -> Evaluate:
        value = ideal(node)
        if value is None:
            shown = self.text[node.start : node.end]
            return raising(f"{shown} overflows int", node, self.text)
        return lambda _scope, _dot: value

    def variable(self, node: nodes.Variable) -> Evaluate:
        name, text = node.name, self.text
        if name == "$":
            return lambda scope, _dot: scope.values[0]

        def read(scope: Scope, _dot: Value) -> Value:
            try:
                return scope.values[scope.find(name)]
            except EvaluationError as error:
                raise located(error, node, text) from None

        return read

    def field(self, node: nodes.Field) -> Evaluate:
        """Fields of dot, the most frequent expression of all."""
        names, text = node.names, self.text

        def run(_scope: Scope, value: Value) -> Value:
            for name in names:
                if type(value) is dict:
                    value = value.get(name, MISSING)
                else:
                    try:
                        value = select(value, name)
                    except EvaluationError as error:
                        raise located(error, node, text) from None
            return value

        return run

    def path(self, base: Evaluate, names: Sequence[str], node: nodes.Node) -> Evaluate:
        """Fields of another value."""
        if not names:
            return base
        fields = self.field(nodes.Field(node.start, node.end, tuple(names)))
        return lambda scope, dot: fields(scope, base(scope, dot))

    def method_call(
        self,
        node: nodes.Field | nodes.Variable | nodes.Chain,
        operands: Sequence[nodes.Operand],
        previous: Evaluate | None,
    ) -> Evaluate:
        """Fields of which the last is given arguments, so that it must be a method."""
        receiver, name, text = self.receiver(node), node.names[-1], self.text

        def run(scope: Scope, dot: Value) -> Value:
            value = receiver(scope, dot)
            if value is MISSING:
                return MISSING
            method = find_method(value, name)
            if method is not None:
                return compile_call(self, name, method, operands, previous, node)(scope, dot)
            if isinstance(value, dict):
                raise located(f"{name} is not a method but has arguments", node, text)
            try:
                select(value, name)
            except EvaluationError as error:
                raise located(error, node, text) from None
            raise located(f"{name} has arguments but cannot be invoked", node, text)

        return run

    def receiver(self, node: nodes.Field | nodes.Variable | nodes.Chain) -> Evaluate:
        """Everything of *node* but its last name."""
        names = node.names[:-1]
        if isinstance(node, nodes.Variable):
            return self.path(self.variable(node), names, node)
        if isinstance(node, nodes.Chain):
            return self.path(self.operand(node.operand), names, node)
        return self.path(lambda _scope, dot: dot, names, node)


def _normal(value: Evaluate) -> Evaluate:
    """At the end of a pipeline nil loses its type."""

    def run(scope: Scope, dot: Value) -> Value:
        result = value(scope, dot)
        return MISSING if result is None else result

    return run
