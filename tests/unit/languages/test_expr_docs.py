"""The examples of the page about filter expressions."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.languages._docs import examples
from tests.unit.languages._json_texts import floats
from tiphys.languages import LanguageError, expr
from tiphys.languages.expr import source_filter


def evaluate(example: dict[str, Any]) -> Any:
    compiled = expr.compile(example["expression"], source_filter.functions())
    members = {name.replace("-", "_"): value for name, value in example["data"].items()}
    return compiled.evaluate(source_filter.expand(floats(members)))


@pytest.mark.parametrize("example", examples("expr"), ids=lambda part: part["expression"][:70])
def test_the_page_tells_the_truth(example: dict[str, Any]) -> None:
    if "error" in example:
        with pytest.raises(LanguageError, match=example["error"]):
            evaluate(example)
    else:
        assert evaluate(example) == example["result"]
