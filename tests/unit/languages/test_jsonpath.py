"""JSONPath (RFC 9535) where a gjson path may stand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.languages._json_texts import documents, json_texts, unhurried
from tiphys.languages import CompileError, LimitExceeded, gjson, jsonpath
from tiphys.languages.gjson import Document, Kind

STORE = """{"store": {"book": [
  {"title": "Sayings", "price": 8.950, "tags": ["a"]},
  {"title": "Sword", "price": 12.99},
  {"title": "Moby", "price": 8.99, "isbn": "0-553"}
], "open": null}}"""
BODY = Path(__file__).parents[2] / "data" / "github" / "push-1.json"


def get(path: str, text: str = STORE) -> gjson.Result:
    return jsonpath.compile(path).get(Document(text))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$.store.book[0].title", "Sayings"),
        ("$['store']['book'][-1]['title']", "Moby"),
        ("$.store.book[*].title", ["Sayings", "Sword", "Moby"]),
        ("$..price", [8.95, 12.99, 8.99]),
        ("$.store.book[?@.price < 10].title", ["Sayings", "Moby"]),
        ("$.store.book[?@.isbn].title", "Moby"),
        ("$.store.book[?match(@.title, 'S.*')].price", [8.95, 12.99]),
        ("$.store.book[?search(@.title, 'wor')].title", "Sword"),
        ("$.store.book[1:].title", ["Sword", "Moby"]),
        ("$.store.book[?length(@.tags) == 1].tags[0]", "a"),
    ],
)
def test_one_match_is_a_value_and_several_are_a_list(path: str, value: Any) -> None:
    found = get(path)
    assert found.exists
    assert found.value() == value


@pytest.mark.parametrize(
    "path", ["$.missing", "$.store.book[3]", "$.store.book[?@.price > 99]", "$..missing", "$[0]"]
)
def test_no_match_does_not_exist(path: str) -> None:
    assert not get(path).exists


def test_a_null_that_matches_exists() -> None:
    assert get("$.store.open").exists
    assert get("$.store.open").type is Kind.NULL
    assert get("$.store[?@ == null]").raw == "null"


def test_a_single_match_keeps_its_source() -> None:
    assert get("$.store.book[0].price").raw == "8.950"
    assert get("$.store.book[?@.title == 'Sayings'].price").raw == "8.950"
    assert get("$").raw == STORE


def test_equal_keys_count_as_in_gjson() -> None:
    text = '{"a":{"b":1},"a":{"b":2}}'
    assert get("$.a.b", text).raw == "1"
    assert get("$..b", text).raw == "1"


@pytest.mark.parametrize("text", ["", "{", '{"a":1} x', '{"a":NaN}'])
@pytest.mark.parametrize("path", ["$.a", "$..a"])
def test_nothing_is_found_in_broken_json(text: str, path: str) -> None:
    assert not get(path, text).exists
    assert not jsonpath.compile(path).get(text.encode()).exists


@pytest.mark.parametrize(
    ("path", "position"),
    [("$.a[", 4), ("$.a[?@.b ==]", 11), ("$.a[?nope(@.b)]", 5), ("$.a b", 4), ("$[01]", 2)],
)
def test_a_broken_path_is_an_error_with_its_place(path: str, position: int) -> None:
    with pytest.raises(CompileError) as caught:
        jsonpath.compile(path)
    assert caught.value.expression == path
    assert caught.value.position == position


@pytest.mark.parametrize("path", ["$[?" + "(" * 3000 + "@.a" + ")" * 3000 + "]", "$" + ".a" * 3000])
def test_a_path_that_is_too_long_or_too_deep_is_refused(path: str) -> None:
    with pytest.raises(CompileError):
        jsonpath.compile(path)


@pytest.mark.parametrize("path", ["$[?" + "(" * 1000 + "@.a" + ")" * 1000 + "]", "$" + "[?@" * 900])
def test_a_path_that_is_nested_too_deeply_is_refused(path: str) -> None:
    with pytest.raises(CompileError):
        jsonpath.compile(path)


def test_filters_inside_filters_are_stopped() -> None:
    rows = json.dumps([{"a": number} for number in range(400)])
    with pytest.raises(LimitExceeded, match=f"more than {jsonpath.MAX_STEPS} steps"):
        get("$[?$[?$[?@.a == 1]]]", rows)


def test_descending_again_and_again_is_stopped() -> None:
    deep = "[" * 80 + "]" * 80
    with pytest.raises(LimitExceeded):
        get("$..*..*..*..*", deep)


def test_a_document_nested_too_deeply_is_stopped() -> None:
    for depth in (200, 5000):
        try:
            assert not get("$..a", "[" * depth + "]" * depth).exists
        except LimitExceeded as error:
            assert "deep" in str(error)


def test_a_pattern_takes_linear_time() -> None:
    text = json.dumps(["a" * 50_000 + "!"])
    assert not get("$[?match(@, '(a+)+')]", text).exists
    assert get("$[?search(@, '(a|a)+!')]", text).exists


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("a.c", True),
        ("a.d", False),
        ("[.]", False),
        ("^abc$", True),
        ("a[", False),
        ("\\p{L}+", True),
    ],
)
def test_patterns_follow_rfc_9485(pattern: str, matches: bool) -> None:
    path = f"$[?match(@, '{pattern}')]".replace("\\", "\\\\")
    assert get(path, '["abc"]').exists is matches


def test_a_dot_matches_no_line_end() -> None:
    assert not get("$[?match(@, 'a.c')]", '["a\\nc"]').exists


def test_numbers_beyond_a_float_make_the_text_unreadable() -> None:
    assert not get("$[*]", "[1e999, 1]").exists
    assert not get("$[0]", "[1e999, 1]").exists


def test_a_long_filter_may_look_at_fewer_members() -> None:
    rows = json.dumps([{"a": number} for number in range(3000)])
    short, long = "@.a == 1", " || ".join(["@.a == 1"] * 300)
    assert get(f"$[?{short}]", rows).exists
    with pytest.raises(LimitExceeded):
        get(f"$[?{long}]", rows)


def test_a_github_event_can_be_asked() -> None:
    document = Document(BODY.read_bytes())
    body = json.loads(BODY.read_bytes())
    assert (
        jsonpath.compile("$.repository.owner.login").get(document).string()
        == (body["repository"]["owner"]["login"])
    )
    logins = jsonpath.compile("$..login").get(document).value()
    assert logins.count(body["sender"]["login"]) >= 2


@unhurried
@given(st.data())
def test_a_location_in_brackets_finds_what_indexing_finds(data: st.DataObject) -> None:
    value = data.draw(documents)
    text, path = data.draw(json_texts(value)), "$"
    while isinstance(value, (dict, list)) and value:
        keys = sorted(value) if isinstance(value, dict) else range(-len(value), len(value))
        key = data.draw(st.sampled_from(keys))
        path += f"[{json.dumps(key, ensure_ascii=False)}]"
        value = value[key]
    assert json.loads(get(path, text).raw) == value


@unhurried
@given(st.data())
def test_a_wildcard_lists_what_the_container_holds(data: st.DataObject) -> None:
    value = data.draw(documents)
    items = list(value.values()) if isinstance(value, dict) else value
    found = get("$[*]", data.draw(json_texts(value)))
    if len(items) > 1:
        assert json.loads(found.raw) == items
    elif items:
        assert json.loads(found.raw) == items[0]
    else:
        assert not found.exists
