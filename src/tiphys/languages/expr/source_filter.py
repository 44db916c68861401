"""
The expression of an event source's ``filter``: which of its events are published.

``compile(expression)`` returns a :class:`SourceFilter`; its ``passes(payload)`` sees the members
of the payload as names. In names of the first level ``-`` is written ``_``, and a name with
dots is a map in a map. Besides the built-in functions there are ``asInt``, ``asFloat``,
``jsonpath``, ``toJson``, and Sprig's functions behind ``sprig.``.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from typing import Any

from tiphys.languages import jsonpath_function
from tiphys.languages._errors import EvaluationError, LimitExceeded
from tiphys.languages.expr._builtins import BUILTINS
from tiphys.languages.expr._expression import Expression
from tiphys.languages.expr._expression import compile as compile_expression
from tiphys.languages.expr._faults import Fault
from tiphys.languages.expr._functions import GoFunction, typed
from tiphys.languages.expr._values import check_json
from tiphys.languages.template.json_text import from_json, to_json
from tiphys.languages.template.sprig import FUNCTIONS, HARMLESS
from tiphys.languages.template.text import decode

__all__ = ["SourceFilter", "compile", "expand", "functions"]

_HIDDEN = ("env", "expandenv")


class SourceFilter:
    """A compiled filter; immutable and safe to share between threads."""

    __slots__ = ("_expression",)

    def __init__(self, expression: Expression) -> None:
        self._expression = expression

    def __repr__(self) -> str:
        """Show the expression."""
        return f"SourceFilter({self._expression.source!r})"

    def passes(self, payload: Any) -> bool:
        """
        Tell whether an event is published.

        *payload* is the event's data: JSON as bytes, or what it decodes to. Raises
        EvaluationError if it is no JSON object, if the expression does not fit it, or if the
        result is no boolean; such an event is dropped.
        """
        result = self._expression.evaluate(_environment(payload))
        if result is True or result is False:
            return bool(result)
        raise EvaluationError(
            f"the result of the filter must be a boolean, got {BUILTINS['type'].evaluate(result)}"
        )


def compile(expression: str) -> SourceFilter:
    """Compile a filter; raises CompileError, also for an empty expression."""
    return SourceFilter(compile_expression(expression, functions()))


@functools.cache
def functions() -> Mapping[str, Any]:
    """Return what a filter may call besides the built-in functions; it hides members."""
    # HARMLESS has a getHostByName that asks no server.
    sprig = {name: typed(name, known) for name, known in {**FUNCTIONS, **HARMLESS}.items()}
    for name in _HIDDEN:
        del sprig[name]
    return {
        "asInt": GoFunction("asInt", BUILTINS["int"].evaluate),
        "asFloat": GoFunction("asFloat", BUILTINS["float"].evaluate),
        "jsonpath": GoFunction("jsonpath", _jsonpath),
        "toJson": GoFunction("toJson", _to_json),
        "sprig": sprig,
    }


def expand(members: Mapping[str, Any]) -> dict[str, Any]:
    """
    Turn names with dots into maps: ``{"a.b": 1}`` becomes ``{"a": {"b": 1}}``.

    Where there is ``a`` besides ``a.b``, the shorter is dropped.
    """
    if not any("." in name for name in members):
        return dict(members)
    names = sorted(members)
    parents = {
        name for name, following in itertools.pairwise(names) if following.startswith(f"{name}.")
    }
    return _nested({name: members[name] for name in names if name not in parents})


def _nested(members: Mapping[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    groups: dict[str, dict[str, Any]] = {}
    for name, value in members.items():
        first, dot, rest = name.partition(".")
        if dot:
            groups.setdefault(first, {})[rest] = value
        else:
            result[name] = value
    return {name: _nested(group) for name, group in groups.items()} | result


def _environment(payload: Any) -> dict[str, Any]:
    """The names that a filter sees."""
    if isinstance(payload, bytes | bytearray | memoryview):
        payload = from_json(decode(bytes(payload)))
    else:
        payload = _with_floats(payload)
    if payload is None:
        return {}
    if not isinstance(payload, dict):
        raise EvaluationError("the payload is no JSON object")
    if any("-" in name or "." in name for name in payload):
        return expand({name.replace("-", "_"): value for name, value in payload.items()})
    return payload


def _with_floats(value: Any) -> Any:
    """A copy in which every number is a float, as JSON decodes in the original."""
    if type(value) is int:
        return float(value)
    if isinstance(value, Mapping):
        return {name: _with_floats(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_with_floats(element) for element in value]
    return value


def _jsonpath(*arguments: Any) -> Any:
    """``jsonpath(text, path)``, where *text* is JSON."""
    if len(arguments) != 2 or not all(type(argument) is str for argument in arguments):
        raise Fault("jsonpath takes two texts: JSON and a path")
    text, path = arguments
    return jsonpath_function.compile(path).get(from_json(text))


def _to_json(*arguments: Any) -> str:
    """``toJson(value)``; what JSON cannot hold gives an empty text."""
    if len(arguments) != 1:
        raise Fault("toJson takes one value")
    try:
        written = to_json(arguments[0])
        check_json(arguments[0])
    except LimitExceeded:
        raise
    except (EvaluationError, Fault):
        return ""
    return written
