"""The examples of the pages about Lua and jq."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.judges._scripts import pool, run
from tests.unit.languages._docs import examples, shown
from tiphys.languages import LanguageError, jq, lua


def script(example: dict[str, Any]) -> Any:
    compiled = lua.compile(example["script"])
    data = json.dumps(example.get("data", {})).encode()
    if isinstance(example.get("result"), bool):
        return run(compiled.filter(pool(), data))
    if isinstance(example.get("result"), str):
        return run(compiled.value(pool(), data)).text
    return json.loads(run(compiled.transform(pool(), data)))


def program(example: dict[str, Any]) -> Any:
    data = json.dumps(example.get("data", {})).encode()
    return json.loads(run(jq.compile(example["jq"]).transform(pool(), data)))


CASES = [
    *((script, example) for example in examples("lua")),
    *((program, example) for example in examples("jq")),
]


@pytest.mark.parametrize(("evaluate", "example"), CASES, ids=shown)
def test_the_page_tells_the_truth(evaluate: Any, example: dict[str, Any]) -> None:
    if "error" in example:
        with pytest.raises(LanguageError) as caught:
            evaluate(example)
        assert str(caught.value).startswith(example["error"])
    else:
        assert evaluate(example) == example["result"]
