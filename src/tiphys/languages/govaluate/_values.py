"""Values as Go sees them: their texts, and when two are the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tiphys.languages._errors import LimitExceeded
from tiphys.languages.numbers import format_g

__all__ = ["is_same", "text_of"]

_DEEPEST = 200  # levels of lists and objects in a text


def text_of(value: Any, depth: int = 0) -> str:
    """Print a value as ``%v`` does; raises LimitExceeded for lists and objects nested too deep."""
    if isinstance(value, str):
        return value
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return format_g(float(value))
    if depth > _DEEPEST:
        raise LimitExceeded(f"a value is nested deeper than {_DEEPEST} levels")
    if isinstance(value, Mapping):
        members = (f"{key}:{text_of(value[key], depth + 1)}" for key in sorted(value))
        return f"map[{' '.join(members)}]"
    if isinstance(value, (list, tuple)):
        return f"[{' '.join(text_of(item, depth + 1) for item in value)}]"
    return str(value)


def is_same(left: Any, right: Any) -> bool:
    """Compare by type and value, without conversion, lists and objects by what is in them."""
    pairs = [(left, right)]
    while pairs:
        one, other = pairs.pop()
        if isinstance(one, list):
            if not isinstance(other, list) or len(one) != len(other):
                return False
            pairs.extend(zip(one, other, strict=True))
        elif isinstance(one, Mapping):
            if not isinstance(other, Mapping) or one.keys() != other.keys():
                return False
            pairs.extend((item, other[key]) for key, item in one.items())
        elif isinstance(one, bool) or isinstance(other, bool):
            if one is not other:
                return False
        elif isinstance(other, (list, Mapping)) or one != other:
            return False
    return True
