"""The expression language of ``exprs`` filters and conditions."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiphys.languages import CompileError, EvaluationError, LimitExceeded, govaluate

VALUES: dict[str, Any] = {
    "yes": True,
    "no": False,
    "five": 5.0,
    "half": 0.5,
    "text": "hello",
    "none": None,
    "list": [1.0, "x", {"k": None}],
    "object": {"k": None},
    "with space": 7.0,
    "with-dash": 8.0,
    "day": "2014-01-02",
    "pattern": "^h",
}


def evaluate(expression: str) -> Any:
    return govaluate.compile(expression).evaluate(VALUES)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2 ** 3 ** 2", 64.0),
        ("-2 ** 2", 4.0),
        ("10 - 2 - 3", 5.0),
        ("1 + 2 * 3 % 4", 3.0),
        ("1 | 6 & 3 ^ 1", 2.0),
        ("1 << 2 + 1", 8.0),
        ("5 / 0", math.inf),
        ("0x1F", 31.0),
        ("~five", -6.0),
        ("(0 - 1) >> 60", 15.0),
        ("1 << 64", 0.0),
        ("five == 5 == true", True),
        ("yes && no || yes", True),
        ("no && (missing)", False),
        ("yes || missing", True),
        ("no && five", False),
        ("'' + five + yes + none", "5true<nil>"),
        ("list + ''", "[1 x map[k:<nil>]]"),
        ("text > 'hell'", True),
        ("text =~ '^he' && text !~ 'x'", True),
        ("text =~ pattern", True),
        ("none ?? 'default'", "default"),
        ("yes ? 1 : 2", 1.0),
        ("no ? 1 : yes ? 2 : 3", 2.0),
        ("no ? 1", None),
        ("five in (1, 5)", True),
        ("'x' IN list", True),
        ("object in list", True),
        ("[with space] + [with-dash] + with\\-dash", 23.0),
        ("'a\\'b\"", "a'b"),
        ('"\\d"', "d"),
        ("(1, 2), (3, 4)", [1.0, 2.0, [3.0, 4.0]]),
        ("day == '2014-01-02'", False),
        ("'2014-01-02' < '2014-01-03T00:00:00Z'", True),
        ("(yes) no", True),
        ("('x' + )", "x<nil>"),
        ("()", None),
    ],
)
def test_an_expression_has_the_value_that_argo_events_gives(expression: str, value: Any) -> None:
    result = evaluate(expression)

    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("missing", "No parameter 'missing' found."),
        ("five > text", "Value '5' cannot be used with the comparator '>', it is not a number"),
        (
            "yes && five",
            "Value '5' cannot be used with the logical operator '&&', it is not a bool",
        ),
        (
            "five && yes",
            "Value '5' cannot be used with the logical operator '&&', it is not a bool",
        ),
        (
            "five ? 1 : 2",
            "Value '5' cannot be used with the ternary operator '?', it is not a bool",
        ),
        ("yes + five", "Value 'true' cannot be used with the modifier '+', it is not a number"),
        ("text * 2", "Value 'hello' cannot be used with the modifier '*', it is not a number"),
        ("2 & none", "Value '<nil>' cannot be used with the modifier '&', it is not a number"),
        ("-text", "Value 'hello' cannot be used with the prefix '-'"),
        ("!five", "Value '5' cannot be used with the prefix '!'"),
        ("~yes", "Value 'true' cannot be used with the prefix '~'"),
        ("five in (5)", "Value '5' cannot be used with the comparator 'in', it is not a number"),
        ("five =~ 'x'", "Value '5' cannot be used with the comparator '=~', it is not a number"),
        ("text =~ five", "Value '5' cannot be used with the comparator '=~', it is not a number"),
        ("object.Key", "Unable to access 'Key', 'object' is not a struct"),
        ("object.Key(missing)", "No parameter 'missing' found."),
    ],
)
def test_values_that_do_not_fit_are_evaluation_errors(expression: str, message: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        evaluate(expression)

    assert str(caught.value) == message


def test_a_pattern_from_the_event_that_is_broken_is_an_evaluation_error() -> None:
    expression = govaluate.compile("text =~ pattern")

    with pytest.raises(EvaluationError, match="Unable to compile regexp pattern"):
        expression.evaluate({"text": "", "pattern": "("})


@pytest.mark.parametrize(
    ("expression", "message", "position"),
    [
        ("", "Unexpected end of expression", 0),
        ("a +", "Unexpected end of expression", 3),
        ("(a", "Unbalanced parenthesis", 0),
        ("a == (b))", "Unbalanced parenthesis", 8),
        ("a b", "Cannot transition token types from VARIABLE [a] to VARIABLE [b]", 2),
        ("  == 1", "Cannot transition token types from UNKNOWN [<nil>] to COMPARATOR [==]", 2),
        ("1 (", "Unbalanced parenthesis", 2),
        ("f(1)", "Undefined function f", 0),
        ("a = 1", "Invalid token: '='", 2),
        ("n*-1", "Invalid token: '*-'", 1),
        ("a == 'b", "Unclosed string literal", 5),
        ("a == [b", "Unclosed parameter bracket", 5),
        ("1.2.3", "Unable to parse numeric value '1.2.3' to float64", 0),
        ("1e3", "Cannot transition token types from NUMERIC [1] to VARIABLE [e3]", 1),
        ("0xg1", "Unable to parse hex value '' to uint64", 0),
        ("a.b", "Unable to access unexported field 'b' in token 'a.b'", 0),
        ("a.", "Hanging accessor on token 'a.'", 0),
        ("a && b =~ '('", "error parsing regexp: missing closing ): `(`", 10),
        ("a ? , b", "Unable to plan token kind: 'SEPARATOR', value: ','", 4),
        ("a\\", "Nothing follows the backslash", 2),
    ],
)
def test_a_broken_expression_says_what_and_where(
    expression: str, message: str, position: int
) -> None:
    with pytest.raises(CompileError) as caught:
        govaluate.compile(expression)

    assert (caught.value.message, caught.value.position) == (message, position)
    assert caught.value.expression == expression


def test_dashes_belong_to_names_in_conditions() -> None:
    expression = govaluate.compile("dep-1 && (dep-2 || dep-1)", dashes=True)

    assert expression.names == ("dep-1", "dep-2", "dep-1")
    assert expression.evaluate({"dep-1": True, "dep-2": False}) is True


def test_a_place_in_a_condition_is_counted_in_what_was_written() -> None:
    with pytest.raises(CompileError) as caught:
        govaluate.compile("dep-1 && dep-2 = x", dashes=True)

    assert caught.value.position == 15
    assert caught.value.expression == "dep-1 && dep-2 = x"


def test_names_are_listed_in_order_with_repetitions_and_without_paths() -> None:
    assert govaluate.compile("b + [a b] + b + 'a' + true + x.Y").names == ("b", "a b", "b")


@pytest.fixture
def new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process whose local zone is America/New_York."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "America/New_York")
        time.tzset()
        yield
    time.tzset()


def test_a_date_without_an_offset_is_read_in_the_zone_of_the_process(new_york: None) -> None:
    assert evaluate("0 + ('2014-01-02 12:00')") == evaluate("0 + ('2014-01-02T12:00:00-05:00')")


def test_whole_numbers_count_as_floats() -> None:
    expression = govaluate.compile("n / 2")

    assert expression.evaluate({"n": 5}) == 2.5


def test_booleans_are_not_numbers() -> None:
    expression = govaluate.compile("x == 1")

    assert expression.evaluate({"x": True}) is False
    assert expression.evaluate({"x": 1.0}) is True


def test_nesting_is_limited() -> None:
    deep = "(" * 90 + "yes" + ")" * 90
    too_deep = "(" * 5000 + "yes" + ")" * 5000

    assert evaluate(deep) is True
    with pytest.raises(CompileError, match="nested deeper"):
        govaluate.compile(too_deep)
    with pytest.raises(CompileError, match="nested deeper"):
        govaluate.compile("-(" * 5000 + "1" + ")" * 5000)


def test_texts_are_limited() -> None:
    expression = govaluate.compile(" + ".join(["text"] * 20))

    with pytest.raises(LimitExceeded):
        expression.evaluate({"text": "x" * (1 << 20)})


def test_long_chains_are_no_nesting() -> None:
    assert evaluate(" && ".join(["yes"] * 5000)) is True
    assert evaluate(" + ".join(["1"] * 5000)) == 5000.0
    assert evaluate("no ? 1 : " * 5000 + "2") == 2.0


def test_values_of_any_depth_can_be_compared_but_not_printed() -> None:
    deep: Any = []
    for _ in range(10_000):
        deep = [deep]
    values = {"a": deep, "b": deep}

    assert govaluate.compile("a == b && a in (1, b)").evaluate(values) is True
    with pytest.raises(LimitExceeded):
        govaluate.compile("a + ''").evaluate(values)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(json_values, json_values)
def test_equality_is_by_type_and_value(left: Any, right: Any) -> None:
    values = {"left": left, "right": right, "alone": [right]}
    same = repr_of(left) == repr_of(right)

    assert govaluate.compile("left == right").evaluate(values) is same
    assert govaluate.compile("left != right").evaluate(values) is not same
    assert govaluate.compile("left == left").evaluate(values) is True
    assert govaluate.compile("left in alone").evaluate(values) is same


def repr_of(value: Any) -> str:
    """A text that is the same for the same types and values in any order of members."""
    if isinstance(value, dict):
        return f"object {sorted((key, repr_of(item)) for key, item in value.items())}"
    if isinstance(value, list):
        return repr([repr_of(item) for item in value])
    return repr(0.0 if value == 0 and isinstance(value, float) else value)


@given(st.text("ab1.+-*/%!&|=<>?:,()[]'\"\\~^ \n", max_size=25), st.booleans())
def test_any_text_has_a_value_or_a_language_error(text: str, dashes: bool) -> None:
    try:
        govaluate.compile(text, dashes=dashes).evaluate({"a": 1.0, "b": True})
    except CompileError as error:
        assert error.position is not None
        assert 0 <= error.position <= len(text)
    except EvaluationError as error:
        assert str(error)
