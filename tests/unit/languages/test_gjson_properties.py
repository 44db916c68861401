"""gjson against an obvious model that works on decoded data."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.languages._json_texts import (
    documents,
    escaped,
    floats,
    json_texts,
    unhurried,
    values,
)
from tiphys.languages import LimitExceeded, gjson

_NOWHERE = object()


def child(value: Any, component: str) -> Any:
    """What one key or index finds in decoded data."""
    if isinstance(value, dict):
        return value.get(component, _NOWHERE)
    if isinstance(value, list) and component.isascii() and component.isdigit():
        index = int(component)
        return value[index] if index < len(value) else _NOWHERE
    return _NOWHERE


def descend(value: Any, components: list[str]) -> Any:
    """What a path of keys and indexes finds in decoded data."""
    for component in components:
        value = child(value, component)
    return value


def places(value: Any) -> list[list[str]]:
    """The path to every value inside *value*."""
    found: list[list[str]] = []
    if isinstance(value, (dict, list)):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            found += [[str(key), *rest] for rest in ([], *places(item))]
    return found


def glob(text: str, pattern: str) -> bool:
    """Whether *pattern* of ``*`` and ``?`` covers *text*, by trying everything."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(glob(text[cut:], pattern[1:]) for cut in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and glob(text[1:], pattern[1:])


@unhurried
@given(st.data())
def test_a_plain_path_finds_what_indexing_finds(data: st.DataObject) -> None:
    value = data.draw(documents)
    text = data.draw(json_texts(value))
    known = st.sampled_from(places(value) or [["a"]])
    components = data.draw(known | st.lists(st.sampled_from(["a", "b", "0", "1"]), min_size=1))
    path = ".".join(map(escaped, components))
    expected = descend(value, components)
    for document in (text, gjson.Document(text)):
        found = gjson.get(document, path)
        assert found.exists is (expected is not _NOWHERE)
        if found.exists:
            assert found.value() == floats(expected)
            assert json.loads(found.raw) == expected
            assert found.raw in text


@unhurried
@given(st.data())
def test_a_location_finds_what_indexing_finds(data: st.DataObject) -> None:
    value = data.draw(documents)
    document = gjson.Document(data.draw(json_texts(value)))
    location: list[str | int] = []
    while isinstance(value, (dict, list)) and value:
        key = data.draw(
            st.sampled_from(
                sorted(value) if isinstance(value, dict) else range(-len(value), len(value))
            )
        )
        location.append(key)
        value = value[key]
        found = document.at(location)
        assert found.exists
        assert json.loads(found.raw) == value


@unhurried
@given(st.lists(values), st.sampled_from(["a", "b", "name", "0", "a.b", "a.0"]), st.data())
def test_each_collects_what_exists_in_order(
    rows: list[Any], path: str, data: st.DataObject
) -> None:
    text = data.draw(json_texts(rows))
    found = [descend(row, path.split(".")) for row in rows]
    expected = [item for item in found if item is not _NOWHERE]
    assert gjson.get(text, "#").value() == len(rows)
    assert gjson.get(text, f"#.{path}").value() == floats(expected)
    assert gjson.get(text, f"#.{path}|#").value() == len(expected)


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_OPERANDS = [st.integers(-3, 3), st.sampled_from(["", "a", "b", "ab", "é", "1", "😀", "\uff5e"])]


@unhurried
@given(st.data(), st.sampled_from(_OPERANDS), st.sampled_from(sorted(_COMPARE)))
def test_a_query_selects_what_comparing_selects(
    data: st.DataObject, operands: st.SearchStrategy[Any], symbol: str
) -> None:
    rows = data.draw(st.lists(st.dictionaries(st.sampled_from("kv"), operands)))
    operand = data.draw(operands)
    text = data.draw(json_texts(rows))
    selected = [row for row in rows if "k" in row and _COMPARE[symbol](row["k"], operand)]
    query = f"#(k{symbol}{json.dumps(operand, ensure_ascii=False)})"
    assert gjson.get(text, f"{query}#").value() == floats(selected)
    first = gjson.get(text, query)
    assert first.exists is bool(selected)
    assert first.value() == (floats(selected[0]) if selected else None)


@unhurried
@given(st.text("ab*?é", max_size=7), st.text("abé", max_size=7), st.data())
def test_a_pattern_finds_the_first_key_it_covers(
    pattern: str, key: str, data: st.DataObject
) -> None:
    members = data.draw(st.dictionaries(st.text("abé", max_size=5), st.integers())) | {key: 1}
    text = data.draw(json_texts(members))
    expected = [item for name, item in members.items() if glob(name, pattern)]
    found = gjson.get(text, pattern)
    assert found.value() == (floats(expected[0]) if expected else None)


@unhurried
@given(st.data())
def test_formatting_keeps_the_value(data: st.DataObject) -> None:
    value = data.draw(documents)
    text = data.draw(json_texts(value))
    for modifier in ("@this", "@ugly", "@pretty", '@pretty:{"sortKeys":true,"width":20}', "@valid"):
        found = gjson.get(text, modifier)
        assert json.loads(found.raw) == value
    assert gjson.get(text, "@tostr|@fromstr").raw == text.lstrip()
    assert gjson.get(text, "@reverse|@reverse").value() == floats(value)
    assert gjson.get(text, "@ugly|@pretty|@ugly").raw == gjson.get(text, "@ugly").raw


@unhurried
@given(st.dictionaries(st.text(max_size=4), values), st.data())
def test_keys_and_values_are_those_of_the_object(
    members: dict[str, Any], data: st.DataObject
) -> None:
    text = data.draw(json_texts(members))
    assert gjson.get(text, "@keys").value() == list(members)
    assert gjson.get(text, "@values").value() == floats(list(members.values()))


@unhurried
@given(st.lists(values), st.data())
def test_flattening_opens_the_lists_inside(rows: list[Any], data: st.DataObject) -> None:
    text = data.draw(json_texts(rows))
    flat = [item for row in rows for item in (row if isinstance(row, list) else [row])]
    assert gjson.get(text, "@flatten").value() == floats(flat)


_SPECIAL = st.sampled_from([*'.|#*?\\@!()[]{}:,"~=<>%01ab -', "@this", "#(", "a.b", ".#."])
_PATHS = st.lists(_SPECIAL | st.text(max_size=2), max_size=12).map("".join)
_BROKEN = st.lists(st.sampled_from([*'{}[]":,\\ntf01-aé \n', '{"a":', "\udcff"])).map("".join)


@unhurried
@given(_BROKEN, _PATHS)
def test_no_text_and_no_path_crashes(text: str, path: str) -> None:
    try:
        found = gjson.get(text, path)
        again = gjson.get(gjson.Document(text), path)
        assert (found.type, found.raw, found.string()) == (again.type, again.raw, again.string())
        found.value()
        assert isinstance(found.number(), float)
        assert -(2**63) <= found.integer() < 2**63
        assert 0 <= found.unsigned() < 2**64
    except LimitExceeded:
        assert len(path) > 50


@unhurried
@given(st.data(), _PATHS)
def test_a_document_and_its_text_agree_on_every_path(data: st.DataObject, path: str) -> None:
    text = data.draw(json_texts(data.draw(documents)))
    found, again = gjson.get(text, path), gjson.get(gjson.Document(text), path)
    assert (found.type, found.raw, found.string()) == (again.type, again.raw, again.string())
    assert repr(found.value()) == repr(again.value())


def _refused(constant: str) -> Any:
    raise ValueError(constant)


@unhurried
@given(_BROKEN | documents.flatmap(json_texts))
def test_valid_is_what_a_strict_decoder_accepts(text: str) -> None:
    try:
        json.loads(text, parse_constant=_refused)
    except ValueError:
        expected = False
    else:
        expected = True
    assert gjson.valid(text) is expected
    assert gjson.Document(text).valid is expected
