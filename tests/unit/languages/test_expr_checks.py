"""Filter expressions: what is refused before evaluation, and what constants do to the rest."""

from __future__ import annotations

from typing import Any

import pytest

from tiphys.languages import CompileError, EvaluationError, expr


@pytest.mark.parametrize(
    "expression",
    [
        "1 < 'a'",
        "1 < 2 < 3",
        "'a' + 1",
        "7.5 % 2",
        "1 in ['a']",
        "let x = ['a']; 1 in x",
        "'a' in 'abc'",
        "1 in {a: 1}",
        "not 1",
        "-'a'",
        "1 ? 2 : 3",
        "1 && x",
        "nil + 1",
        "nil.x",
        "[1]['a']",
        "{a: 1}[1]",
        "(1)[0]",
        "1..2.5",
        "x[1:'a']",
        "{a: 1}[0:1]",
        "name matches '('",
        "filter(1, true)",
        "filter(x, 1)",
        "map(x, nil)",
        "map(x, #acc)",
        "reduce(x, #other)",
        "len(1)",
        "len()",
        "upper(1)",
        "upper('a', 'b')",
        "join(1..3)",
        "take(x, 1.5)",
        "sort(x, 1)",
        "max()",
        "max([])",
        "get(x)",
        "get([1], 'a')",
        "get({a: 1}, nil)",
        "get(1, 1)",
        "keys([1])",
        "first('a')",
        "date(1)",
        "now() + 1",
        "now().Nope()",
        "now().Year(1)",
        "now().Add('1h')",
        "now().Date()",
        "duration('1h').Year()",
        "len == 1",
        "len.x",
        "let len = 1; 2",
        "let a = 1; let a = 2; 3",
        "nil(1)",
        "true(1)",
        "5 % 0",
    ],
)
def test_what_cannot_fit_is_refused_before_evaluation(expression: str) -> None:
    with pytest.raises(CompileError) as caught:
        expr.compile(expression)

    assert caught.value.position is not None


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("x && false", False),
        ("x || true", True),
        ("true && x", 1.0),
        ("x && true", 1.0),
        ("false || x", 1.0),
        ("1 + 2 * 3 == 7", True),
        ("'a' + 'b' == 'ab'", True),
        ("not false", True),
        ("1 in [1, 2]", True),
        ("nothing in ['', 'a']", True),
        ("nothing in ['a']", False),
        ("len(list) in 1..3", True),
        ("len(list) in [1, 2]", True),
        ("foo ?? 1", 1),
    ],
)
def test_constants_are_computed_first(expression: str, value: Any) -> None:
    result = expr.compile(expression).evaluate({"x": 1.0, "list": [1.0, 2.0]})

    assert result == value
    assert type(result) is type(value)


def test_arguments_of_unknown_functions_are_not_checked() -> None:
    compiled = expr.compile("false && f(1 + 'a')")

    assert compiled.evaluate({}) is False
    with pytest.raises(EvaluationError, match="int \\+ string"):
        expr.compile("f(1 + 'a')").evaluate({})


def test_what_is_known_to_be_an_integer_must_be_one() -> None:
    environment = {"list": [1.0, 2.0]}

    assert expr.compile("findIndex(list, # == 2) == 1").evaluate(environment) is True
    assert expr.compile("findIndex(list, # == 3) == nil").evaluate(environment) is True
    with pytest.raises(EvaluationError, match="nil, not int"):
        expr.compile("findIndex(list, # == 3) == 1").evaluate(environment)
    with pytest.raises(EvaluationError, match="nil, not string"):
        expr.compile("find(split('a', ''), # == 'b') == 'a'").evaluate({})


def test_a_long_chain_of_operators_is_no_deep_nesting() -> None:
    names = {f"x{index}": 0.0 for index in range(400)}
    expression = " || ".join(f"{name} == 1" for name in names)
    compiled = expr.compile(expression)

    assert compiled.evaluate(names) is False
    assert compiled.evaluate({**names, "x399": 1.0}) is True


def test_a_misplaced_not_is_lost_as_in_the_original() -> None:
    assert expr.compile("1 + 2 not in [3]").evaluate({}) is True
    assert expr.compile("(a not)").evaluate({"a": 1.0}) == 1.0
