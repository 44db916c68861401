"""Compiles calls of functions and methods: arguments are checked against Go's signatures."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Protocol

from tiphys.languages._errors import EvaluationError
from tiphys.languages.template import nodes
from tiphys.languages.template.functions import ANY, Function, Parameter
from tiphys.languages.template.scope import Evaluate, Scope, located
from tiphys.languages.template.values import MISSING, Value, is_true

__all__ = ["OperandCompiler", "compile_call", "compile_choice", "ideal", "raising"]


class OperandCompiler(Protocol):
    """What compiles the arguments."""

    text: str

    def operand(self, node: nodes.Operand) -> Evaluate:
        """Compile *node* where it is an argument."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Constant:
    value: Value


def compile_call(
    compiler: OperandCompiler,
    name: str,
    function: Function,
    operands: Sequence[nodes.Operand],
    previous: Evaluate | None,
    node: nodes.Node,
) -> Evaluate:
    """
    Compile a call of *function* at *node*.

    *previous* is the stage of the pipeline before it, whose result is the last argument.
    """
    count = len(operands) + (previous is not None)
    if problem := function.problem(name, count):
        return raising(problem, node, compiler.text)
    arguments = [
        _argument(compiler, operand, function.parameter(index))
        for index, operand in enumerate(operands)
    ]
    evaluate = _evaluation(arguments)
    last = function.parameter(count - 1) if previous is not None else None
    call, cost, text = function.call, function.cost, compiler.text

    def run(scope: Scope, dot: Value) -> Value:
        if previous is None or last is None:
            values = evaluate(scope, dot)
        else:
            final = previous(scope, dot)
            values = evaluate(scope, dot)
            values = (*values, _last(final, last, node, text))
        try:
            result = call(*values)
        except EvaluationError as error:
            raise located(error, node, text, f"error calling {name}: ") from None
        work = cost + (len(result) >> 4 if isinstance(result, (str, list)) else 0)
        for value in values:
            if type(value) is str:
                work += len(value) >> 8
        scope.usage.spend(work)
        return result

    return run


def _last(value: Value, parameter: Parameter, node: nodes.Node, text: str) -> Value:
    """Check what comes through a pipe, where nil has no type any more."""
    if parameter is ANY:
        return None if value is MISSING else value
    if type(value) in parameter.types:
        return value
    try:
        return parameter.convert(MISSING if value is None else value)
    except EvaluationError as error:
        raise located(error, node, text) from None


def compile_choice(
    compiler: OperandCompiler,
    wanted: bool,
    operands: Sequence[nodes.Operand],
    previous: Evaluate | None,
) -> Evaluate:
    """
    Compile ``or`` (*wanted* true) or ``and`` (false).

    The first argument whose truth is *wanted* is the result, the rest is not evaluated; without
    one the last argument is.
    """
    arguments = [_evaluate(_argument(compiler, operand, ANY)) for operand in operands]

    def run(scope: Scope, dot: Value) -> Value:
        final = previous(scope, dot) if previous is not None else MISSING
        value: Value = None
        for argument in arguments:
            value = argument(scope, dot)
            if is_true(value) == wanted:
                return value
        return value if previous is None else final

    return run


def raising(problem: str, node: nodes.Node, text: str) -> Evaluate:
    """An expression that always fails: what Go only finds when it gets there."""

    def run(_scope: Scope, _dot: Value) -> Value:
        raise located(problem, node, text)

    return run


def ideal(node: nodes.Number) -> Value:
    """A number constant where nothing else tells its type; None where it does not fit int."""
    if node.imaginary is not None:
        return node.imaginary
    return node.real if node.floating else node.integer


def _evaluation(arguments: list[_Constant | Evaluate]) -> Evaluate:
    """All arguments as a tuple; constants are put together now."""
    if all(isinstance(argument, _Constant) for argument in arguments):
        constants = tuple(
            argument.value for argument in arguments if isinstance(argument, _Constant)
        )
        return lambda _scope, _dot: constants
    evaluates = [_evaluate(argument) for argument in arguments]
    if len(evaluates) == 1:
        only = evaluates[0]
        return lambda scope, dot: (only(scope, dot),)
    return lambda scope, dot: [evaluate(scope, dot) for evaluate in evaluates]


def _evaluate(argument: _Constant | Evaluate) -> Evaluate:
    if isinstance(argument, _Constant):
        value = argument.value
        return lambda _scope, _dot: value
    return argument


def _argument(
    compiler: OperandCompiler, node: nodes.Operand, parameter: Parameter
) -> _Constant | Evaluate:
    if isinstance(node, (nodes.Bool, nodes.String, nodes.Number)):
        return _literal(compiler, node, parameter)
    if isinstance(node, nodes.Nil):
        if parameter is ANY:
            return _Constant(None)
        if parameter.nil is None:
            return raising(f"cannot assign nil to {parameter.go}", node, compiler.text)
        return _Constant(parameter.nil())
    operand = compiler.operand(node)
    if parameter is ANY:
        return _any(operand)
    return _typed(operand, parameter, node, compiler.text)


def _literal(
    compiler: OperandCompiler,
    node: nodes.Bool | nodes.String | nodes.Number,
    parameter: Parameter,
) -> _Constant | Evaluate:
    shown = compiler.text[node.start : node.end]
    if parameter is ANY:
        value = ideal(node) if isinstance(node, nodes.Number) else node.value
        problem = f"{shown} overflows int"
    else:
        value = parameter.literal(node) if parameter.literal else None
        problem = f"expected {parameter.go}; found {shown}"
    return raising(problem, node, compiler.text) if value is None else _Constant(value)


def _any(operand: Evaluate) -> Evaluate:
    def run(scope: Scope, dot: Value) -> Value:
        value = operand(scope, dot)
        return None if value is MISSING else value

    return run


def _typed(operand: Evaluate, parameter: Parameter, node: nodes.Node, text: str) -> Evaluate:
    types = parameter.types

    def run(scope: Scope, dot: Value) -> Value:
        value = operand(scope, dot)
        if type(value) in types:
            return value
        try:
            return parameter.convert(value)
        except EvaluationError as error:
            raise located(error, node, text) from None

    return run
