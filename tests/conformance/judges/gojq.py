"""jq programs: all their outputs, up to a hundred."""

from __future__ import annotations

import json
from typing import Any

from tests.conformance.judges._scripts import pool, run
from tiphys.languages import LanguageError, jq


def judge(case: dict[str, Any]) -> str | None:
    question, answer = case["in"], case["go"]
    try:
        program = jq.compile(question["q"])
        outputs = run(program.outputs(pool(), question["json"].encode()))
    except LanguageError as error:
        return None if "err" in answer or _unprintable(answer) else f"error: {error}"
    if "err" in answer:
        return f"outputs are {outputs}"
    if [json.loads(text) for text in outputs] == [json.loads(text) for text in answer["outs"]]:
        return None
    return f"outputs are {outputs}"


def _unprintable(answer: dict[str, Any]) -> bool:
    """Whether ``encoding/json``, which prints transformed events, refuses an output."""
    return any(text.startswith("ERR ") for text in answer["encoding_json"])
