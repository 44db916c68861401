"""YAML and JSON text: values, places, and problems in plain words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tiphys.manifests.documents import MAX_VALUES, read
from tiphys.manifests.findings import Place


def data(text: str) -> Any:
    (document,) = read(text)
    assert not document.problems
    return document.data


def problem(text: str) -> tuple[str, int, int]:
    (document,) = read(text)
    (found,) = document.problems
    return found.message, found.place.line, found.place.column


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True),
        ("off", False),
        ("n", False),
        ("'yes'", "yes"),
        ("0123", 83),
        ("0x1F", 31),
        ("1e3", 1000.0),
        ("1_000", 1000),
        ("2024-01-01", "2024-01-01"),
        ("12:30", "12:30"),
        ("~", None),
        ("!!str 5", "5"),
        ("|\n    two\n    lines\n", "two\nlines\n"),
    ],
)
def test_scalars_mean_what_they_mean_to_kubectl(text: str, value: object) -> None:
    assert data(f"a: {text}\nb: 1") == {"a": value, "b": 1}


def test_keys_become_texts() -> None:
    assert data("on: 1\n5: 2\n") == {"true": 1, "5": 2}


def test_places_are_those_of_keys_and_items() -> None:
    (document,) = read("a:\n  - b\n  - c: 1\n    d: {e: 2}\n")

    assert document.places[("a",)] == Place(1, 1)
    assert document.places[("a", 0)] == Place(2, 5)
    assert document.places[("a", 1, "d")] == Place(4, 5)
    assert document.places[("a", 1, "d", "e")] == Place(4, 9)


def test_anchors_and_merge_keys_work() -> None:
    text = "base: &base {a: 1, b: 2}\nlist: &more {c: 4}\nboth: {<<: [*base, *more], b: 3}\n"

    assert data(text)["both"] == {"a": 1, "b": 3, "c": 4}


def test_merged_members_have_the_place_where_they_are_written() -> None:
    (document,) = read("one: &x\n  a: 1\ntwo:\n  <<: *x\n")

    assert document.places[("two", "a")] == Place(2, 3)


def test_a_duplicate_key_is_reported_with_both_lines() -> None:
    assert problem("a: 1\nb: 2\na: 3\n") == ("duplicate key `a`; line 1 has it already", 3, 1)
    assert problem("on: 1\n'true': 3\n")[0] == "duplicate key `true`; line 1 has it already"
    assert problem("'true': 1\non: 3\n")[0].startswith("duplicate key `on` (read as `true`)")


def test_json_with_tabs_and_surrogate_pairs_is_read() -> None:
    assert data('{\n\t"a": "\\ud83d\\ude00",\n\t"b": [true, null]\n}') == {
        "a": "😀",
        "b": [True, None],
    }


def test_documents_are_told_apart_and_empty_ones_left_out() -> None:
    found = read("%YAML 1.1\n---\na: 1\n...\n---\n# nothing\n--- # more\nb: 2\n---\n")

    assert [document.data for document in found] == [{"a": 1}, {"b": 2}]
    assert found[1].places[("b",)] == Place(8, 1)


def test_a_broken_document_does_not_hide_the_others() -> None:
    first, second, third = read("a: 1\n---\nb: [\n---\nc: 3\n")

    assert (first.data, second.data, third.data) == ({"a": 1}, None, {"c": 3})
    assert second.problems[0].place.line in (3, 4)


@pytest.mark.parametrize(
    ("text", "message", "line", "column"),
    [
        ("a:\n\tb: 1\n", "a tab cannot indent here", 2, 1),
        (
            "a:\n  b: 1\n c: 2\n",
            "this line's indentation fits none of the lines above",
            3,
            2,
        ),
        ("a: b: c\n", "this `:` cannot start a value here", 1, 5),
        ('a: "b\nc: d\n', "the quote that is opened in line 1 is never closed", 3, 1),
        ("a: @foo\n", "a text cannot begin with `@`", 1, 4),
        ("a: *foo\n", "there is no anchor `&foo` before this alias", 1, 4),
        ("a: * * * * *\n", "`*` and `&` begin an alias or an anchor here", 1, 5),
        ('a: "\\d"\n', "`\\d` means nothing between double quotes", 1, 6),
        ("a: {b: c\nd: e\n", "the bracket that is opened in line 1 is not closed with `}`", 2, 2),
        ("a: {{ .Input }}\n", "this key is not a text", 1, 5),
        ("a: 1\nb: \x07\n", "a control character cannot stand in a manifest", 2, 4),
        ("a: .nan\n", "`.nan` has no place in a manifest, because JSON cannot hold it", 1, 4),
        ("a: &a [*a]\n", "there is no anchor `&a` before this alias", 1, 8),
        ("a: [\n", "the text ends where a value should be", 2, 1),
        ("a: [b, ,]\n", "a value should be here, not `,`", 1, 8),
        ("<<: 5\n", "`<<` merges only mappings", 1, 5),
        ("a: |x\n  b\n", "only `-`, `+` or a number may follow `|` or `>`", 1, 5),
    ],
)
def test_a_syntax_error_is_explained(text: str, message: str, line: int, column: int) -> None:
    assert problem(text) == (message, line, column)


def test_line_numbers_count_from_the_start_of_the_file() -> None:
    assert problem("# one\n---\n# three\n---\na: @b\n")[1] == 5


def test_aliases_of_aliases_cannot_fill_the_memory() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [
        f"{one}: &{one} [{', '.join(['*' + other] * 9)}]"
        for other, one in zip("abcdefgh", "bcdefghi", strict=True)
    ]

    assert problem("\n".join(lines))[0] == f"more than {MAX_VALUES} values"


def test_deep_nesting_is_a_problem_not_a_crash() -> None:
    assert "levels inside each other" in problem("[" * 3000)[0]


@given(
    st.text(
        alphabet=st.one_of(
            st.sampled_from("abc:-[]{}&*!|>'\"%@`#,?\\ \n\t0.~<=_\r\x85\ufeff"), st.characters()
        ),
        max_size=60,
    )
)
@example("<<: *a")
@example("? [a]\n: b")
@example("!!binary '%'")
@example("!!int x")
@example("--- |\n%")
@example("...\n---\n...")
def test_any_text_is_read_or_explained(text: str) -> None:
    for document in read(text):
        for found in document.problems:
            assert found.message
            assert found.place.line >= 1
            assert found.place.column >= 1
