"""Strategies: JSON data, and texts of it with blanks and escapes as nobody would write them."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

__all__ = ["documents", "escaped", "floats", "json_texts", "unhurried", "values"]

unhurried = settings(deadline=None)
"""For tests with given(): a busy machine is no failure."""

_SMALL_KEYS = ["a", "b", "name", "x.y", "0", "1", "*", "?", "#", "@this", "{", "é", 'q"', "\\", "|"]
_KEYS = st.sampled_from(_SMALL_KEYS) | st.text(min_size=1, max_size=4)
_FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=32)
_SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | _FLOATS | st.text(max_size=6)


def _containers(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(children, max_size=4) | st.dictionaries(_KEYS, children, max_size=4)


values: st.SearchStrategy[Any] = st.recursive(_SCALARS, _containers, max_leaves=20)
"""JSON data."""

documents: st.SearchStrategy[Any] = _containers(values)
"""JSON data that is a list or a dict."""


@st.composite
def json_texts(draw: st.DrawFn, value: Any) -> str:
    """A JSON text of *value*."""
    blanks = draw(st.sampled_from(["", " ", "\n\t ", "\r\n"]))
    layout = draw(st.sampled_from([None, 0, 2]))
    text = json.dumps(
        value,
        ensure_ascii=draw(st.booleans()),
        indent=layout,
        separators=(f"{blanks},{blanks}" if layout is None else ",", f"{blanks}:{blanks}"),
    )
    return f"{blanks}{text}{blanks}"


def escaped(key: str) -> str:
    """*key* as a component of a path, with an escape before all that could mean something."""
    return "".join(c if c.isalnum() or c in "_- " else f"\\{c}" for c in key)


def floats(value: Any) -> Any:
    """*value* as gjson gives it: every number a float."""
    if isinstance(value, dict):
        return {key: floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [floats(item) for item in value]
    return float(value) if type(value) is int else value
