"""gjson: what results convert to, and the corners that its conformance data does not name."""

from __future__ import annotations

import math

import pytest

from tiphys.languages import gjson
from tiphys.languages.gjson import Document, Kind

PEOPLE = """{
 "name": {"first": "Tom", "last": "Anderson"},
 "age": 37, "big": 12345678901234567890, "rate": 1e3, "none": null, "odd.key": "x",
 "friends": [
  {"first": "Dale", "age": 44, "nets": ["ig", "fb"]},
  {"first": "Roger", "age": 68, "nets": ["fb"]}
 ]
}"""


@pytest.fixture(params=[Document, str], ids=["document", "text"])
def people(request: pytest.FixtureRequest) -> Document | str:
    made: Document | str = request.param(PEOPLE)
    return made


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("name.first", "Tom"),
        ("age", 37.0),
        ("none", None),
        (r"odd\.key", "x"),
        ("friends.1.first", "Roger"),
        ("friends.#", 2.0),
        ("friends.#.first", ["Dale", "Roger"]),
        ("friends.#.nets.#", [2.0, 1.0]),
        ('friends.#(first=="Roger").age', 68.0),
        ("friends.#(age>40)#.first", ["Dale", "Roger"]),
        ("friends.#(nets.#(=fb))#|#", 2.0),
        ("na*.l?st", "Anderson"),
        ("{age,name.last}", {"age": 37.0, "last": "Anderson"}),
        ("[age,missing,none]", [37.0, None]),
        ("friends.@reverse.0.first", "Roger"),
        ("name.@keys", ["first", "last"]),
        ('!"constant"', "constant"),
    ],
)
def test_a_path_finds_the_same_in_a_text_and_in_a_document(
    people: Document | str, path: str, value: object
) -> None:
    found = gjson.get(people, path)
    assert found.exists
    assert found.value() == value


@pytest.mark.parametrize(
    "path",
    ["missing", "name.missing", "age.x", "none.x", "friends.2", "friends.-1", "friends.first", ""],
)
def test_what_is_not_there_does_not_exist(people: Document | str, path: str) -> None:
    found = gjson.get(people, path)
    assert not found.exists
    assert (found.type, found.raw, found.string(), found.value()) == (Kind.NULL, "", "", None)


def test_a_null_exists(people: Document | str) -> None:
    found = gjson.get(people, "none")
    assert found.exists
    assert (found.type, found.raw, found.string()) == (Kind.NULL, "null", "")


def test_the_source_keeps_digits_exponents_and_blanks(people: Document | str) -> None:
    assert gjson.get(people, "big").raw == "12345678901234567890"
    assert gjson.get(people, "big").string() == "12345678901234567890"
    assert gjson.get(people, "rate").raw == "1e3"
    assert gjson.get(people, "rate").string() == "1000"
    assert gjson.get(people, "name").raw == '{"first": "Tom", "last": "Anderson"}'
    assert gjson.get(people, "name.first").raw == '"Tom"'


@pytest.mark.parametrize(
    ("raw", "number", "integer", "unsigned"),
    [
        ("1.9", 1.9, 1, 1),
        ("-1.9", -1.9, -1, 2**64 - 1),
        ("9007199254740993", 9007199254740992.0, 9007199254740993, 9007199254740993),
        ("18446744073709551615", 1.8446744073709552e19, -1, 2**64 - 1),
        ("-9223372036854775808", -9.223372036854775808e18, -(2**63), 2**63),
        ("1e400", math.inf, -(2**63), 2**63),
        ('"12"', 12.0, 12, 12),
        ('"-3"', -3.0, -3, 0),
        ('"1.5"', 1.5, 0, 0),
        ('"x"', 0.0, 0, 0),
        ("true", 1.0, 1, 1),
        ("false", 0.0, 0, 0),
        ("null", 0.0, 0, 0),
        ("[1]", 0.0, 0, 0),
    ],
)
def test_every_value_converts_to_numbers(
    raw: str, number: float, integer: int, unsigned: int
) -> None:
    found = gjson.get(f'{{"v":{raw}}}', "v")
    assert (found.number(), found.integer(), found.unsigned()) == (number, integer, unsigned)


@pytest.mark.parametrize(
    ("raw", "truth"),
    [
        ("true", True),
        ("false", False),
        ("0", False),
        ("-0.5", True),
        ("null", False),
        ('"t"', True),
        ('"TRUE"', True),
        ('"yes"', False),
        ('"0"', False),
        ("[1]", False),
    ],
)
def test_every_value_converts_to_a_boolean(raw: str, truth: bool) -> None:
    assert gjson.get(f'{{"v":{raw}}}', "v").boolean() is truth


def test_of_equal_keys_the_first_counts_as_a_value() -> None:
    text = '{"a":1,"a":2,"b":{"x":1,"x":2}}'
    for document in (text, Document(text)):
        assert gjson.get(document, "a").raw == "1"
        assert gjson.get(document, "b").value() == {"x": 1.0}
        assert gjson.get(document, "b.@keys").raw == '["x","x"]'


def test_of_equal_keys_the_first_that_leads_on_counts_as_a_parent() -> None:
    text = '{"a":1,"a":{"x":1},"a":{"b":2}}'
    assert gjson.get(Document(text), "a.b").raw == gjson.get(text, "a.b").raw == "2"


def test_an_empty_key_is_an_empty_component() -> None:
    text = '{"":{"":5}}'
    for document in (text, Document(text)):
        assert gjson.get(document, "").raw == '{"":5}'
        assert gjson.get(document, ".").raw == "5"


def test_two_dots_at_the_beginning_make_the_text_a_list_of_lines() -> None:
    lines = '{"a":1}\n{"a":2}\n'
    assert gjson.get(lines, "..#").raw == "2"
    assert gjson.get(Document(lines), "..#.a").raw == "[1,2]"


@pytest.mark.parametrize(
    ("text", "path", "raw"),
    [
        ('{"a":{"b":1', "a.b", "1"),
        ('{"a":1} tail', "a", "1"),
        ('{a:1,"b":2}', "b", "2"),
        ("[1,2", "#", "2"),
        ("[1 2 3]", "1", "2"),
        ('{"a":NaN}', "a", "NaN"),
        ('noise {"a":"x"', "a", '"x"'),
    ],
)
def test_broken_json_is_searched_as_far_as_it_goes(text: str, path: str, raw: str) -> None:
    assert not gjson.valid(text)
    assert gjson.get(text, path).raw == gjson.get(Document(text), path).raw == raw


def test_bytes_that_are_no_text_survive() -> None:
    document = Document(b'{"a":"\xff\xfe","b":"x"}')
    assert document.valid
    assert gjson.get(document, "a").string().encode("utf-8", "surrogateescape") == b"\xff\xfe"
    assert gjson.get(document, "b").string() == "x"


def test_a_half_of_a_surrogate_pair_becomes_a_replacement_character() -> None:
    for text in (r'{"a":"x\ud83dy"}', '{"a":"x\ud83dy"}'):
        found = gjson.get(Document(text), "a")
        assert found.string() == "x\ufffdy"
        assert gjson.get(Document(text), "@this").value() == {"a": "x\ufffdy"}


def test_a_text_that_is_one_value_can_be_read_without_a_path() -> None:
    assert gjson.parse(' "a\\u00e9" ').string() == "aé"
    assert gjson.parse("12.50").raw == "12.50"
    assert gjson.parse(b"[1, 2]").value() == [1.0, 2.0]
    assert not gjson.parse("  ").exists
    assert not gjson.parse("?").exists


@pytest.mark.parametrize("text", ["", "  ", "{", "[1,]", "{}x", '{"a"}', "01", "+1", "nul", '"\t"'])
def test_broken_json_is_not_valid(text: str) -> None:
    assert not gjson.valid(text)
    assert not Document(text).valid


def test_a_document_nested_thousands_of_levels_deep_can_be_valid() -> None:
    text = "[" * 5000 + "]" * 5000
    assert Document(text).valid
    assert not gjson.valid(text + "]")
    assert gjson.get(Document(text), "0").raw == text[1:-1]


def test_results_show_what_they_are() -> None:
    assert repr(gjson.get('{"a":[1]}', "a")) == "<Result JSON '[1]'>"
    assert repr(gjson.compile("a.b")) == "<Path 'a.b'>"


def test_a_path_is_compiled_once() -> None:
    assert gjson.compile("a.#(b>1)#.c") is gjson.compile("a.#(b>1)#.c")
    assert gjson.compile("a.b").text == "a.b"


def test_a_location_is_a_list_of_keys_and_indexes() -> None:
    document = Document('{"a.b": [1, {"c": 1.50}]}')
    assert document.at(["a.b", -1, "c"]).raw == "1.50"
    assert document.at(["a.b", 0]).value() == 1.0
    assert document.at(["a.b", 1]).raw == '{"c": 1.50}'
    assert document.at([]).raw == document.text


@pytest.mark.parametrize(
    "location", [["a"], ["a.b", 2], ["a.b", -3], ["a.b", "c"], [0], ["a.b", 0, "x"]]
)
def test_a_location_may_lead_nowhere(location: list[str | int]) -> None:
    assert not Document('{"a.b": [1, {"c": 1.50}]}').at(location).exists


def test_a_location_takes_the_first_of_equal_keys_and_nothing_from_broken_json() -> None:
    assert Document('{"a":{"b":[1,2],"b":3},"a":4}').at(["a", "b", -1]).raw == "2"
    assert not Document('{"a":1,"a":2}').at(["a", 0]).exists
    assert not Document('{"a":[1],"a":2}').at(["a", 1]).exists
    assert not Document('{"a":1').at(["a"]).exists
    assert not Document(b'{"a":"\xff"}').at(["a"]).exists
