"""The paths of the ``jsonpath()`` function inside expressions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.languages._json_texts import floats, unhurried, values
from tiphys.languages import (
    CompileError,
    EvaluationError,
    LanguageError,
    LimitExceeded,
    jsonpath_function,
)

DATA: dict[str, Any] = {
    "list": [1.0, 2.0, 3.0, 4.0, 5.0],
    "nested": [[1.0, 2.0], [3.0]],
    "people": [
        {"name": "Eve", "age": 30.0, "mail": "eve@x"},
        {"name": "Bob", "age": 25.0, "boss": None},
    ],
    "map": {"b": 1.0, "a": 2.0, "k-d": 3.0, "x.y": 4.0, "it's": 5.0},
    "null": None,
    "text": "é",
    "yes": True,
    "empty": [],
}


def get(path: str) -> Any:
    return jsonpath_function.compile(path).get(DATA)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$", DATA),
        ("@.text", "é"),
        ("$.text", "é"),
        ("$. text ", "é"),
        ("$['text']", "é"),
        ('$["map"]["k-d"]', 3.0),
        ("$.map.k-d", 3.0),
        ("$.map['x.y']", 4.0),
        (r"$.map['it\'s']", 5.0),
        ("$.null", None),
        ("$.list[0]", 1.0),
        ("$.list[-1]", 5.0),
        ("$.list[ 1 ]", 2.0),
        ("$.list.length", 5),
        ("$.map.length", 5),
        ("$.text.length", 2),
        ("$.list[1:3]", [2.0, 3.0]),
        ("$.list[-2:]", [4.0, 5.0]),
        ("$.list[::2]", [1.0, 3.0, 5.0]),
        ("$.list[::-2]", [5.0, 3.0, 1.0]),
        ("$.list[5:0:-1]", []),
        ("$.list[1:100]", [2.0, 3.0, 4.0, 5.0]),
        ("$.list[0,-1,9]", [1.0, 5.0]),
        ("$.list[(@.length-1)]", 5.0),
        ("$.list[0:(@.length-3)]", [1.0, 2.0]),
        ("$.list[(0),1]", [1.0, 2.0]),
        ("$.map['a','nothing','b']", [2.0, 1.0]),
        ("$.map.*", [2.0, 1.0, 5.0, 3.0, 4.0]),
        ("$.nested[*][*]", [[1.0, 2.0], [3.0]]),
        ("$.nested[*][1]", [2.0]),
        ("$.nested[0:2][0]", [1.0, 2.0]),
        ("$.people[*].boss", []),
        ("$.people.*.name", ["Eve", "Bob"]),
        ("$..name", ["Eve", "Bob"]),
        ("$..people[1].age", [25.0]),
        ("$.people[?(@.age > 26)].name", ["Eve"]),
        ("$.people[?(@.age > 20)][1]", {"name": "Bob", "age": 25.0, "boss": None}),
        ("$.people[?(@.mail)].name", ["Eve"]),
        ("$.people[?(!@.mail)].name", []),
        ("$.people[?(@.boss == null)].name", ["Bob"]),
        ("$.people[?(@.name == 'Bob' || @.age == 30)].age", [30.0, 25.0]),
        ("$.people[?(@['age'] < $.list[0] * 26)].name", ["Bob"]),
        ("$.people[?(@.name =~ '^E')].name", ["Eve"]),
        ("$.people[?(@.age in [25, 26])].name", ["Bob"]),
        ("$.people[?(@.age not in [25, 26])].name", ["Eve"]),
        ("$.list[?(@ - 1 - 1 == 3)]", [3.0]),
        ("$.list[?((@ + 1) * 2 == 6)]", [2.0]),
        ("$.list[?(@ % 2)]", [1.0, 3.0, 5.0]),
        ("$.list[?(@ ** 2 == 9)]", [3.0]),
        ("$.list[?(true)]", DATA["list"]),
        ("$.list[?(0)]", []),
        ("$.list[?(word)]", DATA["list"]),
        ("$.map[?(@ > 3)]", [5.0, 4.0]),
    ],
)
def test_paths_lead_where_they_lead_in_the_original(path: str, value: Any) -> None:
    assert get(path) == value


@pytest.mark.parametrize(
    "path",
    [
        "$.nothing",
        "$.null.x",
        "$.text.x",
        "$.list.x",
        "$.list[9]",
        "$.text[0]",
        "$.map[0]",
        "$.map[0:1]",
        "$.yes.length",
        "$.yes.*",
        "$.yes[?(@)]",
        "$.list['a','b']",
        "$.map['a',0]",
        "$.list[::0]",
        "$.list[('x')]",
        "$.list[(1.5)]",
        "$.list[(nil)]",
        "$.list[0:(@.nothing)]",
        "$.list[?(@ % 0)]",
    ],
)
def test_a_path_that_leads_nowhere_is_an_error(path: str) -> None:
    with pytest.raises(EvaluationError):
        get(path)


@pytest.mark.parametrize(
    ("path", "position"),
    [
        ("", 0),
        ("list", 0),
        (" $.list", 0),
        ("$list", 1),
        ("$ .list", 1),
        ("$.", 1),
        ("$[", 1),
        ("$.list[]", 6),
        ("$.list[a]", 6),
        ("$.list[1,]", 6),
        ("$.list[1:2:3:4]", 6),
        ("$.list[1:a]", 6),
        ("$.list['a':1]", 6),
        ("$.list[1:2,3]", 6),
        ("$.list['a''b']", 6),
        ("$.list[?@>2]", 6),
        ("$.list[?(]", 6),
    ],
)
def test_a_broken_path_is_an_error_at_its_place(path: str, position: int) -> None:
    with pytest.raises(CompileError) as caught:
        jsonpath_function.compile(path)

    assert caught.value.position == position


def test_scripts_have_no_grammar_as_in_the_original() -> None:
    with pytest.raises(CompileError, match="unsupported operator"):
        jsonpath_function.compile("$.list[?((@ > 4 || @ < 2))]")
    assert jsonpath_function.compile("$[?(@.pricing > 1)]").get([{"pricing": 2.0}]) == []
    assert jsonpath_function.compile("$[?(@['pricing'] > 1)]").get([{"pricing": 2.0}]) != []


def test_the_values_that_a_path_looks_at_are_limited() -> None:
    deep: Any = [1.0]
    for _ in range(60):
        deep = [deep, deep]

    with pytest.raises(LimitExceeded, match="500000 values"):
        jsonpath_function.compile("$..*").get(deep)
    with pytest.raises(LimitExceeded):
        jsonpath_function.compile("$.list[?(@..*)]").get({"list": [deep]})


def test_the_length_of_a_path_and_its_nesting_are_limited() -> None:
    with pytest.raises(CompileError, match="4096 characters"):
        jsonpath_function.compile("$" + ".a" * 4096)
    with pytest.raises(CompileError, match="nested too deeply"):
        jsonpath_function.compile("$[?(" + "!" * 4000 + "@)]")
    nested: Any = 1.0
    for _ in range(2000):
        nested = [nested]
    with pytest.raises(LimitExceeded, match="nested too deeply"):
        jsonpath_function.compile("$..x").get(nested)


PARTS = st.sampled_from(
    [
        *("$", "@", ".", "..", "[", "]", "(", ")", "?", "*", ",", ":", "'", '"', "?(", ")]", "[?"),
        *("a", "b", "length", "0", "-1", "2", "==", "&&", "||", "!", "in", "<", "+", "%", "=~"),
        *("{}", "é", " "),
    ]
)


@given(st.lists(PARTS, max_size=12).map("".join), values)
@unhurried
def test_any_path_gives_a_value_or_an_error_of_the_language(path: str, value: Any) -> None:
    for text in (path, f"${path}", f"$[?({path})]", f"$[{path}]"):
        try:
            jsonpath_function.compile(text).get(floats(value))
        except LanguageError as error:
            assert str(error)


@given(st.dictionaries(st.text("abxyz_", min_size=1, max_size=3), values, min_size=1))
@unhurried
def test_every_member_is_found_by_its_name(members: dict[str, Any]) -> None:
    for name, value in members.items():
        assert jsonpath_function.compile(f"$['{name}']").get(members) == value
        if name != "length":
            assert jsonpath_function.compile(f"$.{name}").get(members) == value
