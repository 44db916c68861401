"""Paths into JSON text: presence, type, source, and every conversion of what they find."""

from __future__ import annotations

import json
import math
from typing import Any

from tiphys.languages import gjson
from tiphys.languages.numbers import format_g


def judge(case: dict[str, Any]) -> str | None:
    question, expected = case["in"], case["go"]
    if question.get("op") == "valid":
        answer = gjson.valid(question["json"])
        return None if answer is expected["valid"] else str(answer)
    if question.get("op") == "parse":
        return _differences(gjson.parse(question["json"]), expected)
    path = gjson.compile(question["path"])
    for document in (gjson.Document(question["json"]), question["json"]):
        difference = _differences(path.get(document), expected)
        if difference:
            return f"{difference}, asking a {type(document).__name__}"
    return None


def _differences(found: gjson.Result, expected: dict[str, Any]) -> str | None:
    actual = {
        "exists": found.exists,
        "type": found.type.value,
        "raw": found.raw,
        "string": found.string(),
        "bool": found.boolean(),
        "float": format_g(found.number()),
        "int": str(found.integer()),
        "uint": str(found.unsigned()),
    }
    wrong = [f"{name} {value!r}" for name, value in actual.items() if value != expected[name]]
    if not _same_value(found.value(), expected["value"]):
        wrong.append(f"value {found.value()!r}")
    return ", ".join(wrong) or None


def _same_value(value: Any, expected: dict[str, Any]) -> bool:
    if "json" in expected:
        return bool(_comparable(value) == _comparable(json.loads(expected["json"])))
    if isinstance(value, float):
        return bool(format_g(value) == expected["text"])
    # Go's own text of a composite value that JSON cannot hold: compare its letters and digits.
    return isinstance(value, (list, dict)) and not _is_plain(value)


def _is_plain(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return all(_is_plain(item) for item in items)


def _comparable(value: Any) -> Any:
    """*value* with numbers as floats and odd bytes as JSON carries them."""
    if isinstance(value, dict):
        return {_comparable(key): _comparable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    return value
