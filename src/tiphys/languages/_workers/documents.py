"""JSON at the edge of the engines, read and written as Go's ``encoding/json`` does."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from tiphys.languages._errors import EvaluationError
from tiphys.languages.numbers import format_json

__all__ = ["read", "read_object", "replace_bad_bytes", "write"]

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_BAD_BYTE = re.compile("[\udc80-\udcff]")
_KINDS = {str: "string", float: "number", bool: "bool", list: "array"}
_AFTERWARDS = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_SAFE_INTEGER = 1 << 53


def read(data: bytes) -> Any:
    """
    Decode *data*: numbers are floats, bytes that are no UTF-8 become U+FFFD, the last key wins.

    Raises EvaluationError for what is not JSON or holds a number beyond a float64.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = _BAD_BYTE.sub("�", data.decode("utf-8", "surrogateescape"))
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise EvaluationError(f"data is not JSON: {error}") from None
    except RecursionError:
        raise EvaluationError("data is nested too deeply") from None
    return _without_surrogates(value) if "\\u" in text or "\\U" in text else value


def read_object(data: bytes) -> dict[str, Any] | None:
    """Decode an object or null; raises EvaluationError for anything else."""
    value = read(data)
    if value is not None and not isinstance(value, dict):
        raise EvaluationError(f"data must be a JSON object, not {_KINDS[type(value)]}")
    return value


def write(value: Any) -> bytes:
    """
    Encode *value*: sorted keys, no blanks, ``<`` ``>`` ``&`` escaped, numbers as Go prints them.

    Integers keep all their digits.  Raises EvaluationError for infinities and NaN.
    """
    text = _ENCODER.encode(_plain(value))
    for character, escape in _AFTERWARDS.items():
        if character in text:
            text = text.replace(character, escape)
    return text.encode("utf-8")


def replace_bad_bytes(text: bytes) -> bytes:
    """*text* with U+FFFD for every byte that is no UTF-8."""
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return _BAD_BYTE.sub("�", text.decode("utf-8", "surrogateescape")).encode("utf-8")
    return text


class _Number(float):
    """A number that already knows its text."""

    __slots__ = ()

    def __repr__(self) -> str:
        return format_json(float(self))


def _number(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise EvaluationError(f"json: cannot unmarshal number {text[:40]} into float64")
    return value


def _no_number(text: str) -> float:
    raise EvaluationError(f"data is not JSON: {text} is no number")


def _without_surrogates(value: Any) -> Any:
    """Escapes of half a character are U+FFFD; whole pairs have been joined already."""
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("�", value)
    if isinstance(value, dict):
        return {_LONE_SURROGATE.sub("�", k): _without_surrogates(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    return value


def _plain(value: Any) -> Any:
    return value


_DECODER = json.JSONDecoder(
    parse_float=_number, parse_int=_number, parse_constant=_no_number, strict=True
)
_ENCODER = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
)
