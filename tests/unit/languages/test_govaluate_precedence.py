"""Operator precedence against a slow model that looks for the operator to apply last."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from tiphys.languages import govaluate

# Loosest first.
NUMERIC_LEVELS = (("&", "|", "^"), ("<<", ">>"), ("+", "-"), ("*", "/", "%"), ("**",))
LOGICAL_LEVELS = (("||",), ("&&",), ("==", "!="))

numbers = st.integers(0, 9).map(str)
numeric = st.tuples(
    numbers,
    st.lists(st.tuples(st.sampled_from(sum(NUMERIC_LEVELS, ())), numbers), max_size=7),
)
logical = st.tuples(
    st.sampled_from(["true", "false"]),
    st.lists(
        st.tuples(
            st.sampled_from(sum(LOGICAL_LEVELS, ())), st.sampled_from(["true", "false", "!true"])
        ),
        max_size=7,
    ),
)


def model(tokens: list[str], levels: tuple[tuple[str, ...], ...]) -> float | bool:
    """Apply the last of the loosest operators to what the model makes of its two sides."""
    for operators in levels:
        for index in range(len(tokens) - 2, 0, -2):
            if tokens[index] in operators:
                left, right = model(tokens[:index], levels), model(tokens[index + 1 :], levels)
                return apply(left, tokens[index], right)
    (token,) = tokens
    words = {"true": True, "false": False, "!true": False}
    return words[token] if token in words else float(token)


def apply(left: float | bool, operator: str, right: float | bool) -> float | bool:
    """One operator, by asking for it alone."""
    values = {"left": left, "right": right}
    result: float | bool = govaluate.compile(f"left {operator} right").evaluate(values)
    return result


def flat(first: str, rest: list[tuple[str, str]]) -> list[str]:
    """The tokens in order."""
    return [first, *(token for pair in rest for token in pair)]


@given(numeric)
def test_numeric_operators_bind_as_in_the_model(parts: tuple[str, list[tuple[str, str]]]) -> None:
    tokens = flat(*parts)
    value = govaluate.compile(" ".join(tokens)).evaluate({})
    expected = model(tokens, NUMERIC_LEVELS)

    assert value == expected or (math.isnan(value) and math.isnan(expected))


@given(logical)
def test_logical_operators_bind_as_in_the_model(parts: tuple[str, list[tuple[str, str]]]) -> None:
    tokens = flat(*parts)

    assert govaluate.compile(" ".join(tokens)).evaluate({}) is model(tokens, LOGICAL_LEVELS)


@given(numeric, numeric)
def test_comparing_binds_looser_than_arithmetic(
    left: tuple[str, list[tuple[str, str]]], right: tuple[str, list[tuple[str, str]]]
) -> None:
    one, other = flat(*left), flat(*right)
    value = govaluate.compile(" ".join([*one, "<", *other])).evaluate({})

    assert value is (model(one, NUMERIC_LEVELS) < model(other, NUMERIC_LEVELS))


@given(st.floats(0.001, 1000), st.floats(-50, 50))
def test_powers_are_those_of_the_c_library_but_for_the_last_digits(
    base: float, exponent: float
) -> None:
    value = govaluate.compile("base ** exponent").evaluate({"base": base, "exponent": exponent})

    assert math.isclose(value, math.pow(base, exponent), rel_tol=1e-13)
