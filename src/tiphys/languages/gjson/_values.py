"""From JSON text to Python data, also where the text is broken."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from tiphys.languages import numbers
from tiphys.languages._errors import EvaluationError, LimitExceeded
from tiphys.languages.gjson._budget import Budget
from tiphys.languages.gjson._scan import elements, skip_blanks
from tiphys.languages.gjson._strings import loose_text

__all__ = ["decode", "first_wins", "number"]

_JSON_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


def number(text: str) -> float:
    """The float that *text* spells: 0 where it is no number, an infinity where it is too large."""
    if _JSON_NUMBER.fullmatch(text):
        return float(text)
    try:
        return numbers.parse_float(text)
    except EvaluationError as error:
        if "out of range" in str(error):
            return -math.inf if text.startswith("-") else math.inf
        return 0.0


def decode(raw: str) -> Any:
    """
    The value of an array or object: every number a float, of equal keys the first.

    Never fails on broken text; raises LimitExceeded on text nested too deeply.
    """
    if "\\ud" not in raw and "\\uD" not in raw:  # halves of surrogate pairs become U+FFFD below
        try:
            value, end = _decode_valid(raw, 0)
        except (ValueError, RecursionError):
            pass
        else:
            if end == len(raw):
                return value
    try:
        return _decode_leniently(raw, Budget())
    except RecursionError:
        raise LimitExceeded("document is nested too deeply") from None


def first_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The dict of *pairs* in which of equal keys the first has its value."""
    result = dict(pairs)
    if len(result) < len(pairs):
        for key, value in reversed(pairs):
            result[key] = value
    return result


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


_decode_valid = json.JSONDecoder(
    object_pairs_hook=first_wins, parse_int=float, parse_constant=_refuse
).raw_decode


def _decode_leniently(raw: str, budget: Budget) -> Any:
    budget.enter()
    values = [_token(raw[begin:end], budget) for begin, end in elements(raw)]
    budget.leave()
    kind = raw[skip_blanks(raw, 0) :][:1]
    if kind == "[":
        return values
    if kind == "{":
        names = (value if isinstance(value, str) else "" for value in values[::2])
        return first_wins(list(zip(names, values[1::2], strict=False)))
    return None


def _token(raw: str, budget: Budget) -> Any:
    first = raw[0]
    if first == '"':
        return loose_text(raw)
    if first in "{[":
        return _decode_leniently(raw, budget)
    if first in "tfn":
        return {"t": True, "f": False}.get(first)
    return number(raw)
