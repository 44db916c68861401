"""JSON as Go's ``encoding/json`` writes and reads it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator

from tiphys.languages._errors import EvaluationError, LimitExceeded
from tiphys.languages.numbers import format_json
from tiphys.languages.template.limits import check_text
from tiphys.languages.template.text import runes
from tiphys.languages.template.values import Certificate, Value, go_type, type_name

__all__ = ["from_json", "lenient_from_json", "register_json", "to_json"]

_SPECIAL = re.compile('[\\\\"<>&\x00-\x1f\u2028\u2029\ud800-\udfff]')
_SPECIAL_RAW = re.compile('[\\\\"\x00-\x1f\u2028\u2029\ud800-\udfff]')
_ESCAPES = {
    "\\": "\\\\",
    '"': '\\"',
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
}
_MAX_DEPTH = 200  # of lists and maps inside one another; more would exhaust the stack
_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")
_TEXTS: dict[type, Callable[[Value], str]] = {}


def register_json(python_type: type, text: Callable[[Value], str]) -> None:
    """Values of *python_type* are a string in JSON, which *text* gives."""
    _TEXTS[python_type] = text


def to_json(value: Value, *, escape_html: bool = True, indent: str = "") -> str:
    """
    Write *value* as JSON text, the keys of maps sorted.

    Raises EvaluationError for what JSON cannot hold, LimitExceeded for what is too long or deep.
    """
    return _Writer(escape_html, indent).write(value)


class _Writer:
    def __init__(self, escape_html: bool, indent: str) -> None:
        self.special = _SPECIAL if escape_html else _SPECIAL_RAW
        self.indent = indent
        self.colon = ": " if indent else ":"
        self.parts: list[str] = []
        self.size = 0

    def write(self, value: Value) -> str:
        self.value(value, 0)
        return "".join(self.parts)

    def put(self, text: str) -> None:
        self.size += len(text)
        check_text(self.size)
        self.parts.append(text)

    def value(self, value: Value, depth: int) -> None:
        if isinstance(value, str):
            self.put(self.string(value))
        elif type(value) is float:
            self.put(format_json(value))
        elif isinstance(value, (dict, list)) and not go_type(value).nil:
            self.composite(value, depth)
        else:
            self.scalar(value, depth)

    def scalar(self, value: Value, depth: int) -> None:
        kind = go_type(value)
        if value is None or kind.nil:
            self.put("null")
        elif kind.basic == "bool":
            self.put("true" if value else "false")
        elif kind.basic in ("int", "uint"):
            self.put(str(int(value)))
        elif (text := _TEXTS.get(type(value))) is not None:
            self.put(self.string(text(value)))
        elif isinstance(value, Certificate):
            self.composite({"Cert": value.Cert, "Key": value.Key}, depth)
        elif kind.basic == "complex":
            raise EvaluationError(f"json: unsupported type: {type_name(value)}")
        else:
            self.put("{}")  # a struct without exported fields

    def composite(self, value: dict[str, Value] | list[Value], depth: int) -> None:
        if depth == _MAX_DEPTH:
            raise LimitExceeded(f"JSON nested more than {_MAX_DEPTH} levels deep")
        opening, closing = "{}" if isinstance(value, dict) else "[]"
        if not value:
            self.put(opening + closing)
            return
        inner = f"\n{self.indent * (depth + 1)}" if self.indent else ""
        separator = opening + inner
        for prefix, item in self.items(value):
            self.put(separator + prefix)
            self.value(item, depth + 1)
            separator = "," + inner
        self.put((f"\n{self.indent * depth}" if self.indent else "") + closing)

    def items(self, value: dict[str, Value] | list[Value]) -> Iterator[tuple[str, Value]]:
        if isinstance(value, dict):
            for key in sorted(value):
                yield self.string(key) + self.colon, value[key]
        else:
            for item in value:
                yield "", item

    def string(self, text: str) -> str:
        if self.special.search(text) is None:
            return f'"{text}"'
        return f'"{self.special.sub(_escaped, text)}"'


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    if "\ud800" <= character <= "\udfff":
        return "\\ufffd"
    return _ESCAPES.get(character) or f"\\u{ord(character):04x}"


def from_json(text: str) -> Value:
    """Read JSON; every number is a float. Raises EvaluationError."""
    value, problem = _read(text)
    if problem:
        raise EvaluationError(problem)
    return value


def lenient_from_json(text: str) -> Value:
    """Read JSON; None where it is broken, and for numbers that are too large."""
    return _read(text)[0]


def _read(text: str) -> tuple[Value, str]:
    reader = _Reader()
    try:
        value = reader.decode(runes(text))
    except (ValueError, RecursionError) as error:
        return None, f"invalid JSON: {error}"
    if _HALF_PAIR.search(text):
        value = _mended(value)
    return value, reader.problem


class _Reader:
    """Reads with Python's decoder, but for numbers and the constants that JSON does not have."""

    def __init__(self) -> None:
        self.problem = ""
        self.decode = json.JSONDecoder(
            parse_float=self.number, parse_int=self.number, parse_constant=self.constant
        ).decode

    def number(self, literal: str) -> float | None:
        value = float(literal)
        if math.isinf(value):
            self.problem = f"json: cannot unmarshal number {literal} into Go value of type float64"
            return None
        return value

    def constant(self, name: str) -> None:
        raise ValueError(f"invalid character {name[0]!r} looking for beginning of value")


def _mended(value: Value) -> Value:
    """*value* with the replacement character for halves of surrogate pairs."""
    if isinstance(value, str):
        return runes(value)
    if isinstance(value, list):
        return [_mended(item) for item in value]
    if isinstance(value, dict):
        return {runes(key): _mended(item) for key, item in value.items()}
    return value
