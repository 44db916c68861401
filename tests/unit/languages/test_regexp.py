"""Regular expressions as Go has them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiphys.languages import CompileError, LimitExceeded, regexp


def test_a_pattern_matches_anywhere_unless_anchored() -> None:
    assert regexp.compile("b+").search("abbc")
    assert not regexp.compile("^b+$").search("abbc")
    assert not regexp.compile("abc$").search("abc\n")


def test_classes_are_ascii_and_unicode_classes_are_unicode() -> None:
    assert not regexp.compile(r"\d|\w|\s").search("é٣\u00a0")
    assert regexp.compile(r"^\pL\p{Nd}\p{Zs}$").search("é٣\u00a0")


def test_a_match_has_its_groups_and_offsets_in_bytes() -> None:
    match = regexp.compile("(é)(x)?(?P<last>b)").find("aéb")

    assert match is not None
    assert match.groups == ("éb", "é", None, "b")
    assert match.index == (1, 4, 1, 3, -1, -1, 3, 4)


def test_names_are_listed_by_group_even_twice() -> None:
    assert regexp.compile("(?P<n>a)(b)(?<n>[(]c)").names == ("", "n", "", "n")


@pytest.mark.parametrize(
    ("pattern", "text", "limit", "found"),
    [
        ("a*", "baac", -1, ["", "aa", ""]),
        ("", "é日", -1, ["", "", ""]),
        (r"\B", "aé", -1, [""]),
        ("a", "aaa", 2, ["a", "a"]),
        ("a", "aaa", 0, []),
    ],
)
def test_all_matches_are_found_as_go_finds_them(
    pattern: str, text: str, limit: int, found: list[str]
) -> None:
    matches = regexp.compile(pattern).find_all(text, limit)

    assert [match.groups[0] for match in matches] == found


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ("<$0>", "x<ab>y"),
        ("${1}x$2", "xaxby"),
        ("$1x", "xy"),  # the group named "1x" does not exist
        ("$n$$", "xa$y"),
        ("${n}${m}", "xay"),
        ("$", "x$y"),
        ("${1", "x${1y"),
        ("$01", "xy"),
        ("$1é", "xy"),
        ("$99", "xy"),
    ],
)
def test_templates_name_groups(template: str, result: str) -> None:
    assert regexp.compile("(?P<n>a)(b)").replace_all("xaby", template) == result


def test_a_literal_replacement_has_no_groups() -> None:
    assert regexp.compile("a|^").replace_all_literal("aba", "$0") == "$0b$0"


@pytest.mark.parametrize(
    ("limit", "parts"),
    [
        (-1, ["", "b", "", "b", "c", "c", "", "", ""]),
        (3, ["", "b", "abacacaaa"]),
        (1, ["abaabacacaaa"]),
    ],
)
def test_split_cuts_at_matches_up_to_a_limit(limit: int, parts: list[str]) -> None:
    assert regexp.compile("a").split("abaabacacaaa", limit) == parts


def test_split_at_nothing_gives_characters_and_limit_zero_nothing() -> None:
    assert regexp.compile("").split("aé") == ["a", "é"]
    assert regexp.compile("a").split("") == [""]
    assert regexp.compile("").split("") == []
    assert regexp.compile("a").split("bab", 0) == []


@pytest.mark.parametrize(
    ("pattern", "message", "position"),
    [
        ("a(b", "error parsing regexp: missing closing ): `a(b`", 0),
        ("a)", "error parsing regexp: unexpected ): `a)`", 0),
        ("x[a", "error parsing regexp: missing closing ]: `[a`", 1),
        ("*a", "error parsing regexp: missing argument to repetition operator: `*`", 0),
        ("a**", "error parsing regexp: invalid nested repetition operator: `**`", 1),
        ("a{1001}", "error parsing regexp: invalid repeat count: `{1001}`", 1),
        ("(?=a)", "error parsing regexp: invalid or unsupported Perl syntax: `(?=`", 0),
        ("[z-a]", "error parsing regexp: invalid character class range: `z-a`", 1),
        ("\\", "error parsing regexp: trailing backslash at end of expression", None),
        (r"a\C", r"error parsing regexp: invalid escape sequence: `\C`", 1),
        ("(?P<é>a)", "error parsing regexp: invalid named capture: `(?P<é>`", 0),
        (r"\p{Nope}", r"error parsing regexp: invalid character class range: `\p{Nope}`", 0),
        ("\udcff", "error parsing regexp: invalid UTF-8", None),
    ],
)
def test_a_broken_pattern_says_what_and_where(
    pattern: str, message: str, position: int | None
) -> None:
    with pytest.raises(CompileError) as caught:
        regexp.compile(pattern)

    assert (caught.value.message, caught.value.position) == (message, position)


@pytest.mark.parametrize(
    ("pattern", "inside", "outside"),
    [
        (r"\p{Letter}", "é", "1"),
        (r"\p{uppercase_letter}", "É", "é"),
        (r"\p{greek}", "α", "a"),
        (r"\p{Old_Italic}", "\U00010300", "a"),
        (r"\p{^Greek}", "a", "α"),
        (r"\P{^Greek}", "α", "a"),
        (r"\p{ASCII}", "a", "é"),
        (r"[\P{ASCII}]", "é", "a"),
        (r"\p{LC}", "a", "日"),
        (r"\p{Assigned}", "a", "\u0378"),
        (r"\p{Cn}", "\u0378", "a"),
        (r"\pC", "\u0378", "a"),
        (r"[[:alpha:]\p{Any}]", "\n", ""),
        (r"\Q\pL[\E", r"\pL[", "a"),
    ],
)
def test_unicode_classes_have_the_names_of_go(pattern: str, inside: str, outside: str) -> None:
    compiled = regexp.compile(pattern)

    assert compiled.search(inside)
    assert not compiled.search(outside)


def test_a_class_that_a_bracket_cannot_list_is_refused() -> None:
    with pytest.raises(CompileError, match="invalid character class range"):
        regexp.compile(r"[a\p{Cn}]")


def test_bytes_that_are_no_text_match_as_one_character_each() -> None:
    text = "a\udcff\udcc3é"

    match = regexp.compile("a(..)(.)").find(text)
    assert match is not None
    assert match.groups == (text, "\udcff\udcc3", "é")
    assert match.index == (0, 5, 1, 3, 3, 5)
    assert regexp.compile("\ufffd").replace_all(text, "?") == "a??é"


def test_matching_takes_linear_time() -> None:
    assert not regexp.compile("(a+)+$").search("a" * 50_000 + "b")


def test_a_pattern_that_needs_too_much_memory_is_refused() -> None:
    with pytest.raises(CompileError, match="expression too large"):
        regexp.compile(r"(\pL{100}){10}")


def test_replacements_are_limited() -> None:
    with pytest.raises(LimitExceeded):
        regexp.compile("a").replace_all("a" * 100_000, "$0" * 1_000)


@given(st.text(), st.text(), st.text())
def test_a_quoted_text_matches_itself_and_nothing_else(before: str, text: str, after: str) -> None:
    compiled = regexp.compile(regexp.quote_meta(text))
    whole = before + text + after

    match = compiled.find(whole)
    assert match is not None
    assert match.groups == (text,)
    assert match.index[0] == len(whole[: whole.index(text)].encode())


@given(st.text("aé\n日b", max_size=30), st.sampled_from(["a", "é+", "[^a]", "a*", "\\b", ""]))
def test_cutting_and_replacing_agree_about_the_matches(text: str, pattern: str) -> None:
    compiled = regexp.compile(pattern)
    matches = [match.groups[0] or "" for match in compiled.find_all(text)]

    assert compiled.replace_all(text, "$0") == text
    without = compiled.replace_all_literal(text, "")
    assert len(without) + sum(map(len, matches)) == len(text)
    assert "".join(compiled.split(text)) == without


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_pattern_compiles_or_is_a_compile_error(pattern: str, text: str) -> None:
    try:
        compiled = regexp.compile(pattern)
    except CompileError as error:
        assert error.message.startswith("error parsing regexp: ")
    else:
        assert compiled.search(text) == (compiled.find(text) is not None)
