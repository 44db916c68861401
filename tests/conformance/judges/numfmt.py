"""The three ways in which Go prints a float64."""

from __future__ import annotations

from typing import Any

from tiphys.languages import numbers


def judge(case: dict[str, Any]) -> str | None:
    value = numbers.parse_float(case["in"]["s"])
    printed = {
        "v": numbers.format_g(value),
        "json": numbers.format_json(value),
        "g": numbers.format_plain(value),
    }
    return None if printed == case["go"] else str(printed)
