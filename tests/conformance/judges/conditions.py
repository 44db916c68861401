"""Conditions of triggers: which dependencies they need, and when they hold and fire."""

from __future__ import annotations

from typing import Any

from tiphys.languages import CompileError
from tiphys.manifests.conditions import Condition, parse


def judge(case: dict[str, Any]) -> str | None:
    """Parse the condition and compare its names, its truth and what a sequence fires."""
    question, expected = case["in"], case["go"]
    names = [dependency["name"] for dependency in question["dependencies"]]
    try:
        condition = parse(question.get("conditions", ""), names)
    except CompileError as error:
        return None if "err" in expected else f"unexpected error: {error}"
    if "err" in expected:
        return f"no error but {condition}"
    answer = {
        "and": condition.needs_state,
        "expression": condition.expression,
        "vars": list(condition.names),
        "sets": [condition.holds(present) for present in question["sets"]],
        "fires": list(_fires(condition, question["sequence"])),
    }
    wrong = {key: value for key, value in answer.items() if value != expected[key]}
    return str(wrong) if wrong else None


def _fires(condition: Condition, sequence: list[str]) -> list[Any]:
    """What each arrival sets in motion when a trigger forgets everything after it fired."""
    held: set[str] = set()
    fired: list[Any] = []
    for name in sequence:
        if name not in condition.names:
            fired.append("ignored")
            continue
        held.add(name)
        if condition.holds(held):
            fired.append(sorted(held))
            held.clear()
        else:
            fired.append(None)
    return fired
