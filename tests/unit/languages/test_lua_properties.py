"""Lua scripts: what holds for every event and every text."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conformance.judges._scripts import pool, run
from tiphys.languages import CompileError, EvaluationError, lua, numbers

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SCALAR = st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
JSON = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
WORDS = """
    x y event 1 0x1F 1.5 'a' "b" nil true ( ) { } [ ] = == ~= < .. ... + - * / % ^ # and or not if
    then else end do while for in repeat until function local return break goto :: , ; : .
"""
WORD = st.sampled_from(WORDS.split())


def decoded(text: bytes) -> Any:
    """JSON of which large numbers are floats, as they are in events."""
    return json.loads(
        text, parse_int=lambda digits: float(digits) if len(digits) > 15 else int(digits)
    )


def seen(value: Any) -> Any:
    """What comes back of a value that a script returns untouched."""
    if isinstance(value, dict):
        return {key: seen(member) for key, member in value.items() if member is not None}
    if isinstance(value, list):
        kept = [seen(item) for item in value if item is not None and not isinstance(item, list)]
        return kept or {}  # an empty list is a table like any other
    return value


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(TEXT, JSON, max_size=4))
def test_an_untouched_event_comes_back_but_for_nulls_and_nested_lists(event: Any) -> None:
    data = json.dumps(event).encode()

    result = decoded(run(lua.compile("return event").transform(pool(), data)))

    assert result == seen(event)


@settings(max_examples=150, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_print_in_their_shortest_form_or_as_whole_numbers(number: float) -> None:
    data = json.dumps({"n": number}).encode()

    text = run(lua.compile('return event.n .. ""').value(pool(), data)).text

    fits = number.is_integer() and abs(number) < 2**63
    assert text == (str(int(number)) if fits else numbers.format_g(number))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=30))
def test_every_string_constant_keeps_its_bytes(data: bytes) -> None:
    constant = "".join(f"\\{byte:03}" for byte in data)

    value = run(lua.compile(f'return "{constant}"').value(pool(), b"{}"))

    assert value.text.encode("utf-8", "surrogateescape") == data


@settings(max_examples=300, deadline=None)
@given(st.lists(WORD, max_size=12).map(" ".join) | st.text(max_size=20))
def test_any_text_is_a_script_or_a_compile_error(script: str) -> None:
    try:
        compiled = lua.compile(script)
        if "while" not in script and "repeat" not in script and "goto" not in script:
            assert isinstance(run(compiled.value(pool(), b"{}")).text, str)
    except (CompileError, EvaluationError) as error:
        assert str(error)
