"""sjson: setting and deleting values in JSON text."""

from __future__ import annotations

import json
from typing import Any

import pytest
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
from tiphys.languages import EvaluationError, LimitExceeded, gjson, sjson
from tiphys.languages.gjson import MAX_DEPTH

ORDER = '{ "id" : 7, "items": [ {"sku":"a"}, {"sku":"b"} ], "id": 8 }tail'


@pytest.mark.parametrize(
    ("path", "changed"),
    [
        ("id", ORDER.replace("7", '"v"')),
        ("items.1.sku", ORDER.replace('"b"', '"v"')),
        ("items.#.sku", ORDER.replace('"a"', '"v"').replace('"b"', '"v"')),
        ('items.#(sku=="b").sku', ORDER.replace('"b"', '"v"')),
        ("it*.0.sku", ORDER.replace('"a"', '"v"')),
        ("items.#.missing", ORDER),
        ("items|9", ORDER),
        ("items.-1", ORDER.replace("} ]", '} ,"v"]')),
    ],
)
def test_only_the_value_changes(path: str, changed: str) -> None:
    assert sjson.set_value(ORDER, path, "v") == changed


@pytest.mark.parametrize(
    ("text", "path", "new"),
    [
        (None, "a.b", '{"a":{"b":"v"}}'),
        (None, "a.1", '{"a":[null,"v"]}'),
        (None, "a.-1.b", '{"a":[{"b":"v"}]}'),
        (None, "a.:1", '{"a":{"1":"v"}}'),
        (None, "0", '["v"]'),
        (None, "-1", '{"-1":"v"}'),
        ("  ", "a", '{"a":"v"}'),
        ("[1, 2 ]", "3", '[1,2,null,"v"]'),
        ('{"a":5}', "a.b", '{"a":{"b":"v"}}'),
        ('{"a":null}', "a.0", '{"a":["v"]}'),
        ("broken", "a", '{"a":"v"}'),
        ('{"a":1}', r"x\.y", '{"a":1,"x.y":"v"}'),
        ('{"a":1}', "[a]", '{"a":1,"[a]":"v"}'),
    ],
)
def test_what_is_missing_is_built(text: str | None, path: str, new: str) -> None:
    assert sjson.set_value(text, path, "v") == new


@pytest.mark.parametrize(
    ("value", "source"),
    [
        ("<plain>", '"<plain>"'),
        ('<"quoted">', r'"\u003c\"quoted\"\u003e"'),
        ("line\nend\u2028", r'"line\nend\u2028"'),
        ("é\udcff", '"é\\ufffd"'),
        (None, "null"),
        (True, "true"),
        (12, "12"),
        (1e21, "1000000000000000000000"),
        (0.5, "0.5"),
        ({"b": [1.0, "<"], "a": None}, r'{"a":null,"b":[1,"\u003c"]}'),
    ],
)
def test_values_are_written_as_json(value: Any, source: str) -> None:
    assert sjson.set_value('{"a":0}', "a", value) == f'{{"a":{source}}}'


def test_raw_text_is_set_as_it_is() -> None:
    assert sjson.set_raw('{"a":0}', "a", "[1, 2]") == '{"a":[1, 2]}'
    assert sjson.set_raw(None, "a", "no json") == '{"a":no json}'


@pytest.mark.parametrize(
    ("text", "path", "rest"),
    [
        ('{"a":1,"b":2}', "a", '{"b":2}'),
        ('{"a":1, "b" : 2}', "b", '{"a":1}'),
        ('{"a":1}', "a", "{}"),
        ("[1, 2, 3]", "1", "[1, 3]"),
        ("[1, 2, 3]", "0", "[ 2, 3]"),
        ("[1, 2, 3]", "-1", "[1, 2]"),
        ('{"a":{"b":[1]}}', "a.b.0", '{"a":{"b":[]}}'),
        ('{"x":1,"a\\"b":2}', 'a"b', '{"x":1}'),
        ('{"a":1}', "b.c", '{"a":1}'),
        ("[]", "-1", "[]"),
    ],
)
def test_deleting_takes_the_comma_along(text: str, path: str, rest: str) -> None:
    assert sjson.delete(text, path) == rest


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ("{}", "", "path cannot be empty"),
        ("[1]", "a", "cannot set array element for non-numeric key 'a'"),
        ('{"a":[1]}', "a.:1", "cannot set array element for non-numeric key '1'"),
    ],
)
def test_a_path_that_does_not_fit_is_an_error(text: str, path: str, message: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        sjson.set_value(text, path, "v")
    assert str(caught.value) == message


def test_only_a_plain_path_can_be_deleted() -> None:
    with pytest.raises(EvaluationError, match="complex path"):
        sjson.delete('{"a":[1]}', "a.#")


@pytest.mark.parametrize("value", [float("inf"), object(), {"a": {1, 2}}, [float("nan")]])
def test_what_has_no_json_form_cannot_be_inside_a_value(value: Any) -> None:
    with pytest.raises(EvaluationError):
        sjson.set_value("{}", "a", {"x": value})


def test_a_distant_index_is_stopped_before_it_takes_memory() -> None:
    for path in ("a.99999999999", "99999999999", "a.9999999.9999999"):
        with pytest.raises(LimitExceeded):
            sjson.set_value("[]" if path[0] == "9" else None, path, "v")


def test_a_long_path_is_stopped() -> None:
    assert sjson.set_value(None, ".".join(["a"] * MAX_DEPTH), "v").count("{") == MAX_DEPTH
    with pytest.raises(LimitExceeded):
        sjson.set_value(None, ".".join(["a"] * (MAX_DEPTH + 1)), "v")


@pytest.mark.parametrize("path", ["a|" * 9000, "@this|" * 1000 + "a", "#.0." * 1000])
def test_a_complex_path_has_the_limits_of_gjson(path: str) -> None:
    with pytest.raises(LimitExceeded):
        sjson.set_value("[" * 4000, path, "v")


def test_a_deep_value_is_stopped() -> None:
    value: Any = "x"
    for _ in range(1000):
        value = [value]
    with pytest.raises(LimitExceeded):
        sjson.set_value("{}", "a", value)


def _assigned(value: Any, components: list[str], new: Any) -> Any:
    """*value* after an assignment under keys that are no numbers, made in decoded data."""
    first, *rest = components
    inner = value.get(first) if isinstance(value, dict) else None
    changed = _assigned(inner, rest, new) if rest else new
    return {**(value if isinstance(value, dict) else {}), first: changed}


_NAMES = st.text(min_size=1, max_size=4).filter(lambda key: not key.isdigit() and key != "-1")
_COMPONENTS = st.lists(st.sampled_from(["a", "b", "name", "x.y", "é", 'q"']) | _NAMES, min_size=1)


def _has_list(value: Any, components: list[str]) -> bool:
    for component in components:
        if isinstance(value, list):
            return True
        value = value.get(component) if isinstance(value, dict) else None
    return False


@unhurried
@given(st.data(), documents, _COMPONENTS, values)
def test_setting_a_value_does_what_assigning_does(
    data: st.DataObject, value: Any, components: list[str], new: Any
) -> None:
    text = data.draw(json_texts(value))
    # A wildcard or a query that is escaped would be a path for gjson to find, not to create.
    components = [key.translate(dict.fromkeys(map(ord, "|#@*?"), "k")) for key in components]
    path = ".".join(map(escaped, components))
    if _has_list(value, components):
        with pytest.raises(EvaluationError):
            sjson.set_value(text, path, new)
        return
    changed = sjson.set_value(text, path, new)
    assert floats(json.loads(changed)) == floats(_assigned(value, components, new))
    assert gjson.get(changed, path).value() == floats(new)
    assert gjson.get(sjson.set_raw(text, path, "12.50"), path).raw == "12.50"


@unhurried
@given(st.data(), documents)
def test_setting_what_is_there_changes_no_other_character(data: st.DataObject, value: Any) -> None:
    text = data.draw(json_texts(value))
    path, inner = [], value
    while isinstance(inner, (dict, list)) and inner:
        keys = sorted(inner) if isinstance(inner, dict) else range(len(inner))
        key = data.draw(st.sampled_from(keys))
        path.append(escaped(str(key).translate(dict.fromkeys(map(ord, "|#@*?"), "k"))))
        inner = inner[key]
    dotted = ".".join(path) or "missing"
    found = gjson.get(text, dotted)
    if found.exists:
        assert sjson.set_raw(text, dotted, found.raw) == text
        head, _, tail = sjson.set_raw(text, dotted, "\x00").partition("\x00")
        assert head + found.raw + tail == text


@unhurried
@given(st.data(), documents)
def test_deleting_does_what_del_does(data: st.DataObject, value: Any) -> None:
    text = data.draw(json_texts(value))
    keys = sorted(value) if isinstance(value, dict) else list(range(len(value)))
    keys = [key for key in keys if not set("|#@*?") & set(str(key))]
    if not keys:
        assert sjson.delete(text, "missing") == text
        return
    key = data.draw(st.sampled_from(keys))
    path = escaped(str(key))
    del value[key]
    assert json.loads(sjson.delete(text, path if path != "-1" else ":-1")) == value


_TEXTS = st.lists(st.sampled_from([*'{}[]":,\\\n 1a', '"a"', '{"a":'])).map("".join)
_PATHS = st.lists(st.sampled_from([*".|#*?\\@:()[]=01a-", "-1", "a.b"]), max_size=9).map("".join)


@unhurried
@given(_TEXTS, _PATHS, st.text(max_size=3))
def test_no_text_and_no_path_crashes(text: str, path: str, value: str) -> None:
    try:
        for new in (
            sjson.delete(text, path),
            sjson.set_raw(text, path, value),
            sjson.set_value(text, path, value),
        ):
            assert isinstance(new, str)
    except EvaluationError as error:
        # Only a plain path may be deleted, and a key may not fit an array.
        assert path == "" or set(path) & set("|#@*?") or "[" in text + path
        assert str(error)
