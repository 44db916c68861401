"""jq programs: what holds for every event and every text."""

from __future__ import annotations

import json
import operator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conformance.judges._scripts import pool, run
from tiphys.languages import CompileError, EvaluationError, jq, regexp

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SCALAR = st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
JSON = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
WORDS = """
    . .a .. $x 1 "s" ( ) [ ] { } | , : ; = |= + - * / % // == < ? ?// as def f if then else end try
    catch reduce foreach label break and or map select length keys empty error
"""
WORD = st.sampled_from(WORDS.split())
PATTERNS = r"""
    a a* a*? ^a a$ (?m)^a (?m)a$ (?i)A . (?s). \w+ \d \s \S+ \W \b \B [[:alpha:]] [[:^digit:]] [^\w]
    [\d-] a|b| (a)(b)? a{2} a{,2} \Qa.b\E \x61 \x{e9} \pL \PL [\p{Greek}a] (?P<n>a) []a] [\W\d]
"""


def decoded(text: bytes) -> Any:
    """JSON of which large numbers are floats, as they are in events."""
    return json.loads(
        text, parse_int=lambda digits: float(digits) if len(digits) > 15 else int(digits)
    )


def outputs(program: str, value: Any) -> list[Any]:
    texts = run(jq.compile(program).outputs(pool(), json.dumps(value).encode()))
    return [decoded(text) for text in texts]


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(TEXT, JSON, max_size=4))
def test_an_untouched_event_comes_back(event: Any) -> None:
    data = json.dumps(event).encode()

    assert decoded(run(jq.compile(".").transform(pool(), data))) == event


@settings(max_examples=150, deadline=None)
@given(JSON)
def test_a_value_survives_being_a_text(value: Any) -> None:
    assert outputs("tojson | fromjson", value) == [value]


@settings(max_examples=200, deadline=None)
@given(st.integers(-(10**30), 10**30), st.integers(-(10**30), 10**30))
def test_integers_of_any_size_are_computed_exactly(a: int, b: int) -> None:
    program = jq.compile(f"({a}) + ({b}), ({a}) - ({b}), ({a}) * ({b})")

    texts = run(program.outputs(pool(), b"null"))

    results = (operator.add(a, b), operator.sub(a, b), operator.mul(a, b))
    assert [int(text) for text in texts] == list(results)


@pytest.mark.parametrize("pattern", PATTERNS.split())
@settings(max_examples=40, deadline=None)
@given(text=st.text("aAbB1 _\n-.é", max_size=10))
def test_matches_are_those_of_re2(pattern: str, text: str) -> None:
    expected = [
        [match.groups[0], len(text.encode()[: match.index[0]].decode())]
        for match in regexp.compile(pattern).find_all(text)
    ]
    program = f'[match({json.dumps(pattern)}; "g") | [.string, .offset]]'

    assert outputs(program, text) == [expected]


@settings(max_examples=300, deadline=None)
@given(st.lists(WORD, max_size=10).map(" ".join) | st.text(max_size=20))
def test_any_text_is_a_program_or_a_compile_error(program: str) -> None:
    try:
        compiled = jq.compile(program)
        endless = "def" in program  # which may call itself for ever
        texts = [] if endless else run(compiled.outputs(pool(), b'{"a": [1]}'))
    except (CompileError, EvaluationError) as error:
        assert str(error)
    else:
        assert all(json.dumps(decoded(text)) for text in texts)
