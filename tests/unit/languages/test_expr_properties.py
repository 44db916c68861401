"""Filter expressions: precedence against a slow model, and nothing but the errors of languages."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.languages._json_texts import floats, unhurried, values
from tiphys.languages import LanguageError, expr
from tiphys.languages.expr import source_filter

# Loosest first.
NUMERIC_LEVELS = (("+", "-"), ("*", "/"), ("**",))
LOGICAL_LEVELS = (("or", "||"), ("and", "&&"), ("==", "!="))
RIGHT = ("**",)

numbers = st.integers(0, 9).map(str)
truths = st.sampled_from(["true", "false", "yes", "no"])
ENVIRONMENT = {"yes": True, "no": False}


def operations(
    operands: st.SearchStrategy[str], levels: tuple[tuple[str, ...], ...]
) -> st.SearchStrategy[list[str]]:
    """Operands with operators between them."""
    operators = st.sampled_from([operator for level in levels for operator in level])
    pairs = st.lists(st.tuples(operators, operands), max_size=7)
    return st.builds(lambda first, rest: [first, *sum(rest, ())], operands, pairs)


def model(tokens: list[str], levels: tuple[tuple[str, ...], ...]) -> Any:
    """Apply the loosest operator last, each to what the model makes of its two sides."""
    for operators in levels:
        places = [place for place in range(1, len(tokens), 2) if tokens[place] in operators]
        if places:
            place = places[0] if operators == RIGHT else places[-1]
            left, right = model(tokens[:place], levels), model(tokens[place + 1 :], levels)
            names = {**ENVIRONMENT, "left": left, "right": right}
            return expr.compile(f"left {tokens[place]} right").evaluate(names)
    return expr.compile(tokens[0]).evaluate(ENVIRONMENT)


@given(operations(numbers, NUMERIC_LEVELS))
@unhurried
def test_numeric_operators_bind_as_in_the_model(tokens: list[str]) -> None:
    value = expr.compile(" ".join(tokens)).evaluate({})
    expected = model(tokens, NUMERIC_LEVELS)

    assert value == expected or (math.isnan(value) and math.isnan(expected))


@given(operations(truths, LOGICAL_LEVELS))
@unhurried
def test_logical_operators_bind_as_in_the_model(tokens: list[str]) -> None:
    assert expr.compile(" ".join(tokens)).evaluate(ENVIRONMENT) is model(tokens, LOGICAL_LEVELS)


@given(operations(numbers, NUMERIC_LEVELS), operations(numbers, NUMERIC_LEVELS))
@unhurried
def test_comparisons_bind_looser_than_arithmetic(left: list[str], right: list[str]) -> None:
    value = expr.compile(" ".join([*left, "<", *right])).evaluate({})

    assert value is (model(left, NUMERIC_LEVELS) < model(right, NUMERIC_LEVELS))


WORDS = (
    *("a", "b.c", "list", "nothing", "#", ".x", "#acc", "$env", "type", "1", "0", "1.5", "'t'"),
    *("nil", "true", "[", "]", "{", "}", "(", ")", ",", ":", "?", "?.", ".", "..", "|", ";"),
    *("+", "-", "*", "/", "%", "**", "==", "<", "in", "not", "and", "or", "??", "matches"),
    *("filter(", "map(", "reduce(", "let", "=", "len(", "first(", "sort(", "string(", "split("),
    *("date(", "sprig.", "upper(", "toJson(", "jsonpath(", "@", "~", "\\", '"', "'", "\n", "é"),
)
chaos = st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join) | st.text(max_size=20)


def valid(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Expressions that can be parsed, whether or not they fit."""
    operators = st.sampled_from(
        [
            "+",
            "-",
            "*",
            "/",
            "%",
            "**",
            "==",
            "!=",
            "<",
            "in",
            "and",
            "or",
            "contains",
            "matches",
            "..",
        ]
    )
    calls = st.sampled_from(
        ["len", "upper", "first", "sort", "sum", "string", "keys", "toJSON", "abs", "type"]
    )
    loops = st.sampled_from(
        ["filter", "map", "all", "any", "count", "find", "groupBy", "findLastIndex"]
    )
    return (
        st.builds("({} {} {})".format, children, operators, children)
        | st.builds("{}({})".format, calls, children)
        | st.builds("{}({}, {{{}}})".format, loops, children, children)
        | st.builds("({})[{}]".format, children, children)
        | st.builds("[{}, {}]".format, children, children)
        | st.builds("({} ? {} : {})".format, children, children, children)
    )


leaves = st.sampled_from(
    ["a", "b.c", "list", "nothing", "'t'", "1", "1.5", "true", "nil", "{k: 1}"]
)
expressions = chaos | st.recursive(leaves, valid, max_leaves=12)


@given(expressions, values)
@unhurried
def test_any_text_gives_a_value_or_an_error_of_the_language(expression: str, value: Any) -> None:
    names = {"a": floats(value), "b": {"c": "text"}, "list": [1.0, "a", None, [2.0]]}
    try:
        expr.compile(expression, source_filter.functions()).evaluate(names)
    except LanguageError as error:
        assert str(error)


@given(values)
@unhurried
def test_a_value_survives_json_and_equals_itself(value: Any) -> None:
    names = {"a": floats(value)}

    assert expr.compile("fromJSON(toJSON(a)) == a").evaluate(names) is True
    assert expr.compile("[a] == [a] and a in [a]").evaluate(names) is True


@given(st.text(max_size=8), st.integers(-9, 9), st.integers(-9, 9))
@unhurried
def test_parts_of_a_text_are_parts_of_its_bytes(text: str, start: int, end: int) -> None:
    part = expr.compile(f"t[{start}:{end}]").evaluate({"t": text})

    assert part.encode("utf-8", "surrogateescape") == text.encode()[start:end]
