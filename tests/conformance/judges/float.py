"""``strconv.ParseFloat`` and the text of what it returns."""

from __future__ import annotations

from typing import Any

from tiphys.languages import EvaluationError, numbers


def judge(case: dict[str, Any]) -> str | None:
    expected = case["go"]
    try:
        value = numbers.parse_float(case["in"]["s"])
    except EvaluationError as error:
        return None if "err" in expected else f"error: {error}"
    text = numbers.format_g(value)
    if "err" in expected:
        return f"{text} instead of the error {expected['err']}"
    return None if text == expected["v"] else text
