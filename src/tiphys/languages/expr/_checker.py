"""
Checks an expression before evaluation.

It finds operands, arguments and members that cannot fit, and notes on each node what is known
of its type. What stands in a call of a function of the environment is left unchecked, as in
the original.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

from tiphys.languages._errors import CompileError, LanguageError
from tiphys.languages.expr._builtins import BUILTINS, NAMES
from tiphys.languages.expr._builtins._checks import argument_fault
from tiphys.languages.expr._faults import Fault
from tiphys.languages.expr._methods import METHODS, Method
from tiphys.languages.expr._nodes import (
    ArrayNode,
    BinaryNode,
    BuiltinNode,
    CallNode,
    ChainNode,
    ClosureNode,
    ConditionalNode,
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
from tiphys.languages.expr._operators import binary_type, membership_type, unary_type
from tiphys.languages.expr._parser import LOOPS
from tiphys.languages.expr._types import (
    ANY,
    ARRAY,
    BOOL,
    FLOAT,
    FUNCTION,
    GROUPS,
    INT,
    MAP,
    STRING,
    Function,
    Kind,
    Type,
    closure_of,
    describe,
    is_any,
    is_array,
    is_bool,
    is_integer,
    is_map,
    kind_of,
    slice_of,
)
from tiphys.languages.regexp import compile as compile_pattern

__all__ = ["check"]

_LITERALS: dict[type, Type | None] = {
    bool: BOOL,
    int: INT,
    float: FLOAT,
    str: STRING,
    type(None): None,
}
_BOOL_LOOPS = frozenset(("all", "none", "any", "one"))
_INT_LOOPS = frozenset(("count", "findIndex", "findLastIndex"))
_PREDICATES = _BOOL_LOOPS | _INT_LOOPS | {"filter", "find", "findLast"}
_SLICEABLE = frozenset((Kind.ANY, Kind.STRING, Kind.SLICE))
_POINTERS: dict[str, dict[str, Type]] = {
    "map": {"index": INT},
    "reduce": {"index": INT, "acc": ANY},
}


class _Found(NamedTuple):
    """
    What is known of a value.

    *element* is that of a list written in the expression whose elements are all alike;
    *function* and *method* are what a call of the value would call.
    """

    type: Type | None
    element: Type | None = None
    function: Function | None = None
    method: Method | None = None


_UNKNOWN = _Found(ANY)


def check(root: Node, source: str, variables: Collection[str] | None) -> None:
    """
    Check the tree of *source* and fill in the types of its nodes.

    With *variables* no other names may be used, and each is a text. Raises CompileError.
    """
    _Checker(source, variables).visit(root)


class _Checker:
    def __init__(self, source: str, variables: Collection[str] | None) -> None:
        self.source = source
        self.variables = variables
        self.declared: dict[str, _Found] = {}
        self.loops: list[tuple[Type, dict[str, Type]]] = []

    def error(self, node: Node, message: str) -> CompileError:
        return CompileError(message, self.source, node.position)

    def visit(self, node: Node) -> _Found:
        """Check *node* and what it is made of."""
        if isinstance(node, BinaryNode):
            return self.binary(node)
        found: _Found = _VISITS[type(node)](self, node)
        node.type = found.type
        return found

    def type_of(self, node: Node) -> Type | None:
        return self.visit(node).type

    def literal(self, node: LiteralNode) -> _Found:
        return _Found(_LITERALS[type(node.value)])

    def identifier(self, node: IdentifierNode) -> _Found:
        if node.name in self.declared:
            return self.declared[node.name]
        if node.name == "$env":
            return _Found(MAP)
        return self.name(node, node.name)

    def name(self, node: Node, name: str, *, optional: bool = False) -> _Found:
        """What a member of the environment is; built-in functions hide it."""
        if name in NAMES:
            return _Found(FUNCTION, function=NAMES[name])
        if self.variables is None:
            return _UNKNOWN
        if name not in self.variables and not optional:
            raise self.error(node, f"unknown name {name}")
        return _Found(STRING)

    def unary(self, node: UnaryNode) -> _Found:
        operand = self.type_of(node.operand)
        return _Found(self.checked(node, unary_type, node.operator, operand))

    def checked(self, node: Node, rule: Callable[..., Type | None], *arguments: Any) -> Type | None:
        """Apply a rule; what it finds wrong is wrong at *node*."""
        try:
            return rule(*arguments)
        except Fault as fault:
            raise self.error(node, fault.message) from None

    def binary(self, node: BinaryNode) -> _Found:
        """A chain of operators leans to the left; it is walked without recursion."""
        chain = [node]
        while isinstance(chain[-1].left, BinaryNode):
            chain.append(chain[-1].left)
        left = self.type_of(chain[-1].left)
        for operation in reversed(chain):
            left = operation.type = self.operation(operation, left)
        return _Found(left)

    def operation(self, node: BinaryNode, left: Type | None) -> Type | None:
        right = self.visit(node.right)
        if node.operator == "in":
            return self.checked(node, membership_type, left, right.type, right.element)
        if node.operator == "matches" and isinstance(node.right, LiteralNode):
            self.pattern(node.right)
        return self.checked(node, binary_type, node.operator, left, right.type)

    def pattern(self, node: LiteralNode) -> None:
        if isinstance(node.value, str):
            try:
                compile_pattern(node.value)
            except LanguageError as error:
                raise self.error(node, str(error)) from None

    def chain(self, node: ChainNode) -> _Found:
        return self.visit(node.node)

    def member(self, node: MemberNode) -> _Found:
        base = self.type_of(node.base)
        member = self.type_of(node.member)
        name = node.member.value if isinstance(node.member, LiteralNode) else None
        if isinstance(node.base, IdentifierNode) and node.base.name == "$env":
            if isinstance(name, str):
                return self.name(node, name, optional=node.optional)
            return _UNKNOWN
        if isinstance(name, str):
            if base is None:
                raise self.error(node, f"type <nil> has no field {name}")
            if name in METHODS.get(base, {}):
                return _Found(FUNCTION, method=METHODS[base][name])
        return _Found(self.element(node, base, member))

    def element(self, node: MemberNode, base: Type | None, member: Type | None) -> Type | None:
        """The type of a member of a map or list, which *member* must select."""
        if is_any(base):
            return ANY
        if base is not None and is_map(base) and base.key is not None:
            if member is not None and not is_any(member) and not member.fits(base.key):
                raise self.error(
                    node.member, f"cannot use {member.name} to get an element from {base.name}"
                )
            return base.element
        if base is not None and is_array(base):
            if not is_integer(member) and not is_any(member):
                raise self.error(
                    node.member,
                    "array elements can only be selected using an integer "
                    f"(got {describe(member)})",
                )
            return base.element
        raise self.error(node, f"type {describe(base)}[{describe(member)}] is undefined")

    def slice(self, node: SliceNode) -> _Found:
        base = self.type_of(node.base)
        if kind_of(base) not in _SLICEABLE:
            raise self.error(node, f"cannot slice {describe(base)}")
        for bound in (node.start, node.end):
            if bound is not None:
                type_ = self.type_of(bound)
                if not is_integer(type_) and not is_any(type_):
                    raise self.error(bound, f"non-integer slice index {describe(type_)}")
        return _Found(base)

    def call(self, node: CallNode) -> _Found:
        callee = self.visit(node.callee)
        if callee.function is not None:
            node.function = callee.function
            return _Found(self.function(node, callee.function, node.arguments))
        if callee.method is not None:
            return _Found(self.method(node, callee.method))
        if is_any(callee.type):
            return _UNKNOWN
        if callee.type is None:
            raise self.error(node, "nil is no function")
        raise self.error(node, f"{callee.type.name} is not callable")

    def method(self, node: CallNode, method: Method) -> Type:
        if method.results > 2:
            raise self.error(node, "the method returns more than two values")
        arguments = [self.type_of(argument) for argument in node.arguments]
        fault = argument_fault("the method", method.parameters, arguments)
        if fault is not None:
            raise self.error(node, fault.message)
        return method.result

    def function(self, node: Node, function: Function, arguments: Sequence[Node]) -> Type | None:
        types = [self.type_of(argument) for argument in arguments]
        return self.checked(node, function.check, types)

    def builtin(self, node: BuiltinNode) -> _Found:
        if node.name in LOOPS:
            return _Found(self.loop(node))
        if node.name == "get":
            return _Found(self.get(node))
        return _Found(self.function(node, BUILTINS[node.name], node.arguments))

    def loop(self, node: BuiltinNode) -> Type | None:
        collection = self.type_of(node.arguments[0])
        if collection is None or not (is_array(collection) or is_any(collection)):
            raise self.error(
                node.arguments[0],
                f"builtin {node.name} takes only array (got {describe(collection)})",
            )
        self.loops.append((collection, _POINTERS.get(node.name, {})))
        closure = self.type_of(node.arguments[1])
        self.loops.pop()
        for initial in node.arguments[2:]:
            self.visit(initial)
        assert closure is not None and closure.result is not None  # a closure has a type
        result = closure.result
        if node.name in _PREDICATES and not is_bool(result) and not is_any(result):
            raise self.error(
                node.arguments[1], f"predicate should return boolean (got {result.name})"
            )
        return self.loop_result(node.name, collection, result)

    def loop_result(self, name: str, collection: Type, result: Type) -> Type | None:
        if name in _BOOL_LOOPS:
            return BOOL
        if name in _INT_LOOPS:
            return INT
        if name == "map":
            return slice_of(result)
        if name == "reduce":
            return result
        if name == "groupBy":
            return GROUPS
        if name == "filter":
            return ARRAY if is_any(collection) else collection
        return ANY if is_any(collection) else collection.element

    def get(self, node: BuiltinNode) -> Type | None:
        if len(node.arguments) != 2:
            raise self.error(
                node, f"invalid number of arguments (expected 2, got {len(node.arguments)})"
            )
        base, member = node.arguments
        if isinstance(base, IdentifierNode) and base.name == "$env":
            if isinstance(member, LiteralNode) and isinstance(member.value, str):
                return STRING if self.variables and member.value in self.variables else None
            return ANY
        type_ = self.type_of(base)
        if is_any(type_):
            return ANY  # without a look at the member
        if type_ is None or not (is_array(type_) or is_map(type_)):
            raise self.error(base, f"type {describe(type_)} does not support indexing")
        key = self.type_of(member)
        if key is None:
            raise self.error(member, "cannot use nil as index")
        wanted = type_.key
        fits = is_integer(key) if wanted is None else key.fits(wanted)
        if not fits and not is_any(key):
            raise self.error(member, f"cannot use {key.name} to get an element from {type_.name}")
        return type_.element

    def closure(self, node: ClosureNode) -> _Found:
        body = self.type_of(node.body)
        if body is None:
            raise self.error(node.body, "closure cannot be nil")
        return _Found(closure_of(body))

    def pointer(self, node: PointerNode) -> _Found:
        if not self.loops:
            raise self.error(node, "cannot use pointer accessor outside closure")
        collection, pointers = self.loops[-1]
        if not node.name:
            return _UNKNOWN if is_any(collection) else _Found(collection.element)
        if node.name not in pointers:
            raise self.error(node, f"unknown pointer #{node.name}")
        return _Found(pointers[node.name])

    def declaration(self, node: DeclarationNode) -> _Found:
        if node.name in NAMES:
            raise self.error(node, f"cannot redeclare builtin {node.name}")
        if node.name in self.declared or (self.variables and node.name in self.variables):
            raise self.error(node, f"cannot redeclare {node.name}")
        self.declared[node.name] = self.visit(node.value)
        found = self.visit(node.body)
        del self.declared[node.name]
        return found

    def conditional(self, node: ConditionalNode) -> _Found:
        condition = self.type_of(node.condition)
        if not is_bool(condition) and not is_any(condition):
            raise self.error(
                node.condition,
                f"non-bool expression (type {describe(condition)}) used as condition",
            )
        positive, negative = self.type_of(node.positive), self.type_of(node.negative)
        if positive is None or negative is None:
            return _Found(positive or negative)
        return _Found(positive if positive.fits(negative) else ANY)

    def array(self, node: ArrayNode) -> _Found:
        types = [self.type_of(element) for element in node.elements]
        alike = len({kind_of(type_) for type_ in types}) == 1
        return _Found(ARRAY, element=types[-1] if alike else None)

    def map(self, node: MapNode) -> _Found:
        for key, value in node.pairs:
            self.visit(key)
            self.visit(value)
        return _Found(MAP)


_VISITS: dict[type[Node], Callable[[_Checker, Any], _Found]] = {
    ArrayNode: _Checker.array,
    BuiltinNode: _Checker.builtin,
    CallNode: _Checker.call,
    ChainNode: _Checker.chain,
    ClosureNode: _Checker.closure,
    ConditionalNode: _Checker.conditional,
    DeclarationNode: _Checker.declaration,
    IdentifierNode: _Checker.identifier,
    LiteralNode: _Checker.literal,
    MapNode: _Checker.map,
    MemberNode: _Checker.member,
    PointerNode: _Checker.pointer,
    SliceNode: _Checker.slice,
    UnaryNode: _Checker.unary,
}
