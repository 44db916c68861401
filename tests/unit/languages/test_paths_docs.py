"""The examples of the pages about gjson, sjson and JSONPath."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.languages._docs import examples, shown
from tests.unit.languages._json_texts import floats
from tiphys.languages import LanguageError, gjson, paths, sjson


def check_path(example: dict[str, Any]) -> None:
    data = example["data"]
    text = data if isinstance(data, str) else json.dumps(data)
    found = paths.compile(example["expression"]).get(gjson.Document(text))
    assert found.exists is not example.get("missing", False)
    if "result" in example:
        assert found.value() == floats(example["result"])
    if "source" in example:
        assert found.raw == str(example["source"])


def check_setting(example: dict[str, Any]) -> None:
    changed = sjson.set_value(example["data"], example["expression"], example["value"])
    assert changed == example["result"]


CASES = [
    *((check_path, example) for example in examples("gjson")),
    *((check_path, example) for example in examples("jsonpath")),
    *((check_setting, example) for example in examples("sjson")),
]


@pytest.mark.parametrize(("check", "example"), CASES, ids=shown)
def test_the_page_tells_the_truth(
    check: Callable[[dict[str, Any]], None], example: dict[str, Any]
) -> None:
    if "error" not in example:
        assert {"result", "source", "missing"} & set(example)
        check(example)
        return
    with pytest.raises(LanguageError) as caught:
        check({**example, "result": None})
    assert str(caught.value).startswith(example["error"])
