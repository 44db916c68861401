"""``time.Parse`` with a layout; answers are compared as RFC 3339."""

from __future__ import annotations

from typing import Any

from tiphys.languages import EvaluationError, layouts


def judge(case: dict[str, Any]) -> str | None:
    expected = case["go"]
    try:
        moment = layouts.parse(case["in"]["layout"], case["in"]["s"])
    except EvaluationError as error:
        return None if str(error) == expected.get("err") else f"error: {error}"
    return None if moment.rfc3339() == expected.get("out") else moment.rfc3339()
