"""
The path language of ``dest`` in parameters (sjson): set and delete values in JSON text.

Only the characters of the value change; blanks, number texts, the order of members, and equal
keys stay. A missing text is built from the path. All functions raise EvaluationError where the
path does not fit the text, and LimitExceeded for paths that are too deep or indexes far away.
"""

from __future__ import annotations

from typing import Any

from tiphys.languages.sjson._edit import edit
from tiphys.languages.sjson._source import source_of

__all__ = ["delete", "set_raw", "set_value"]


def set_value(text: str | None, path: str, value: Any) -> str:
    """
    *text* with *value* at *path*; None is a text that is not there yet.

    A str is set as a JSON string; other JSON data (None, bool, int, float, list, dict) as it is.
    """
    return edit(text or "", path, source_of(value))


def set_raw(text: str | None, path: str, raw: str) -> str:
    """*text* with the JSON source *raw*, whatever it is, at *path*."""
    return edit(text or "", path, raw)


def delete(text: str, path: str) -> str:
    """*text* without the value at *path*; unchanged when there is none."""
    return edit(text, path, None)
