"""The page about templates: its examples are true, and it names every function."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.unit.languages._docs import PAGES, examples, shown
from tests.unit.languages._templates import printed, rendered
from tiphys.languages import LanguageError, template
from tiphys.languages.template.builtins import BUILTINS

PAGE = (PAGES / "template.md").read_text(encoding="utf-8")
_ROW = re.compile(r"^\| (`.*?) \| `(.*?)` \| (.*?) \|$", re.MULTILINE)
_BAR = "\0"
ROWS = [
    tuple(cell.replace(_BAR, "|") for cell in row)
    for row in _ROW.findall(PAGE.replace("\\|", _BAR))
]


@pytest.mark.parametrize("example", examples("template"), ids=shown)
def test_the_examples_are_true(example: dict[str, Any]) -> None:
    if "error" in example:
        with pytest.raises(LanguageError, match=example["error"]):
            rendered(example["expression"], example["data"])
    else:
        assert rendered(example["expression"], example["data"]) == example["result"]


@pytest.mark.parametrize(("functions", "expression", "out"), ROWS, ids=[row[1] for row in ROWS])
def test_the_tables_of_functions_are_true(functions: str, expression: str, out: str) -> None:
    names = re.findall(r"`(\w+)`", functions.partition(":")[0])

    assert names
    if out == "error":
        with pytest.raises(LanguageError):
            printed(expression, 1.0)
    else:
        assert f"`{printed(expression, 1.0)}`" == out


def test_every_function_is_in_a_table() -> None:
    named = {name for row in ROWS for name in re.findall(r"`(\w+)`", row[0].partition(":")[0])}

    assert named == set(template.FUNCTIONS) | set(BUILTINS)
    assert len(template.FUNCTIONS) == 211
