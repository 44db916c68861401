"""
Fits raw data into a model and says in plain sentences what does not fit.

Whatever does not fit is taken out and the rest tried again, so that one wrong value does not keep
the rules from looking at everything else.
"""

from __future__ import annotations

import copy
import dataclasses
import re
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tiphys.manifests.findings import FieldPath, dotted, nearest

ModelT = TypeVar("ModelT", bound=BaseModel)

_ROUNDS = 20
_SHOWN = 40
_PLAIN_TYPES = ("int_type", "float_type", "bool_type")
_UNQUOTED = re.compile(r"-?\d+(\.\d+)?|true|false")


@dataclasses.dataclass(frozen=True, slots=True)
class Mismatch:
    """A value that does not fit, by its path inside the validated data."""

    path: FieldPath
    message: str
    hint: str = ""


@dataclasses.dataclass(frozen=True)
class Fitted(Generic[ModelT]):
    """The *model* of what fits (None: too little does), and what does not."""

    model: ModelT | None
    mismatches: list[Mismatch]


def fit(model: type[ModelT], data: Any, *, secret: bool = False) -> Fitted[ModelT]:
    """Validate *data*; *secret* keeps its values out of the messages."""
    mismatches: list[Mismatch] = []
    for _ in range(_ROUNDS):
        try:
            return Fitted(model.model_validate(data), mismatches)
        except ValidationError as error:
            found = _explained(error, data, secret)
        told = [mismatch.path for mismatch in mismatches]
        mismatches += [mismatch for mismatch in found if not _is_in(mismatch.path, told)]
        rest = copy.deepcopy(data)
        for mismatch in found:
            if not mismatch.path:
                return Fitted(None, mismatches)
            _take_out(rest, mismatch.path)
        if rest == data:
            break
        data = rest
    return Fitted(None, mismatches)


def _is_in(path: FieldPath, others: list[FieldPath]) -> bool:
    """Is *path* one of *others* or inside one?  Then it only tells what became of that one."""
    return any(path[: len(other)] == other for other in others)


def _take_out(data: Any, path: FieldPath) -> None:
    """Remove the value at *path*; where it is the one that is missing, the block around it."""
    parents = [data]
    for step in path[:-1]:
        try:
            parents.append(parents[-1][step])
        except (LookupError, TypeError):
            return  # taken out already, with what was around it
    for parent, step in zip(reversed(parents), reversed(path), strict=True):
        if isinstance(parent, dict) and step in parent:
            del parent[step]
            return
        if isinstance(parent, list) and isinstance(step, int) and step < len(parent):
            if parent[step] != {}:
                parent[step] = {}  # other items keep their places
                return
            parent.clear()
            return


def _explained(error: ValidationError, data: Any, secret: bool) -> list[Mismatch]:
    """What each part of *error* says; alternatives of one place are told together."""
    places: dict[FieldPath, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False, include_context=True):
        places.setdefault(_real_path(detail, data), []).append(detail)
    inner = [path for path in places if not _is_outer(path, places)]
    return [_mismatch(path, places[path], secret) for path in inner]


def _is_outer(path: FieldPath, paths: Iterable[FieldPath]) -> bool:
    """Does another one lie inside *path*?  Then this one tells of an alternative not meant."""
    return any(len(other) > len(path) and other[: len(path)] == path for other in paths)


def _real_path(detail: ErrorDetails, data: Any) -> FieldPath:
    """Where it is, without the marks that pydantic puts in for its own sake."""
    *parents, last = detail["loc"] or ("",)
    path: list[int | str] = []
    for step in parents:
        if _has(data, step):
            path.append(step)
            data = data[step]
    if _has(data, last) or detail["type"] == "missing":
        path.append(last)
    return tuple(path)


def _has(data: Any, step: int | str) -> bool:
    if isinstance(data, list):
        return isinstance(step, int) and step < len(data)
    return isinstance(data, dict) and step in data


def _mismatch(path: FieldPath, details: list[ErrorDetails], secret: bool) -> Mismatch:
    start = max((index for index, step in enumerate(path) if isinstance(step, str)), default=0)
    name = f"`{dotted(path[start:])}`" if path else "this"
    first = details[0]
    if first["type"] == "missing":
        return Mismatch(path, f"{name} is missing")
    if first["type"] in ("value_error", "assertion_error"):
        return Mismatch(path, f"{name} is not valid: {first['ctx']['error']}")
    value = first["input"]
    expected = dict.fromkeys(_expectation(detail) for detail in details)
    message = f"{name} must be {' or '.join(expected)}, but is {_described(value, secret)}"
    return Mismatch(path, message, _hint(first, value))


def _hint(detail: ErrorDetails, value: Any) -> str:
    if detail["type"] == "string_type" and isinstance(value, int | float):
        return "put it in quotes"
    if isinstance(value, str) and _UNQUOTED.fullmatch(value) and detail["type"] in _PLAIN_TYPES:
        return "write it without quotes"
    if detail["type"] in ("literal_error", "enum") and isinstance(value, str):
        return nearest(value, re.findall(r"'([^']*)'", detail["ctx"]["expected"]))[2:]
    if value is None:
        return "leave the key out, or give it a value"
    return ""


_Context = dict[str, Any]
_EXPECTATIONS: dict[str, str | Callable[[_Context], str]] = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "`true` or `false`",
    "bool_parsing": "`true` or `false`",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "literal_error": lambda context: _choices(context["expected"]),
    "enum": lambda context: _choices(context["expected"]),
    "greater_than": lambda context: f"greater than {context['gt']}",
    "greater_than_equal": lambda context: f"at least {context['ge']}",
    "less_than": lambda context: f"less than {context['lt']}",
    "less_than_equal": lambda context: f"at most {context['le']}",
    "string_too_short": lambda context: f"a text of at least {context['min_length']} characters",
    "string_too_long": lambda context: f"a text of at most {context['max_length']} characters",
    "string_pattern_mismatch": lambda context: f"a text that matches `{context['pattern']}`",
    "too_short": lambda context: f"at least {context['min_length']} long",
    "too_long": lambda context: f"at most {context['max_length']} long",
    "url_parsing": "a URL",
    "url_type": "a URL",
    "url_scheme": lambda context: f"a URL that begins with {context['expected_schemes']}",
}


def _expectation(detail: ErrorDetails) -> str:
    known = _EXPECTATIONS.get(detail["type"])
    if known is None:
        return re.sub(r"^Input should be (a valid )?", "", detail["msg"])
    return known if isinstance(known, str) else known(detail["ctx"])


def _choices(expected: str) -> str:
    """``'a', 'b' or 'c'`` in our quotes; the empty one, which means "not given", left out."""
    words = [word for word in re.findall(r"'([^']*)'", expected) if word]
    return "one of " + ", ".join(f"`{word}`" for word in words)


def _described(value: Any, secret: bool) -> str:
    """A value in few words, without its content where that is *secret*."""
    if value is None:
        return "empty"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    kind = "a text" if isinstance(value, str) else "a number"
    if isinstance(value, bool):
        kind = "a boolean"
    if secret:
        return kind
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if text == "":
        return "an empty text"
    if len(text) > _SHOWN or "\n" in text:
        text = text.splitlines()[0][:_SHOWN] + "…"
    return f"{kind.replace('a ', 'the ', 1)} `{text}`"
