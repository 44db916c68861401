"""Templates: the text, or that there is none."""

from __future__ import annotations

import json
from typing import Any

from tiphys.languages import LanguageError, template


def judge(case: dict[str, Any]) -> str | None:
    question, answer = case["in"], case["go"]
    if "string" in question:
        value = question["string"]
    else:
        value = json.loads(question["json"], parse_int=float)
    try:
        compiled = template.compile(question["tmpl"], allow_environment=True)
        out = compiled.render(value)
    except LanguageError as error:
        return None if "err" in answer else f"error: {error}"
    if "err" in answer:
        return f"no error but {out!r}"
    return None if out == answer["out"] else f"{out!r} instead of {answer['out']!r}"
