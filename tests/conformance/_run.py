"""Judges data files through the public functions that the engine uses."""

from __future__ import annotations

import base64
import dataclasses
import importlib
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Case = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What came of one case; *failure* is None when the case passed."""

    line: int
    case: Case
    failure: str | None


def run_file(path: Path) -> Iterator[Verdict]:
    """
    Judge every case of *path*; the language is the file's name.

    A case listed as a difference (member ``difference``: the reason) must fail: one that
    passes is itself a failure, so that the list never outlives its reason.
    """
    judge: Callable[[Case], str | None] = importlib.import_module(
        f"tests.conformance.judges.{path.stem}"
    ).judge
    with path.open(encoding="utf-8") as lines:
        for number, text in enumerate(lines, 1):
            if not text.strip():
                continue
            case = _texts(json.loads(text))
            if "tz" in case and "in" in case:
                _set_zone(case["tz"])
            failure = _judged(judge, case)
            if reason := case.get("difference"):
                failure = None if failure else f"passes, but is listed as a difference: {reason}"
            yield Verdict(number, case, failure)


def _judged(judge: Callable[[Case], str | None], case: Case) -> str | None:
    try:
        return judge(case)
    except Exception as error:  # noqa: BLE001  a crash of the engine is a failed case, not the end of the run
        return f"crashed: {type(error).__name__}: {error}"


def _set_zone(zone: str) -> None:
    if os.environ.get("TZ") != zone:
        os.environ["TZ"] = zone
        time.tzset()


def _texts(value: Any) -> Any:
    """Turn every ``x_b64`` member into a member ``x`` whose odd bytes are surrogate escapes."""
    if isinstance(value, list):
        return [_texts(item) for item in value]
    if not isinstance(value, dict):
        return value
    result = {key: _texts(item) for key, item in value.items()}
    for key in [key for key in result if key.endswith("_b64") and isinstance(result[key], str)]:
        text = base64.b64decode(result.pop(key)).decode("utf-8", "surrogateescape")
        result[key.removesuffix("_b64")] = text
    return result
