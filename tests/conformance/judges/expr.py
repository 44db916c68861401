"""Expr: plain, with the functions of event source filters, and for conditions."""

from __future__ import annotations

from typing import Any

from tests.conformance.judges._typed import difference
from tiphys.languages import LanguageError, expr
from tiphys.languages.expr import source_filter


def judge(case: dict[str, Any]) -> str | None:
    """Evaluate the expression in the way that the case's mode tells."""
    question, wanted = case["in"], case["go"]
    try:
        value = _evaluate(question["expr"], _floats(question["env"]), question.get("mode", ""))
    except LanguageError as error:
        return None if "err" in wanted else f"{type(error).__name__}: {error}"
    if "err" in wanted:
        return f"no error, but {value!r}"
    return difference(value, wanted["value"])


def _evaluate(expression: str, environment: dict[str, Any], mode: str) -> Any:
    if mode == "compile":
        return expr.compile(expression, variables=environment).evaluate(environment)
    if mode == "filter":
        return source_filter.compile(expression).passes(environment)
    if mode == "argo":
        compiled = expr.compile(expression, source_filter.functions())
        return compiled.evaluate(source_filter.expand(environment))
    return expr.compile(expression).evaluate(environment)


def _floats(value: Any) -> Any:
    """Numbers as JSON decodes them in the original."""
    if type(value) is int:
        return float(value)
    if isinstance(value, list):
        return [_floats(element) for element in value]
    if isinstance(value, dict):
        return {key: _floats(member) for key, member in value.items()}
    return value
