"""Turns a checked syntax tree into nested closures, each of which evaluates one node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tiphys.languages._errors import CompileError, EvaluationError
from tiphys.languages.expr._builtins import BUILTINS
from tiphys.languages.expr._calls import call_builtin, call_value
from tiphys.languages.expr._faults import Fault
from tiphys.languages.expr._frame import Frame
from tiphys.languages.expr._loops import Evaluate, enter, truth, walk_of
from tiphys.languages.expr._members import chain_of, member_of, slice_of
from tiphys.languages.expr._nodes import (
    ArrayNode,
    BinaryNode,
    BuiltinNode,
    CallNode,
    ChainNode,
    ClosureNode,
    ConditionalNode,
    ConstantNode,
    DeclarationNode,
    IdentifierNode,
    LiteralNode,
    MapNode,
    MemberNode,
    Node,
    PointerNode,
    SliceNode,
    UnaryNode,
)
from tiphys.languages.expr._operations import conjunction, operation, prefix
from tiphys.languages.expr._parser import LOOPS
from tiphys.languages.expr._values import Texts

__all__ = ["Compiler"]

_JUNCTIONS = {"or": True, "||": True, "and": False, "&&": False}


class Compiler:
    """
    Compiles one expression.

    *functions* hide members of the environment; *typed* tells that the environment holds texts
    only. *variables* counts the variables that an evaluation needs room for.
    """

    def __init__(self, source: str, functions: Mapping[str, Any], *, typed: bool) -> None:
        self.source = source
        self.functions = functions
        self.typed = typed
        self.variables = 0
        self.declared: dict[str, int] = {}

    def place(self, node: Node) -> str:
        """Line and column of a node, as error messages show them."""
        before = self.source[: node.position]
        return f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"

    def compile(self, node: Node) -> Evaluate:
        """Make the closure that evaluates *node*."""
        if isinstance(node, BinaryNode):
            return self.binary(node)
        made: Evaluate = _COMPILES[type(node)](self, node)
        return made

    def literal(self, node: LiteralNode | ConstantNode) -> Evaluate:
        value = node.value
        return lambda _: value

    def identifier(self, node: IdentifierNode) -> Evaluate:
        name = node.name
        if name in self.declared:
            index = self.declared[name]
            return lambda frame: frame.variables[index]
        if name == "$env":
            return self.whole_environment()
        if name in self.functions:
            function = self.functions[name]
            return lambda _: function
        missing = "" if self.typed else None
        return lambda frame: frame.environment.get(name, missing)

    def whole_environment(self) -> Evaluate:
        functions = self.functions
        if self.typed:
            return lambda frame: Texts(frame.environment)
        return lambda frame: {**frame.environment, **functions}

    def unary(self, node: UnaryNode) -> Evaluate:
        return prefix(node.operator, self.compile(node.operand), self.place(node))

    def binary(self, node: BinaryNode) -> Evaluate:
        """A chain of operators leans to the left; it is walked without recursion."""
        chain = [node]
        while isinstance(chain[-1].left, BinaryNode):
            chain.append(chain[-1].left)
        made = self.compile(chain[-1].left)
        junction: list[Evaluate] = []
        for index, operator in enumerate(reversed(chain)):
            decides = _JUNCTIONS.get(operator.operator)
            if decides is None:
                made = operation(operator, made, self.compile(operator.right), self.place(operator))
                continue
            junction = junction or [made]
            junction.append(self.compile(operator.right))
            following = chain[len(chain) - index - 2] if index + 1 < len(chain) else None
            if following is None or _JUNCTIONS.get(following.operator) is not decides:
                made = conjunction(junction, decides, self.place(operator))
                junction = []
        return made

    def chain(self, node: ChainNode) -> Evaluate:
        return chain_of(self.compile(node.node))

    def member(self, node: MemberNode) -> Evaluate:
        return member_of(self.compile(node.base), self.compile(node.member), node, self.place(node))

    def slice(self, node: SliceNode) -> Evaluate:
        start = None if node.start is None else self.compile(node.start)
        end = None if node.end is None else self.compile(node.end)
        return slice_of(self.compile(node.base), start, end, self.place(node))

    def call(self, node: CallNode) -> Evaluate:
        arguments = [self.compile(argument) for argument in node.arguments]
        if node.function is None:
            return call_value(self.compile(node.callee), arguments, self.place(node))
        return call_builtin(node.function, arguments, self.place(node), through_variable=True)

    def builtin(self, node: BuiltinNode) -> Evaluate:
        arguments = [self.compile(argument) for argument in node.arguments]
        place = self.place(node)
        if node.name not in LOOPS:
            return call_builtin(BUILTINS[node.name], arguments, place)
        transform = None if node.transform is None else self.compile(node.transform)
        initial = arguments[2] if len(arguments) > 2 else None
        walk = walk_of(node.name, arguments[1], transform, node.required, initial)
        return enter(arguments[0], walk, place)

    def closure(self, node: ClosureNode) -> Evaluate:
        return self.compile(node.body)

    def pointer(self, node: PointerNode) -> Evaluate:
        if node.name == "index":
            return lambda frame: frame.loop.index  # type: ignore[union-attr]
        if node.name == "acc":
            return lambda frame: frame.loop.accumulator  # type: ignore[union-attr]
        if node.name:
            raise CompileError(f"unknown pointer #{node.name}", self.source, node.position)
        place = self.place(node)

        def run(frame: Frame) -> Any:
            loop = frame.loop
            assert loop is not None  # the checker saw the loop around it
            try:
                return loop.items[loop.index]
            except IndexError:
                raise EvaluationError(f"reflect: slice index out of range ({place})") from None
            except Fault as fault:
                raise fault.at(place) from None

        return run

    def declaration(self, node: DeclarationNode) -> Evaluate:
        value = self.compile(node.value)
        index = self.variables
        self.variables += 1
        outer = self.declared
        self.declared = {**outer, node.name: index}
        body = self.compile(node.body)
        self.declared = outer

        def run(frame: Frame) -> Any:
            frame.variables[index] = value(frame)
            return body(frame)

        return run

    def conditional(self, node: ConditionalNode) -> Evaluate:
        condition = self.compile(node.condition)
        positive, negative = self.compile(node.positive), self.compile(node.negative)
        place = self.place(node.condition)

        def run(frame: Frame) -> Any:
            value = condition(frame)
            if value is True:
                return positive(frame)
            if value is False:
                return negative(frame)
            try:
                return truth(value)
            except Fault as fault:
                raise fault.at(place) from None

        return run

    def array(self, node: ArrayNode) -> Evaluate:
        elements = [self.compile(element) for element in node.elements]
        place = self.place(node)

        def run(frame: Frame) -> list[Any]:
            made = [element(frame) for element in elements]
            try:
                frame.grow(len(made))
            except Fault as fault:
                raise fault.at(place) from None
            return made

        return run

    def map(self, node: MapNode) -> Evaluate:
        pairs = [(self.compile(key), self.compile(value)) for key, value in node.pairs]
        place = self.place(node)

        def run(frame: Frame) -> dict[str, Any]:
            made: dict[str, Any] = {}
            for key, value in pairs:
                name, member = key(frame), value(frame)
                if type(name) is not str:
                    raise EvaluationError(f"the key of a map must be a text ({place})")
                made.setdefault(name, member)  # of equal keys the first counts
            try:
                frame.grow(len(pairs))
            except Fault as fault:
                raise fault.at(place) from None
            return made

        return run


_COMPILES: dict[type[Node], Callable[[Compiler, Any], Evaluate]] = {
    ArrayNode: Compiler.array,
    BuiltinNode: Compiler.builtin,
    CallNode: Compiler.call,
    ChainNode: Compiler.chain,
    ClosureNode: Compiler.closure,
    ConditionalNode: Compiler.conditional,
    ConstantNode: Compiler.literal,
    DeclarationNode: Compiler.declaration,
    IdentifierNode: Compiler.identifier,
    LiteralNode: Compiler.literal,
    MapNode: Compiler.map,
    MemberNode: Compiler.member,
    PointerNode: Compiler.pointer,
    SliceNode: Compiler.slice,
    UnaryNode: Compiler.unary,
}
