"""The syntax tree of an expression; the checker fills in what it learns about types."""

from __future__ import annotations

import dataclasses
from typing import Any

from tiphys.languages.expr._types import Function, Type

__all__ = [
    "ArrayNode",
    "BinaryNode",
    "BuiltinNode",
    "CallNode",
    "ChainNode",
    "ClosureNode",
    "ConditionalNode",
    "ConstantNode",
    "DeclarationNode",
    "IdentifierNode",
    "LiteralNode",
    "MapNode",
    "MemberNode",
    "Node",
    "PointerNode",
    "SliceNode",
    "UnaryNode",
]


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class Node:
    """
    A part of an expression that starts at *position*.

    *type* is what is known of the value before evaluation: None if it is nil, or if the node
    was made after the check.
    """

    position: int = 0
    type: Type | None = None


@dataclasses.dataclass(slots=True, eq=False)
class LiteralNode(Node):
    """A number, text, boolean, or nil that stands in the expression or was computed from such."""

    value: int | float | str | bool | None


@dataclasses.dataclass(slots=True, eq=False)
class ConstantNode(Node):
    """A collection that was computed before evaluation."""

    value: Any


@dataclasses.dataclass(slots=True, eq=False)
class IdentifierNode(Node):
    """A member of the environment, a variable, or ``$env``."""

    name: str


@dataclasses.dataclass(slots=True, eq=False)
class UnaryNode(Node):
    """``-x``, ``+x``, ``!x`` or ``not x``."""

    operator: str
    operand: Node


@dataclasses.dataclass(slots=True, eq=False)
class BinaryNode(Node):
    """Two operands and what stands between them."""

    operator: str
    left: Node
    right: Node


@dataclasses.dataclass(slots=True, eq=False)
class ChainNode(Node):
    """The reach of a ``?.``: nil before it makes the whole of *node* nil."""

    node: Node


@dataclasses.dataclass(slots=True, eq=False)
class MemberNode(Node):
    """``base.name`` or ``base[member]``."""

    base: Node
    member: Node
    optional: bool = False


@dataclasses.dataclass(slots=True, eq=False)
class SliceNode(Node):
    """``base[start:end]``."""

    base: Node
    start: Node | None
    end: Node | None


@dataclasses.dataclass(slots=True, eq=False)
class CallNode(Node):
    """A call of a function found in the environment; *function* if it turns out a built-in."""

    callee: Node
    arguments: list[Node]
    function: Function | None = None


@dataclasses.dataclass(slots=True, eq=False)
class BuiltinNode(Node):
    """
    A call of a built-in function or of a loop such as ``filter``.

    *transform* is what is made of each element that ``filter`` or ``find`` picks; *required*
    makes it an error that ``find`` finds none.
    """

    name: str
    arguments: list[Node]
    transform: Node | None = None
    required: bool = False


@dataclasses.dataclass(slots=True, eq=False)
class ClosureNode(Node):
    """What a loop evaluates for each element."""

    body: Node


@dataclasses.dataclass(slots=True, eq=False)
class PointerNode(Node):
    """``#``, the element of the innermost loop, or ``#index`` and ``#acc``."""

    name: str


@dataclasses.dataclass(slots=True, eq=False)
class DeclarationNode(Node):
    """``let name = value; body``."""

    name: str
    value: Node
    body: Node


@dataclasses.dataclass(slots=True, eq=False)
class ConditionalNode(Node):
    """``condition ? positive : negative``."""

    condition: Node
    positive: Node
    negative: Node


@dataclasses.dataclass(slots=True, eq=False)
class ArrayNode(Node):
    """``[element, ...]``."""

    elements: list[Node]


@dataclasses.dataclass(slots=True, eq=False)
class MapNode(Node):
    """``{key: value, ...}``; of equal keys the first counts."""

    pairs: list[tuple[Node, Node]]
