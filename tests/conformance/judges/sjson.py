"""Setting and deleting values in JSON text: the whole new text."""

from __future__ import annotations

from typing import Any

from tiphys.languages import EvaluationError, sjson


def judge(case: dict[str, Any]) -> str | None:
    expected = case["go"]
    try:
        out = _edited(case["in"])
    except EvaluationError as error:
        return None if "err" in expected else f"error: {error}"
    if "err" in expected:
        return f"{out!r} instead of the error {expected['err']}"
    return None if out == expected["out"] else repr(out)


def _edited(question: dict[str, Any]) -> str:
    text, path = question["json"], question["path"]
    if question["op"] == "delete":
        return sjson.delete(text or "", path)
    if question["op"] == "setraw":
        return sjson.set_raw(text, path, question["raw"])
    return sjson.set_value(text, path, _as_float64(question["value"]))


def _as_float64(value: Any) -> Any:
    """*value* as the original got it, which knew no integers."""
    return float(value) if type(value) is int else value
