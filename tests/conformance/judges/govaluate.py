"""Expressions of ``exprs`` filters and of conditions: their value and their names."""

from __future__ import annotations

import json
import math
from typing import Any

from tiphys.languages import CompileError, EvaluationError, govaluate
from tiphys.languages.govaluate._values import text_of


def judge(case: dict[str, Any]) -> str | None:
    question, expected = case["in"], case["go"]
    try:
        expression = govaluate.compile(question["expr"], dashes=question.get("dashes", False))
        if list(expression.names) != (expected.get("vars") or []):
            return f"names {expression.names}"
        value = expression.evaluate(_parameters(question))
    except (CompileError, EvaluationError) as error:
        return None if "err" in expected else f"error: {error}"
    if "err" in expected:
        return f"{value!r} instead of the error {expected['err']}"
    return _compare(value, expected["value"])


def _parameters(question: dict[str, Any]) -> dict[str, Any]:
    parameters = {name: _floats(value) for name, value in question.get("params", {}).items()}
    return parameters | dict.fromkeys(question.get("bools", ()), True)


def _floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _floats(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_floats(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _compare(value: Any, expected: dict[str, Any]) -> str | None:
    if "json" not in expected or (isinstance(value, float) and not math.isfinite(value)):
        return None if text_of(value) == expected["text"] else text_of(value)
    same = _strict(value) == _strict(_floats(json.loads(expected["json"])))
    return None if same else repr(value)


def _strict(value: Any) -> str:
    """A text that differs where types differ: True is not 1.0."""
    return json.dumps(value, sort_keys=True)
