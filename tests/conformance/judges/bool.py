"""``strconv.ParseBool``."""

from __future__ import annotations

from typing import Any

from tiphys.languages import EvaluationError, numbers


def judge(case: dict[str, Any]) -> str | None:
    expected = case["go"]
    try:
        value = numbers.parse_bool(case["in"]["s"])
    except EvaluationError as error:
        return None if "err" in expected else f"error: {error}"
    if "err" in expected:
        return f"{value} instead of the error {expected['err']}"
    return None if value is expected["bool"] else str(value)
