"""The filters of event sources: does an event pass."""

from __future__ import annotations

from typing import Any

from tiphys.languages import LanguageError
from tiphys.languages.expr import source_filter


def judge(case: dict[str, Any]) -> str | None:
    """Filter the bytes of the case."""
    question, wanted = case["in"], case["go"]
    data = question["data"].encode("utf-8", "surrogateescape")
    try:
        passes = source_filter.compile(question["expression"]).passes(data)
    except LanguageError as error:
        return None if "err" in wanted else f"{type(error).__name__}: {error}"
    if "err" in wanted:
        return f"no error, but {passes}"
    return None if passes is wanted["pass"] else f"passes: {passes}"
