"""Lua scripts: the last value returned, as a filter sees it and as a transformation does."""

from __future__ import annotations

import json
from typing import Any

from tests.conformance.judges._scripts import pool, run
from tiphys.languages import LanguageError, lua


def judge(case: dict[str, Any]) -> str | None:
    question, answer = case["in"], case["go"]
    data = json.dumps(question["event"]).encode()
    try:
        script = lua.compile(question["script"])
        passes = run(script.filter(pool(), data))
    except LanguageError as error:
        return None if "err" in answer else f"error: {error}"
    if "err" in answer:
        return "no error"
    if passes is not answer["filter"]:
        return f"filter is {passes}"
    try:
        value = run(script.value(pool(), data))
    except LanguageError as error:
        return None if "transform_err" in answer else f"error: {error}"
    if value.type != answer["type"]:
        return f"type is {value.type}"
    if value.type == "table":
        return _judge_table(value.text, answer)
    if "text" in answer and value.text != answer["text"]:
        return f"text is {value.text}"
    return None


def _judge_table(text: str, answer: dict[str, Any]) -> str | None:
    if "transform_err" in answer:
        return f"table is {text}"
    return None if json.loads(text) == json.loads(answer["transform"]) else f"table is {text}"
