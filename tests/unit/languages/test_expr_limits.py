"""Filter expressions: what an evaluation may cost."""

from __future__ import annotations

import pytest

from tiphys.languages import CompileError, LimitExceeded, expr
from tiphys.languages.expr import source_filter

SHARED = "let a0 = [1, x]; " + "".join(f"let a{n} = [a{n - 1}, a{n - 1}]; " for n in range(1, 60))
"""A list that takes little memory and would take ages to walk through."""


@pytest.mark.parametrize(
    "expression",
    [
        "all(1..1000, all(1..1001, true))",
        "count(1..2000, sum(1..600) > 0)",
        "count(1..2000, # in list)",
        "any(1..100, big contains 'x')",
        SHARED + "toJSON(a59)",
        SHARED + "string(a59)",
        SHARED + "toJson(a59)",
        SHARED + "sprig.deepCopy(a59)",
        SHARED.replace("a", "b") + SHARED + "a59 == b59",
    ],
)
def test_steps_are_limited(expression: str) -> None:
    compiled = expr.compile(expression, source_filter.functions())

    with pytest.raises(LimitExceeded, match=r"may take 1000000 steps at most"):
        compiled.evaluate({"x": 1.0, "big": "y" * 20_000_000, "list": [0.5] * 1000})


@pytest.mark.parametrize(
    "expression",
    [
        "1..1000001",
        "x..1000000",
        "map(1..1000, map(1..1000, #))",
        "filter(1..1000000, true)",
        "map(1..1000, x[0:1000])",
        "groupBy(1..1000000, 1)",
    ],
)
def test_elements_are_limited_as_in_the_original(expression: str) -> None:
    with pytest.raises(LimitExceeded, match="memory budget exceeded"):
        expr.compile(expression).evaluate({"x": [1.0] * 2000} if "x[" in expression else {"x": 0.0})


@pytest.mark.parametrize(
    "expression",
    [
        "repeat('x', 1000001)",
        "repeat(repeat('x', 1000), 1000000)",
        "map(1..20, repeat('x', 1000000))",
        "reduce(1..100, #acc + #acc, 'text')",
        "replace(repeat('a', 1000000), 'a', 'bbbbbbbbbbbbbbbbbbbb')",
        "join([x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x])",
        "map(1..1000, x[1:])",
        "map(1..1000, upper(x))",
    ],
)
def test_texts_are_limited(expression: str) -> None:
    with pytest.raises(LimitExceeded, match="memory budget exceeded"):
        expr.compile(expression).evaluate({"x": "x" * 1_000_000})


def test_what_fits_the_limits_is_evaluated() -> None:
    assert expr.compile("len(map(1..999999, #))").evaluate({}) == 999_999
    assert expr.compile("count(1..1000000, # > 0)").evaluate({}) == 1_000_000
    assert expr.compile("len(repeat('x', 1000000))").evaluate({}) == 1_000_000


@pytest.mark.parametrize(
    "expression", ["(" * 3000 + "1" + ")" * 3000, "-" * 3000 + "1", "[" * 3000]
)
def test_nesting_is_limited_when_an_expression_is_compiled(expression: str) -> None:
    with pytest.raises(CompileError, match="nested too deeply"):
        expr.compile(expression)


def test_nesting_is_limited_when_an_expression_is_evaluated() -> None:
    compiled = expr.compile(" + ".join(["x"] * 5000))

    with pytest.raises(LimitExceeded, match="nested too deeply"):
        compiled.evaluate({"x": 1.0})
