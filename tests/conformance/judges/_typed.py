"""Comparison of a value with a Go value that is told as type, ``%v`` text and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tiphys.languages.expr._values import AnyMap, is_nil
from tiphys.languages.template.moments import Time
from tiphys.languages.template.printing import display
from tiphys.languages.template.text import mended, runes
from tiphys.languages.template.time_format import json_text


def difference(value: Any, wanted: dict[str, Any]) -> str | None:
    """None if *value* is the one that *wanted* tells, else what it is."""
    if "json" in wanted:
        same = _normal(value) == _normal(json.loads(wanted["json"]))
    else:
        same = _mended(display(value)) == wanted["text"]
    return None if same else f"{type(value).__name__} {value!r}"


def _normal(value: Any) -> Any:
    """A form in which numbers are equal by value, and booleans differ from them."""
    if is_nil(value) and not isinstance(value, AnyMap):
        return "null"
    if isinstance(value, bool):
        return repr(value)
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, list):
        return [_normal(element) for element in value]
    if isinstance(value, Mapping):
        return {_mended(str(key)): _normal(member) for key, member in value.items()}
    if isinstance(value, Time):
        return json_text(value)
    return _mended(str(value))


def _mended(text: str) -> str:
    """What JSON makes of a text with odd bytes."""
    return runes(mended(text))
