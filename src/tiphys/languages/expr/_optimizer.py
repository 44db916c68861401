"""
Rewrites the tree before it is compiled, as far as the original does and its answers show it.

Constants are computed, so that ``x && false`` is false whatever x is; a list of constant texts
becomes a set, in which only a text may be looked for; ``filter(…)[0]`` stops at the first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tiphys.languages._errors import CompileError
from tiphys.languages.expr._comparison import IntSet, TextSet
from tiphys.languages.expr._faults import Fault
from tiphys.languages.expr._folding import fold_binary, fold_unary
from tiphys.languages.expr._nodes import (
    ArrayNode,
    BinaryNode,
    BuiltinNode,
    ClosureNode,
    ConstantNode,
    LiteralNode,
    MemberNode,
    Node,
    UnaryNode,
)
from tiphys.languages.expr._rewriting import rewrite
from tiphys.languages.expr._types import Kind, kind_of
from tiphys.languages.expr._values import Ints, signed

__all__ = ["optimize"]

_MOST_FOLDS = 1000
_LONGEST_RANGE = 1_000_000


def optimize(root: Node, source: str) -> Node:
    """Rewrite a checked tree; raises CompileError for a constant division by zero."""
    root = rewrite(root, _constant_set)
    for _ in range(_MOST_FOLDS):
        fold = _Fold(source)
        root = rewrite(root, fold)
        if not fold.applied:
            break
    for rule in (_range_test, _constant_range, _filtered_map, _counted, _last, _first):
        root = rewrite(root, rule)
    return root


def _constant_set(node: Node) -> Node:
    """``x in ["a", "b"]``; with integers only where x is known to be one."""
    if not (isinstance(node, BinaryNode) and node.operator == "in"):
        return node
    if not isinstance(node.right, ArrayNode) or not node.right.elements:
        return node
    values = [
        element.value if isinstance(element, LiteralNode) else None
        for element in node.right.elements
    ]
    constants: IntSet | TextSet
    if kind_of(node.left.type) is Kind.INT and all(type(value) is int for value in values):
        constants = IntSet(values)  # type: ignore[arg-type]
    elif all(type(value) is str for value in values):
        constants = TextSet(values)  # type: ignore[arg-type]
    else:
        return node
    right = ConstantNode(constants, position=node.right.position)
    return BinaryNode("in", node.left, right, position=node.position)


class _Fold:
    """Computes what stands between constants; *applied* tells whether there was anything."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.applied = False

    def __call__(self, node: Node) -> Node:
        try:
            folded = self.fold(node)
        except Fault as fault:
            raise CompileError(fault.message, self.source, node.position) from None
        if folded is None:
            return node
        self.applied = True
        folded.position = node.position
        return folded

    def fold(self, node: Node) -> Node | None:
        if isinstance(node, UnaryNode):
            return fold_unary(node)
        if isinstance(node, BinaryNode):
            return fold_binary(node)
        if isinstance(node, ArrayNode):
            return _constant_list(node)
        if isinstance(node, BuiltinNode) and node.name == "filter":
            return _merged_filter(node)
        return None


def _constant_list(node: ArrayNode) -> Node | None:
    values: list[Any] = []
    for element in node.elements:
        if not isinstance(element, LiteralNode) or element.value is None:
            return None
        values.append(element.value)
    return ConstantNode(values) if values else None


def _merged_filter(node: BuiltinNode) -> Node | None:
    """A filter of a filter walks over the list once."""
    base = node.arguments[0]
    if not isinstance(base, BuiltinNode) or base.name != "filter":
        return None
    both = BinaryNode("&&", base.arguments[1], node.arguments[1])
    return BuiltinNode("filter", [base.arguments[0], both])


def _literal_int(node: Node) -> int | None:
    if isinstance(node, LiteralNode) and type(node.value) is int:
        return node.value
    return None


def _range_bounds(node: Node) -> tuple[int, int] | None:
    if not (isinstance(node, BinaryNode) and node.operator == ".."):
        return None
    start, end = _literal_int(node.left), _literal_int(node.right)
    return None if start is None or end is None else (start, end)


def _range_test(node: Node) -> Node:
    """``x in 1..9`` compares, where x is known to be an integer."""
    if not (isinstance(node, BinaryNode) and node.operator == "in"):
        return node
    bounds = _range_bounds(node.right)
    if bounds is None or kind_of(node.left.type) is not Kind.INT:
        return node
    lowest, highest = (LiteralNode(bound, position=node.position) for bound in bounds)
    return BinaryNode(
        "and",
        BinaryNode(">=", node.left, lowest, position=node.position),
        BinaryNode("<=", node.left, highest, position=node.position),
        position=node.position,
    )


def _constant_range(node: Node) -> Node:
    bounds = _range_bounds(node)
    if bounds is None:
        return node
    start, end = bounds
    size = signed(end - start + 1)
    if size > _LONGEST_RANGE:
        return node  # evaluation will stop it
    return ConstantNode(Ints(range(start, start + max(size, 0))), position=node.position)


def _filter_in(node: Node) -> BuiltinNode | None:
    return node if isinstance(node, BuiltinNode) and node.name == "filter" else None


def _filtered_map(node: Node) -> Node:
    """``map(filter(…), …)`` makes one list."""
    if isinstance(node, BuiltinNode) and node.name == "map":
        base, closure = _filter_in(node.arguments[0]), node.arguments[1]
        if base is not None and base.transform is None and isinstance(closure, ClosureNode):
            return BuiltinNode(
                "filter", base.arguments, transform=closure.body, position=node.position
            )
    return node


def _counted(node: Node) -> Node:
    """``len(filter(…))`` makes no list."""
    if isinstance(node, BuiltinNode) and node.name == "len" and len(node.arguments) == 1:
        base = _filter_in(node.arguments[0])
        if base is not None:
            return BuiltinNode("count", base.arguments, position=node.position)
    return node


def _picked(function: str, index: int, find: str) -> Callable[[Node], Node]:
    """An element of a filtered list, by *function* or by *index*, is found by *find*."""

    def rule(node: Node) -> Node:
        base = None
        required = False
        if isinstance(node, MemberNode) and not node.optional:
            if _literal_int(node.member) == index:
                base, required = _filter_in(node.base), True
        elif isinstance(node, BuiltinNode) and node.name == function and len(node.arguments) == 1:
            base = _filter_in(node.arguments[0])
        if base is None:
            return node
        return BuiltinNode(find, base.arguments, base.transform, required, position=node.position)

    return rule


_last = _picked("last", -1, "findLast")
_first = _picked("first", 0, "find")
