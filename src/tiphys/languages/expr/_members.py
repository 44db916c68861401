"""Members, indexes and slices, and the reach of ``?.``."""

from __future__ import annotations

from typing import Any

from tiphys.languages.expr._faults import Fault
from tiphys.languages.expr._frame import Frame
from tiphys.languages.expr._loops import Evaluate
from tiphys.languages.expr._nodes import LiteralNode, MemberNode
from tiphys.languages.expr._values import fetch, is_nil, to_int, type_of
from tiphys.languages.template.text import decode, encode

__all__ = ["chain_of", "member_of", "slice_of"]


class _Ended(Exception):
    """A ``?.`` found nil; the rest of its chain is not evaluated."""

    def __init__(self, value: Any) -> None:
        self.value = value


def chain_of(node: Evaluate) -> Evaluate:
    """Make what gives nil as soon as a ``?.`` inside finds it."""

    def run(frame: Frame) -> Any:
        try:
            return node(frame)
        except _Ended as end:
            return end.value

    return run


def member_of(base: Evaluate, member: Evaluate, node: MemberNode, place: str) -> Evaluate:
    """Make what fetches a member of *base*."""
    if isinstance(node.member, LiteralNode) and type(node.member.value) is str:
        return _named(base, node.member.value, node.optional, place)

    def run(frame: Frame) -> Any:
        value, key = base(frame), member(frame)
        try:
            return fetch(value, key)
        except Fault as fault:
            raise fault.at(place) from None

    return run


def _named(base: Evaluate, name: str, optional: bool, place: str) -> Evaluate:
    def run(frame: Frame) -> Any:
        value = base(frame)
        if type(value) is dict:
            return value.get(name)
        if optional and is_nil(value):
            raise _Ended(value)
        try:
            return fetch(value, name)
        except Fault as fault:
            raise fault.at(place) from None

    return run


def slice_of(base: Evaluate, start: Evaluate | None, end: Evaluate | None, place: str) -> Evaluate:
    """Make what cuts a part out of a list or text."""

    def run(frame: Frame) -> Any:
        value = base(frame)
        last = None if end is None else end(frame)
        first = 0 if start is None else start(frame)
        try:
            part = _cut(value, first, last, end is None)
            if type(part) is str:
                frame.write(len(part))
            elif part is not value:
                frame.grow(len(part))
        except Fault as fault:
            raise fault.at(place) from None
        return part

    return run


def _cut(value: Any, first: Any, last: Any, open_end: bool) -> Any:
    """Bounds beyond the ends are the ends; negative ones count from the end."""
    if type(value) is not str and not isinstance(value, list):
        raise Fault(f"cannot slice {type_of(value)}")
    whole = value if isinstance(value, list) or value.isascii() else encode(value)
    length = len(whole)
    start = _bound(to_int(first), length)
    stop = length if open_end else _bound(to_int(last), length)
    if start == 0 and stop == length:
        return value
    part = whole[min(start, stop) : stop]
    if isinstance(part, bytes):
        return decode(part)
    return part if type(value) in (str, list) else type(value)(part)


def _bound(index: int, length: int) -> int:
    return max(index + length, 0) if index < 0 else min(index, length)
