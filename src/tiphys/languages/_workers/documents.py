"""JSON at the edge of the engines, read and written as Go's ``encoding/json`` does."""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

import orjson

from tiphys.languages._errors import EvaluationError
from tiphys.languages.numbers import format_json

__all__ = ["read", "read_exact", "read_object", "replace_bad_bytes", "write"]

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_BAD_BYTE = re.compile("[\udc80-\udcff]")
_KINDS: Final = {str: "string", int: "number", float: "number", bool: "bool", list: "array"}
_ESCAPES: Final = {
    b"<": b"\\u003c",
    b">": b"\\u003e",
    b"&": b"\\u0026",
    "\u2028".encode(): b"\\u2028",
    "\u2029".encode(): b"\\u2029",
}
_SAFE_INTEGER: Final = 1 << 53  # above it a float64 skips integers


def read(data: bytes) -> Any:
    """
    Decode *data*.

    Numbers go through a float64; whole ones come back as integers as far as floats hold every
    integer.  Bytes that are no UTF-8 become U+FFFD, and of equal keys the last wins.  Raises
    EvaluationError for what is not JSON, or holds a number beyond a float64.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = _BAD_BYTE.sub("�", data.decode("utf-8", "surrogateescape"))
    return _decoded(_DECODER, text)


def read_object(data: bytes) -> dict[str, Any] | None:
    """Decode an object or null as :func:`read` does; raises EvaluationError for anything else."""
    value = read(data)
    if value is not None and not isinstance(value, dict):
        raise EvaluationError(f"data must be a JSON object, not {_KINDS[type(value)]}")
    return value


def read_exact(text: str) -> Any:
    """Decode what an engine printed; integers of any size keep their digits."""
    return _decoded(_EXACT_DECODER, text)


def write(value: Any) -> bytes:
    """Encode what :func:`read_exact` returned: sorted keys, ``<`` ``>`` ``&`` escaped."""
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    for character, escape in _ESCAPES.items():
        if character in text:
            text = text.replace(character, escape)
    return text


def replace_bad_bytes(text: bytes) -> bytes:
    """*text* with U+FFFD for every byte that is no UTF-8."""
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return _BAD_BYTE.sub("�", text.decode("utf-8", "surrogateescape")).encode("utf-8")
    return text


def _decoded(decoder: json.JSONDecoder, text: str) -> Any:
    try:
        value = decoder.decode(text)
    except json.JSONDecodeError as error:
        raise EvaluationError(f"data is not JSON: {error}") from None
    except RecursionError:
        raise EvaluationError("data is nested too deeply") from None
    return _without_surrogates(value) if "\\u" in text else value


def _integer(text: str) -> int | float:
    return int(text) if len(text) < 16 and text != "-0" else _number(text)


def _number(text: str) -> int | float:
    value = float(text)
    if math.isinf(value):
        raise EvaluationError(f"json: cannot unmarshal number {text[:40]} into a float64")
    if value.is_integer() and abs(value) < _SAFE_INTEGER and (value or text[0] != "-"):
        return int(value)
    return value


def _exact_integer(text: str) -> int | orjson.Fragment:
    return int(text) if len(text) < 19 and text != "-0" else orjson.Fragment(text)


def _exact_number(text: str) -> int | float | orjson.Fragment:
    value = float(text)
    if value.is_integer() and abs(value) < _SAFE_INTEGER:
        return int(value)
    return orjson.Fragment(format_json(value)) if "e" in repr(value) else value


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


_DECODER = json.JSONDecoder(
    parse_float=_number, parse_int=_integer, parse_constant=_no_number, strict=True
)
_EXACT_DECODER = json.JSONDecoder(
    parse_float=_exact_number, parse_int=_exact_integer, parse_constant=_no_number, strict=False
)
