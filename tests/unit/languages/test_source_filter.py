"""The filters of event sources: what they see of an event, and when it passes."""

from __future__ import annotations

from typing import Any

import pytest

from tiphys.languages import CompileError, EvaluationError, LimitExceeded
from tiphys.languages.expr import source_filter


def passes(expression: str, payload: Any) -> bool:
    return source_filter.compile(expression).passes(payload)


def test_an_event_passes_when_the_expression_is_true() -> None:
    compiled = source_filter.compile('body.ref == "refs/heads/main"')

    assert compiled.passes(b'{"body": {"ref": "refs/heads/main"}}') is True
    assert compiled.passes({"body": {"ref": "refs/heads/dev"}}) is False


def test_numbers_are_floats_wherever_they_come_from() -> None:
    for payload in (b'{"n": 3, "l": [1]}', {"n": 3, "l": [1]}):
        assert passes('n == 3 and type(n) == "float" and l != [1]', payload) is True
        with pytest.raises(EvaluationError, match="float64 % int"):
            passes("n % 2 == 1", payload)


def test_the_payload_is_not_changed() -> None:
    payload = {"a-b": {"c-d": 1}, "e.f": [1]}

    assert passes('sprig.set(a_b, "x", 1).x == 1', payload) is True
    assert payload == {"a-b": {"c-d": 1}, "e.f": [1]}


@pytest.mark.parametrize(
    ("expression", "payload"),
    [
        ('a_b["c-d"] == 2', b'{"a-b": {"c-d": 2}}'),
        ("a.b.c == 1 and a.b.d == 2", b'{"a.b.c": 1, "a.b.d": 2}'),
        ("a.b == 1", b'{"a": 2, "a.b": 1}'),
        ("a_b.c == 1", b'{"a-b.c": 1}'),
        ('a["b.c"] == 5', b'{"a": {"b.c": 5}}'),
        ("a == 2", b'{"a": 1, "a": 2}'),
        ("x == nil", b"null"),
        ('asInt("12") == 12 and asFloat("1.5") == 1.5', b'{"asInt": 3}'),
        (r"""toJson(a) == '{"b":[1,null,"\\u003c"]}' """, b'{"a": {"b": [1, null, "<"]}}'),
        ('toJson(fromPairs([["a", 1]])) == ""', b"{}"),
        ('jsonpath("{\\"a\\": [1, 2]}", "$.a[1]") == 2', b"{}"),
        ('sprig.upper(sprig.trim(" x ")) == "X"', b"{}"),
        ('sprig.getHostByName("localhost") == ""', b"{}"),
        ('get($env, "len") == 3', b'{"len": 3}'),
        ("len($env) == 6", b'{"a": 1}'),
    ],
)
def test_names_and_functions_are_those_of_argo_events(expression: str, payload: Any) -> None:
    assert passes(expression, payload) is True


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b'"x"', b"bad", b'{"a": 1} x', b'{"a": NaN}', b'{"a": 1e400}', ["a"]]
)
def test_what_is_no_json_object_is_an_error(payload: Any) -> None:
    with pytest.raises(EvaluationError):
        passes("true", payload)


def test_odd_bytes_and_halves_of_characters_are_replaced() -> None:
    assert passes("x == y", b'{"x": "\xff", "y": "\\ud800"}') is True


@pytest.mark.parametrize("expression", ["n", "name", "nothing", "[true]", "{a: 1}"])
def test_a_result_that_is_no_boolean_is_an_error(expression: str) -> None:
    with pytest.raises(EvaluationError, match="must be a boolean"):
        passes(expression, {"n": 1, "name": "x"})


@pytest.mark.parametrize(
    "expression",
    [
        'sprig.env("HOME") == ""',
        'sprig.expandenv("$HOME") == ""',
        "sprig.repeat(1.0, name) == name",
        'sprig.repeat(1, nil) == ""',
        "sprig.trim() == name",
        "asInt() == 1",
        'jsonpath(name, "$.a") == 1',
        'jsonpath("{}", "$.a") == 1',
        'jsonpath("{}") == 1',
        'toJson() == ""',
    ],
)
def test_functions_refuse_arguments_of_other_types(expression: str) -> None:
    with pytest.raises(EvaluationError):
        passes(expression, {"name": "x"})


def test_a_broken_or_empty_expression_is_an_error_when_it_is_compiled() -> None:
    for expression in ("", "body.ref ==", "type == 'push'"):
        with pytest.raises(CompileError):
            source_filter.compile(expression)


def test_costly_functions_count_more() -> None:
    with pytest.raises(LimitExceeded):
        passes('all(1..1000000, sprig.bcrypt("a") != "")', {})


def test_members_are_expanded_at_the_first_level_only() -> None:
    members = {"a": 1, "a.b": 2, "c.d": {"e.f": 3}, "g": 4}

    assert source_filter.expand(members) == {"a": {"b": 2}, "c": {"d": {"e.f": 3}}, "g": 4}
    assert "SourceFilter" in repr(source_filter.compile("true"))
