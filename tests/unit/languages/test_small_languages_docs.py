"""The examples of the pages about numbers, regular expressions, expressions and cron."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from tests.unit.languages._docs import examples, shown
from tiphys.languages import LanguageError, cron, durations, govaluate, numbers, regexp

NUMBERS = {
    "parse_float": numbers.parse_float,
    "parse_bool": numbers.parse_bool,
    "format_g": numbers.format_g,
    "format_json": numbers.format_json,
    "parse_duration": durations.parse,
}


def number(example: dict[str, Any]) -> Any:
    argument = example["expression"]
    function: Any = NUMBERS[example["function"]]
    return function(argument if isinstance(argument, str) else float(argument))


def match(example: dict[str, Any]) -> Any:
    pattern = regexp.compile(example["expression"])
    if "replacement" in example:
        return pattern.replace_all(example["data"], example["replacement"])
    return pattern.search(example["data"])


def expression(example: dict[str, Any]) -> Any:
    compiled = govaluate.compile(example["expression"], dashes=example.get("dashes", False))
    return compiled.evaluate(example["data"])


def schedule(example: dict[str, Any]) -> Any:
    parsed = cron.parse(example["expression"], zone=datetime.UTC)
    moment = parsed.next(datetime.datetime.fromisoformat(example["data"]))
    return moment.isoformat() if moment else None


CASES = [
    *((number, example) for example in examples("numbers")),
    *((match, example) for example in examples("regexp")),
    *((expression, example) for example in examples("govaluate")),
    *((schedule, example) for example in examples("cron")),
]


@pytest.mark.parametrize(("evaluate", "example"), CASES, ids=shown)
def test_the_page_tells_the_truth(evaluate: Any, example: dict[str, Any]) -> None:
    if "error" in example:
        with pytest.raises(LanguageError) as caught:
            evaluate(example)
        assert str(caught.value).startswith(example["error"])
    else:
        result = evaluate(example)
        assert result == example["result"]
        assert type(result) is type(example["result"])
