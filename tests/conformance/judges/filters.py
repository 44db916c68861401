"""Whole filters of a dependency."""

from __future__ import annotations

from typing import Any

from tests.conformance._engine import SCRIPTS, event_of, run
from tiphys.manifests.sensor import Dependency
from tiphys.sensors.filters import compile_filters


def judge(case: dict[str, Any]) -> str | None:
    """Does the event pass?"""
    question, answer = case["in"], case["go"]
    dependency = Dependency.model_validate(
        {
            "name": "dep",
            "filters": question.get("filters"),
            "filtersLogicalOperator": question.get("filtersLogicalOperator") or "",
        }
    )
    compiled = compile_filters(dependency)
    if compiled is None:
        return None if answer["pass"] else "passed: there are no filters"
    verdict = run(compiled.evaluate(event_of(question["event"]), SCRIPTS))
    if bool(verdict.error) != ("err" in answer):
        return f"error {verdict.error!r} instead of {answer.get('err')!r}"
    return None if verdict.passed == answer["pass"] else f"{verdict} instead of {answer}"
