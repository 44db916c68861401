"""YAML 1.1 to JSON, as the tools around Kubernetes read YAML (``ghodss/yaml`` on ``yaml.v2``)."""

from __future__ import annotations

import base64
import binascii
import io
import json
import math
import re
from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from tiphys.languages._errors import EvaluationError, LimitExceeded
from tiphys.languages.numbers import format_g, format_json

MAX_DEPTH = 500
MAX_NODES = 1_000_000  # aliases of aliases grow exponentially

_TRUE = frozenset(["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"])
_FALSE = frozenset(["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"])
_NULL = frozenset(["", "~", "null", "Null", "NULL"])
_INTEGER = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|[1-9][0-9]*|0)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_TAG = "tag:yaml.org,2002:"


def convert(text: bytes) -> str:
    """
    The first document of *text* as compact JSON: keys sorted, of equal keys the last.

    Dates stay texts, and keys become texts the way Go prints them.  Raises
    :exc:`EvaluationError` for text that is not YAML or has no JSON form.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.version = (1, 1)
    try:
        return _Reader(yaml.parse(io.BytesIO(text))).document()
    except (YAMLError, UnicodeError) as error:
        raise EvaluationError(f"yaml: {' '.join(str(error).split())}") from error


class _Reader:
    """Builds the JSON text of one document from parser events."""

    def __init__(self, events: Iterator[Event]) -> None:
        self._events = events
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._nodes = 0

    def document(self) -> str:
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                return _json(self._node(next(self._events), 0))
        return "null"

    def _node(self, event: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise LimitExceeded(f"yaml: nested deeper than {MAX_DEPTH}")
        before = self._nodes
        self._count(1)
        if isinstance(event, AliasEvent):
            if event.anchor not in self._anchors:
                raise EvaluationError(f"yaml: unknown anchor {event.anchor!r} referenced")
            value, size = self._anchors[event.anchor]
            self._count(size)
            return value
        if isinstance(event, MappingStartEvent):
            value = self._mapping(depth)
        elif isinstance(event, SequenceStartEvent):
            value = self._sequence(depth)
        else:
            value = scalar(event)
        if event.anchor:
            self._anchors[event.anchor] = (value, self._nodes - before)
        return value

    def _count(self, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise LimitExceeded(f"yaml: more than {MAX_NODES} values")

    def _sequence(self, depth: int) -> list[Any]:
        items = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return items

    def _mapping(self, depth: int) -> dict[str, Any]:
        members: dict[str, Any] = {}
        while not isinstance(event := next(self._events), MappingEndEvent):
            merge = isinstance(event, ScalarEvent) and event.implicit[0] and event.value == "<<"
            key = None if merge else key_text(self._node(event, depth + 1))
            value = self._node(next(self._events), depth + 1)
            if key is not None:
                members[key] = value
                continue
            for merged in reversed(value) if isinstance(value, list) else [value]:
                if not isinstance(merged, dict):
                    raise EvaluationError("yaml: map merge requires map or sequence of maps")
                members.update(merged)
        return members


def scalar(event: ScalarEvent) -> Any:
    """The value of a scalar event, by its tag or, if plain, by its text."""
    text: str = event.value
    tag = (str(event.tag) if event.tag else "").removeprefix(_TAG)
    if not tag or tag == "!":
        plain = event.implicit[0] and tag != "!"
        return _resolve(text) if plain else text
    if tag == "str":
        return text
    if tag == "binary":
        try:
            return base64.b64decode(text, validate=False).decode("utf-8", "replace")
        except binascii.Error as error:
            raise EvaluationError("yaml: !!binary value contains invalid base64 data") from error
    value = _resolve(text)
    kinds: dict[str, type | tuple[type, ...]] = {
        "int": int,
        "float": (float, int),
        "bool": bool,
        "null": type(None),
    }
    if tag in kinds and not isinstance(value, kinds[tag]):
        raise EvaluationError(f"yaml: cannot decode !!str `{text}` as a !!{tag}")
    return value if tag in kinds else text


def _resolve(text: str) -> Any:
    """What a plain scalar stands for."""
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    special = text.lower() if text[:1] in "+-." else ""
    if special in (".inf", "+.inf", "-.inf") and text.lstrip("+-") in (".inf", ".Inf", ".INF"):
        return -math.inf if text[0] == "-" else math.inf
    if text in (".nan", ".NaN", ".NAN"):
        return math.nan
    digits = text.replace("_", "")
    if text[:1] in "0123456789+-." and _INTEGER.fullmatch(digits):
        number = _integer(digits)
        if -(2**63) <= number < 2**64:
            return number
    if text[:1] in "0123456789+-." and _FLOAT.fullmatch(digits):
        number_text = float(digits)
        return text if math.isinf(number_text) else number_text
    return text


def _integer(digits: str) -> int:
    sign = -1 if digits[0] == "-" else 1
    body = digits.lstrip("+-").lower()
    if len(body) > 1 and body[0] == "0" and body[1] not in "xbo":
        return sign * int(body, 8)
    return sign * int(body, 0)


def key_text(value: Any) -> str:
    """A mapping's key as text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        special = {"+Inf": ".inf", "-Inf": "-.inf", "NaN": ".nan"}
        text = format_g(value)
        return special.get(text, text)
    raise EvaluationError(f"Unsupported map key of type: {type(value).__name__}")


def _json(value: Any) -> str:
    """Compact JSON with sorted keys and Go's number text."""
    if isinstance(value, dict):
        members = (
            f"{json.dumps(k, ensure_ascii=False)}:{_json(v)}" for k, v in sorted(value.items())
        )
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_json, value)) + "]"
    if isinstance(value, float):
        if math.isnan(value) or math.isinf(value):
            raise EvaluationError(f"json: unsupported value: {format_g(value)}")
        return format_json(value)
    return json.dumps(value, ensure_ascii=False)
