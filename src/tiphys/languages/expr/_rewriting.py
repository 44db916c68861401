"""Walks a syntax tree from the leaves to the root and replaces nodes on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tiphys.languages.expr._nodes import (
    ArrayNode,
    BinaryNode,
    BuiltinNode,
    CallNode,
    ChainNode,
    ClosureNode,
    ConditionalNode,
    DeclarationNode,
    MapNode,
    MemberNode,
    Node,
    SliceNode,
    UnaryNode,
)

__all__ = ["rewrite"]

Rule = Callable[[Node], Node]

_CHILDREN: dict[type[Node], tuple[str, ...]] = {
    UnaryNode: ("operand",),
    ChainNode: ("node",),
    MemberNode: ("base", "member"),
    SliceNode: ("base", "start", "end"),
    CallNode: ("callee",),
    ClosureNode: ("body",),
    DeclarationNode: ("value", "body"),
    ConditionalNode: ("condition", "positive", "negative"),
}


def rewrite(root: Node, rule: Rule) -> Node:
    """Apply *rule* to every node, children first, and return the new root."""
    if isinstance(root, BinaryNode):
        return _operators(root, rule)
    for name in _CHILDREN.get(type(root), ()):
        child = getattr(root, name)
        if child is not None:
            setattr(root, name, rewrite(child, rule))
    if isinstance(root, CallNode | BuiltinNode):
        _all(root.arguments, rule)
    elif isinstance(root, ArrayNode):
        _all(root.elements, rule)
    elif isinstance(root, MapNode):
        root.pairs = [(rewrite(key, rule), rewrite(value, rule)) for key, value in root.pairs]
    return rule(root)


def _all(nodes: list[Any], rule: Rule) -> None:
    nodes[:] = [rewrite(node, rule) for node in nodes]


def _operators(root: BinaryNode, rule: Rule) -> Node:
    """A chain of operators leans to the left; it is walked without recursion."""
    chain = [root]
    while isinstance(chain[-1].left, BinaryNode):
        chain.append(chain[-1].left)
    left = rewrite(chain[-1].left, rule)
    for operation in reversed(chain):
        operation.left = left
        operation.right = rewrite(operation.right, rule)
        left = rule(operation)
    return left
