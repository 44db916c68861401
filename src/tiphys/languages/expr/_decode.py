"""Reads JSON as Go's ``encoding/json`` does into generic values: every number a float."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from tiphys.languages._errors import LimitExceeded
from tiphys.languages.expr._faults import Fault

__all__ = ["decode"]

_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_BLANKS = " \t\n\r"


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"invalid character {word[0]!r} looking for beginning of value")


def _number(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"cannot unmarshal number {text} into Go value of type float64")
    return value


_decoder = json.JSONDecoder(parse_int=_number, parse_float=_number, parse_constant=_refuse)


def decode(source: str | bytes) -> Any:
    """
    Read JSON text; bytes that are no UTF-8 become replacement characters.

    Raises Fault for what is no JSON, and LimitExceeded for what is nested too deeply.
    """
    text = source.decode("utf-8", "surrogateescape") if isinstance(source, bytes) else source
    text = text.strip(_BLANKS)
    if not text.isascii():
        text = _SURROGATE.sub("\ufffd", text)
    try:
        value, end = _decoder.raw_decode(text)
    except ValueError as error:
        raise Fault(str(error)) from None
    except RecursionError:
        raise LimitExceeded("JSON is nested too deeply") from None
    if end != len(text):
        raise Fault(f"invalid character {text[end]!r} after top-level value")
    return _without_surrogates(value) if _ESCAPED_SURROGATE.search(text) else value


def _without_surrogates(value: Any) -> Any:
    """Replace halves of surrogate pairs, which no text of Go can hold."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_without_surrogates(element) for element in value]
    if isinstance(value, dict):
        return {_without_surrogates(k): _without_surrogates(v) for k, v in value.items()}
    return value
