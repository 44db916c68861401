"""
Loops over collections: ``filter``, ``map``, ``any`` and the others.

Each maker below takes the compiled closure, and returns a function that walks over the elements
of a loop that has been entered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tiphys.languages.expr._faults import Fault
from tiphys.languages.expr._frame import Frame, Loop
from tiphys.languages.expr._values import Groups, NilGroups, items_of, type_of

__all__ = ["Evaluate", "enter", "truth", "walk_of"]

Evaluate = Callable[[Frame], Any]
_Walk = Callable[[Frame, Loop], Any]


def truth(value: Any) -> bool:
    """Return a boolean; raises Fault for anything else."""
    if value is True or value is False:
        return bool(value)
    found = "nil" if value is None else type_of(value)
    raise Fault(f"interface conversion: interface {{}} is {found}, not bool")


def enter(collection: Evaluate, walk: _Walk, place: str) -> Evaluate:
    """Make what evaluates *collection*, and *walk* with a loop over it."""

    def run(frame: Frame) -> Any:
        values = collection(frame)
        try:
            loop = frame.loop = Loop(items_of(values), frame.loop)
            result = walk(frame, loop)
            frame.loop = loop.outer
            frame.spend(loop.index + 1)
        except Fault as fault:
            raise fault.at(place) from None
        return result

    return run


def walk_of(
    name: str, body: Evaluate, transform: Evaluate | None, required: bool, initial: Evaluate | None
) -> _Walk:
    """
    Make the walk of the loop called *name*.

    *transform* is what ``filter`` and ``find`` make of an element, *required* makes it an error
    that ``find`` finds none, *initial* is where ``reduce`` starts.
    """
    if name in ("all", "none", "any"):
        return _until(body, stop=name != "all", result=name == "any")
    if name in ("one", "count"):
        return _count(body, exactly_one=name == "one")
    if name == "filter":
        return _filter(body, transform)
    if name == "map":
        return _map(body)
    if name == "groupBy":
        return _group(body)
    if name == "reduce":
        return _reduce(body, initial)
    backwards = name.startswith("findLast")
    if name.endswith("Index"):
        return _find(body, lambda _, loop: loop.index, backwards, required)
    return _find(body, _element(transform), backwards, required)


def _until(body: Evaluate, *, stop: bool, result: bool) -> _Walk:
    """Give *result* at the first element for which the closure gives *stop*, else the contrary."""

    def walk(frame: Frame, loop: Loop) -> bool:
        for index in range(len(loop.items)):
            loop.index = index
            value = body(frame)
            if value is stop:
                return result
            if value is not (not stop):
                truth(value)
        return not result

    return walk


def _count(body: Evaluate, *, exactly_one: bool) -> _Walk:
    def walk(frame: Frame, loop: Loop) -> int | bool:
        count = 0
        for index in range(len(loop.items)):
            loop.index = index
            if truth(body(frame)):
                count += 1
        return count == 1 if exactly_one else count

    return walk


def _element(transform: Evaluate | None) -> Callable[[Frame, Loop], Any]:
    if transform is None:
        return lambda _, loop: loop.items[loop.index]
    return lambda frame, _: transform(frame)


def _filter(body: Evaluate, transform: Evaluate | None) -> _Walk:
    element = _element(transform)

    def walk(frame: Frame, loop: Loop) -> list[Any]:
        picked = []
        for index in range(len(loop.items)):
            loop.index = index
            if truth(body(frame)):
                picked.append(element(frame, loop))
        frame.grow(len(picked))
        return picked

    return walk


def _map(body: Evaluate) -> _Walk:
    def walk(frame: Frame, loop: Loop) -> list[Any]:
        made = []
        for index in range(len(loop.items)):
            loop.index = index
            made.append(body(frame))
        frame.grow(len(made))
        return made

    return walk


def _find(
    body: Evaluate,
    element: Callable[[Frame, Loop], Any],
    backwards: bool,
    required: bool,
) -> _Walk:
    def walk(frame: Frame, loop: Loop) -> Any:
        indexes = range(len(loop.items))
        for index in reversed(indexes) if backwards else indexes:
            loop.index = index
            if truth(body(frame)):
                return element(frame, loop)
        if required:
            raise Fault("reflect: slice index out of range")
        return None

    return walk


def _group(body: Evaluate) -> _Walk:
    def walk(frame: Frame, loop: Loop) -> Groups:
        groups = Groups() if loop.items else NilGroups()
        for index in range(len(loop.items)):
            loop.index = index
            key = body(frame)
            if key not in groups:
                groups[key] = []
            groups[key].append(loop.items[loop.index])
        frame.grow(len(loop.items))
        return groups

    return walk


def _reduce(body: Evaluate, initial: Evaluate | None) -> _Walk:
    def walk(frame: Frame, loop: Loop) -> Any:
        start = 0
        if initial is not None:
            loop.accumulator = initial(frame)
        elif loop.items:
            loop.accumulator = loop.items[0]
            start = 1
        else:
            raise Fault("reflect: slice index out of range")
        for index in range(start, len(loop.items)):
            loop.index = index
            loop.accumulator = body(frame)
        return loop.accumulator

    return walk
