"""The paths of the ``jsonpath()`` function inside expressions."""

from __future__ import annotations

import json
from typing import Any

from tests.conformance.judges._typed import difference
from tiphys.languages import LanguageError, jsonpath_function


def judge(case: dict[str, Any]) -> str | None:
    """Follow the path through the document."""
    question, wanted = case["in"], case["go"]
    try:
        document = json.loads(question["json"], parse_int=float)
        value = jsonpath_function.compile(question["path"]).get(document)
    except LanguageError as error:
        return None if "err" in wanted else f"{type(error).__name__}: {error}"
    if "err" in wanted:
        return f"no error, but {value!r}"
    return difference(value, wanted["value"])
