"""Transforms of dependencies: the data and the content type afterwards."""

from __future__ import annotations

import json
from typing import Any

from tests.conformance.judges._scripts import pool, run
from tiphys.languages import LanguageError
from tiphys.sensors.transforms import CONTENT_TYPE, compile_transform


def judge(case: dict[str, Any]) -> str | None:
    event, fields = case["in"]["event"], case["in"]["transform"] or {}
    answer = case["go"]
    data = None if event["data"] is None else event["data"].encode("utf-8", "surrogateescape")
    try:
        transform = compile_transform(fields.get("jq"), fields.get("script"))
        result = run(transform.apply(pool(), data))
    except LanguageError as error:
        return None if "err" in answer else f"error: {error}"
    if "err" in answer:
        return f"data are {result!r}"
    if result is None:
        return None if answer["data"] is None else "no data"
    if json.loads(result) != json.loads(answer["data"]):
        return f"data are {result!r}"
    changed = transform.program is not None
    content_type = CONTENT_TYPE if changed else event["context"]["datacontenttype"]
    return None if content_type == answer["datacontenttype"] else f"type is {content_type}"
