"""Go's package ``regexp``: what matches, where, and what splitting and replacing make of it."""

from __future__ import annotations

from typing import Any

from tiphys.languages import CompileError, regexp


def judge(case: dict[str, Any]) -> str | None:
    question, expected = case["in"], case["go"]
    try:
        pattern = regexp.compile(question["re"])
    except CompileError as error:
        return None if "err" in expected else f"error: {error}"
    if "err" in expected:
        return f"compiles instead of the error {expected['err']}"
    answer = _answer(pattern, question["s"], question.get("repl", ""))
    wrong = {
        field: value
        for field, value in answer.items()
        if field in expected and (expected[field] or []) != (value or [])
    }
    return str(wrong) if wrong or (answer["groups"] is None) == ("groups" in expected) else None


def _answer(pattern: regexp.Regexp, text: str, replacement: str) -> dict[str, Any]:
    first = pattern.find(text)
    return {
        "match": pattern.search(text),
        "groups": [group or "" for group in first.groups] if first else None,
        "index": list(first.index) if first else None,
        "names": list(pattern.names),
        "all": [match.groups[0] for match in pattern.find_all(text)],
        "split": pattern.split(text),
        "replaced": pattern.replace_all(text, replacement),
    }
