"""The JSON source of a value, as Go's ``encoding/json`` and sjson print it."""

from __future__ import annotations

import re
from typing import Any

from tiphys.languages._errors import EvaluationError, LimitExceeded
from tiphys.languages.gjson._budget import Budget
from tiphys.languages.gjson._strings import quote
from tiphys.languages.numbers import format_json, format_plain

__all__ = ["source_of", "string_source"]

_NEEDS_ESCAPES = re.compile(r'[^\x20-\x7f]|["\\]')


def string_source(text: str) -> str:
    """*text* as a JSON string; ``<``, ``>``, and ``&`` are escaped only along with others."""
    return quote(text) if _NEEDS_ESCAPES.search(text) else f'"{text}"'


def source_of(value: Any) -> str:
    """
    *value*, which is JSON data, as sjson sets it.

    Raises EvaluationError for what is no JSON data, infinities inside lists and dicts included,
    and LimitExceeded for data nested too deeply.
    """
    if isinstance(value, str):
        return string_source(value)
    if isinstance(value, float):
        return format_plain(value)
    try:
        return _marshalled(value, Budget())
    except RecursionError:
        raise LimitExceeded("value is nested too deeply") from None


def _marshalled(value: Any, budget: Budget) -> str:
    if isinstance(value, str):
        return quote(value)
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return format_json(value)
    budget.enter()
    if isinstance(value, list):
        source = f"[{','.join(_marshalled(item, budget) for item in value)}]"
    elif isinstance(value, dict):
        members = sorted((str(key), item) for key, item in value.items())
        pairs = (f"{quote(key)}:{_marshalled(item, budget)}" for key, item in members)
        source = f"{{{','.join(pairs)}}}"
    else:
        raise EvaluationError(f"a {type(value).__name__} has no JSON form")
    budget.leave()
    return source
