"""``time.ParseDuration`` and ``Duration.String``."""

from __future__ import annotations

from typing import Any

from tiphys.languages import EvaluationError, durations


def judge(case: dict[str, Any]) -> str | None:
    expected = case["go"]
    try:
        nanoseconds = durations.parse(case["in"]["s"])
    except EvaluationError as error:
        return None if str(error) == expected.get("err") else f"error: {error}"
    answer = {"ns": str(nanoseconds), "string": durations.format(nanoseconds)}
    return None if answer == expected else str(answer)
