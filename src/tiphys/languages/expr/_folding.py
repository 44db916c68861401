"""Operators between constants, computed before evaluation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tiphys.languages.expr._arithmetic import add, divide, modulo, multiply, power, subtract
from tiphys.languages.expr._nodes import BinaryNode, LiteralNode, Node, UnaryNode
from tiphys.languages.expr._types import FLOAT, INT, Type
from tiphys.languages.expr._values import signed

__all__ = ["fold_binary", "fold_unary"]

_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "**": power,
    "^": power,
}
_NUMBER_TYPES: dict[type, Type] = {int: INT, float: FLOAT}
_CONJUNCTIONS = {"and": True, "&&": True, "or": False, "||": False}


def fold_unary(node: UnaryNode) -> Node | None:
    """Compute ``-1`` and ``not true``; None if the operand is no such constant."""
    if not isinstance(node.operand, LiteralNode):
        return None
    value = node.operand.value
    if node.operator in ("!", "not"):
        return LiteralNode(not value) if type(value) is bool else None
    if type(value) is int:
        return LiteralNode(signed(-value) if node.operator == "-" else value, type=INT)
    if type(value) is float:
        return LiteralNode(-value if node.operator == "-" else value, type=FLOAT)
    return None


def fold_binary(node: BinaryNode) -> Node | None:
    """Compute an operator between constants, or drop a constant that decides nothing."""
    if node.operator in _CONJUNCTIONS:
        return _fold_logic(node, neutral=_CONJUNCTIONS[node.operator])
    if not (isinstance(node.left, LiteralNode) and isinstance(node.right, LiteralNode)):
        return None
    left, right = node.left.value, node.right.value
    types = type(left), type(right)
    if all(type_ in _NUMBER_TYPES for type_ in types):
        return _fold_numbers(node.operator, left, right)
    if types == (str, str):
        if node.operator == "+":
            return LiteralNode(add(left, right))
        return LiteralNode(left == right) if node.operator == "==" else None
    if types == (bool, bool) and node.operator == "==":
        return LiteralNode(left == right)
    return None


def _fold_numbers(operator: str, left: Any, right: Any) -> Node | None:
    if operator in _ARITHMETIC:
        value = _ARITHMETIC[operator](left, right)
        return LiteralNode(value, type=_NUMBER_TYPES[type(value)])
    if type(left) is int and type(right) is int:
        if operator == "%":
            return LiteralNode(modulo(left, right))
        if operator == "==":
            return LiteralNode(left == right)
    return None


def _fold_logic(node: BinaryNode, *, neutral: bool) -> Node | None:
    """*neutral* is the constant that may be left out; the other decides, on either side."""
    left, right = (
        operand.value if isinstance(operand, LiteralNode) else None
        for operand in (node.left, node.right)
    )
    if left is neutral:
        return node.right
    if right is neutral:
        return node.left
    if left is (not neutral) or right is (not neutral):
        return LiteralNode(not neutral)
    return None
