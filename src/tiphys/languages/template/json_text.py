"""JSON as Go's ``encoding/json`` writes and reads it."""

from __future__ import annotations

import json
import math
import re
from typing import NoReturn

from tiphys.languages._errors import EvaluationError
from tiphys.languages.numbers import format_json
from tiphys.languages.template.limits import check_text
from tiphys.languages.template.moments import Time
from tiphys.languages.template.time_format import json_text
from tiphys.languages.template.text import decode, runes
from tiphys.languages.template.values import (
    Bytes,
    Certificate,
    Missing,
    Value,
    go_type,
    type_name,
)

__all__ = ["from_json", "lenient_from_json", "to_json"]

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
_MAX_DEPTH = 500  # of lists and maps inside one another; Go's limit is 10000
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def to_json(value: Value, *, escape_html: bool = True, indent: str = "") -> str:
    """
    Write *value* as JSON text, the keys of maps sorted.

    Raises EvaluationError for what JSON cannot hold, LimitExceeded for what is too long.
    """
    return "".join(_Writer(escape_html, indent).write(value))


class _Writer:
    def __init__(self, escape_html: bool, indent: str) -> None:
        self.special = _SPECIAL if escape_html else _SPECIAL_RAW
        self.indent = indent
        self.separator = ": " if indent else ":"
        self.parts: list[str] = []
        self.size = 0

    def write(self, value: Value) -> list[str]:
        self.value(value, 0)
        return self.parts

    def put(self, text: str) -> None:
        self.size += len(text)
        check_text(self.size)
        self.parts.append(text)

    def value(self, value: Value, depth: int) -> None:
        kind = go_type(value)
        if value is None or kind.nil:
            self.put("null")
        elif kind.basic == "string":
            self.put(self.string(value))
        elif kind.basic == "bool":
            self.put("true" if value else "false")
        elif kind.basic == "float":
            self.put(format_json(value))
        elif kind.basic in ("int", "uint"):
            self.put(str(int(value)))
        elif isinstance(value, Bytes):
            raise EvaluationError("json: bytes cannot come from a template")
        elif depth > _MAX_DEPTH:
            raise EvaluationError("json: unsupported value: encountered a cycle")
        else:
            self.composite(value, depth)
