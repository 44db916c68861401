"""Conditions: names, joins, and what a broken one says."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiphys.languages import CompileError
from tiphys.manifests.conditions import MAX_DEPTH, parse

NAMES = ["a", "b", "c"]


def test_an_empty_condition_means_all_dependencies() -> None:
    condition = parse("", NAMES)

    assert condition.names == ("a", "b", "c")
    assert condition.expression == "a&&b&&c"
    assert condition.needs_state
    assert condition.holds({"a", "b", "c"})
    assert not condition.holds({"a", "b"})


def test_one_dependency_alone_needs_no_state() -> None:
    assert not parse("", ["a"]).needs_state
    assert not parse("a || (b)", NAMES).needs_state


def test_and_binds_tighter_than_or() -> None:
    condition = parse("a || b && c", NAMES)

    assert condition.holds({"a"})
    assert not condition.holds({"b"})
    assert condition.holds({"b", "c"})


def test_names_stand_once_in_order_of_appearance() -> None:
    assert parse("c || a && c || b", NAMES).names == ("c", "a", "b")


@pytest.mark.parametrize(("written", "declared"), [("dep-1", "dep_1"), ("dep_1", "dep-1")])
def test_dashes_and_underscores_are_the_same_where_no_name_is_exact(
    written: str, declared: str
) -> None:
    assert parse(written, [declared]).names == (declared,)


def test_an_exact_name_comes_before_one_with_other_dashes() -> None:
    assert parse("a-b", ["a-b", "a_b"]).names == ("a-b",)


def test_every_declared_name_can_be_used() -> None:
    names = ["1st", "kafka.orders", "in", "true", "len", "_a", "with blank"]

    text = "1st && kafka.orders && in && true && len && _a && 'with blank'"
    assert parse(text, names).names == tuple(names)


def test_dashes_and_digits_may_stand_in_names() -> None:
    names = ["dep-1", "dep_1a", "dep-3"]

    assert parse("dep-1 || dep-1a || dep-3", names).names == tuple(names)


def test_a_dependency_may_stand_in_both_sides_of_an_or() -> None:
    assert parse("a || a && b", NAMES).holds({"a"})


@pytest.mark.parametrize(
    ("text", "message", "position"),
    [
        ("a && pusch", "there is no dependency `pusch`; did you mean `push`?", 5),
        ("a and b", "`and` is written `&&`", 2),
        ("a or b", "`or` is written `||`", 2),
        ("!a", "conditions have no negation", 0),
        ("not a", "conditions have no negation", 0),
        ("a & b", "`&` is written `&&`", 2),
        ("a == b", "`==` is unknown here; only `&&`, `||` and parentheses are", 2),
        ("a b", "expected `&&` or `||` before `b`", 2),
        ("a &&", "expected a dependency, but the condition ends here", 4),
        ("&& a", "expected a dependency, but found `&&`", 0),
        ("(a", "this parenthesis is never closed", 0),
        ("(a b", "expected `&&`, `||` or `)` before `b`", 3),
        ("a)", "this parenthesis was never opened", 1),
        ("'a", "this quote is never closed", 0),
        ("   ", "expected a dependency, but the condition ends here", 0),
    ],
)
def test_a_broken_condition_says_what_and_where(text: str, message: str, position: int) -> None:
    with pytest.raises(CompileError) as caught:
        parse(text, ["a", "b", "push"])

    assert (caught.value.message, caught.value.position) == (message, position)


def test_deep_nesting_is_refused_instead_of_overflowing() -> None:
    assert parse("(" * MAX_DEPTH + "a" + ")" * MAX_DEPTH, NAMES).names == ("a",)
    with pytest.raises(CompileError, match="inside each other"):
        parse("(" * 100_000 + "a", NAMES)


def test_a_sensor_without_dependencies_has_no_condition() -> None:
    with pytest.raises(CompileError, match="there are no dependencies"):
        parse("", [])


TREES: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(NAMES),
    lambda inner: st.tuples(inner, st.sampled_from(["&&", "||"]), inner),
    max_leaves=12,
)


def _text(tree: Any) -> str:
    return tree if isinstance(tree, str) else f"({_text(tree[0])} {tree[1]} {_text(tree[2])})"


def _truth(tree: Any, present: frozenset[str]) -> bool:
    if isinstance(tree, str):
        return tree in present
    left, operator, right = tree
    if operator == "&&":
        return _truth(left, present) and _truth(right, present)
    return _truth(left, present) or _truth(right, present)


@given(TREES)
def test_a_condition_holds_as_boolean_logic_says(tree: Any) -> None:
    condition = parse(_text(tree), NAMES)

    for size in range(4):
        for present in map(frozenset, itertools.combinations(NAMES, size)):
            assert condition.holds(present) is _truth(tree, present)


@given(st.text(alphabet="ab-_ ()&|'\"!\n1é", max_size=30))
def test_any_text_is_a_condition_or_a_compile_error(text: str) -> None:
    try:
        condition = parse(text, ["a", "a-b", "b"])
    except CompileError as error:
        assert error.position is not None
        assert 0 <= error.position <= len(text)
    else:
        assert set(condition.names) <= {"a", "a-b", "b"}
        assert condition.holds(condition.names)
