"""Bodies, forms, timestamps: how they become members of a payload."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiphys.sources._shared.embedding import NotJSON, raw_json, raw_members, text
from tiphys.sources._shared.forms import parse_form
from tiphys.sources._shared.timestamps import long_timestamp, parse_long_timestamp

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
SPACES = st.sampled_from([None, 1, "\t", " \n"])


def embedded(body: bytes) -> bytes:
    return orjson.dumps(raw_json(body))


@given(VALUES, SPACES, st.booleans())
def test_an_embedded_body_says_the_same_without_space(
    value: Any, indent: int | str | None, escaped: bool
) -> None:
    try:
        body = json.dumps(value, indent=indent, ensure_ascii=escaped).encode()
    except UnicodeEncodeError:
        return  # a lone surrogate, written as it is
    result = embedded(body).decode()

    compact = json.dumps(value, separators=(",", ":"), ensure_ascii=escaped)
    for character in "<>&\u2028\u2029":
        compact = compact.replace(character, f"\\u{ord(character):04x}")
    assert without_surrogates(result) == without_surrogates(compact)


def without_surrogates(text: str) -> str:
    """Lone surrogates are replaced, which the property above does not look at."""
    return "" if "\\ufffd" in text.lower() or "\\ud" in text.lower() else text


@given(st.binary(max_size=40))
def test_any_bytes_are_a_value_or_refused_as_none(body: bytes) -> None:
    try:
        result = embedded(body)
    except NotJSON:
        with pytest.raises(ValueError, match=r".*"):
            json.loads(body.decode("utf-8", "replace"), parse_constant=_refuse)
    else:
        result.decode()


def _refuse(name: str) -> None:
    raise ValueError(name)


@pytest.mark.parametrize(
    "body", [b"{}", b'{"a":1.50,"b":[1,2,"x y"]}', b"1e400", b"-0", b"1E5", b'"\\u0041"']
)
def test_a_compact_body_is_embedded_to_the_letter(body: bytes) -> None:
    assert embedded(body) == body


@given(st.dictionaries(st.text(), VALUES), SPACES, st.booleans())
def test_the_members_of_an_object_are_those_that_it_has(
    value: dict[str, Any], indent: int | str | None, escaped: bool
) -> None:
    try:
        body = json.dumps(value, indent=indent, ensure_ascii=escaped).encode()
    except UnicodeEncodeError:
        return  # a lone surrogate, written as it is
    whole = raw_json(body)
    members = raw_members(whole)

    assert members is not None
    assert json.loads(orjson.dumps(members)) == json.loads(orjson.dumps(whole))


def test_a_member_is_its_text_and_of_several_with_one_name_the_last() -> None:
    body = b'{"a": 1, "\\u0061": {"b" : [1.10, "}"]}, "": 123456789012345678901234}'
    members = raw_members(raw_json(body))

    assert orjson.dumps(members) == b'{"a":{"b":[1.10,"}"]},"":123456789012345678901234}'


@pytest.mark.parametrize("body", [b"[]", b'["{"]', b'"{"', b"1", b"null"])
def test_another_value_than_an_object_has_no_members(body: bytes) -> None:
    assert raw_members(raw_json(body)) is None


def test_a_text_is_kept_with_replacements_for_what_is_none() -> None:
    assert text(b"a\xffb\xc3\xa9") == "a\ufffdbé"


@given(st.dictionaries(st.text(min_size=1), st.lists(st.text(), min_size=1), max_size=5))
def test_a_form_is_read_as_it_was_written(values: dict[str, list[str]]) -> None:
    from urllib.parse import urlencode

    try:
        form = urlencode(values, doseq=True)
    except UnicodeEncodeError:
        return

    assert parse_form(form) == (values, None)


@pytest.mark.parametrize(
    ("form", "values", "problem"),
    [
        ("", {}, None),
        ("&&", {}, None),
        ("a", {"a": [""]}, None),
        ("a=b=c", {"a": ["b=c"]}, None),
        ("a=%F", {}, 'invalid URL escape "%F"'),
        ("a=%zz1&b=1", {"b": ["1"]}, 'invalid URL escape "%zz"'),
        ("a;b=1&c=2", {"c": ["2"]}, "invalid semicolon separator in query"),
        ("a=%ff", {"a": ["\ufffd"]}, None),
    ],
)
def test_a_malformed_pair_is_left_out_and_named(
    form: str, values: dict[str, list[str]], problem: str | None
) -> None:
    assert parse_form(form) == (values, problem)


@pytest.mark.parametrize(
    ("moment", "printed"),
    [
        (datetime(2020, 10, 19, 22, 50, tzinfo=UTC), "2020-10-19 22:50:00 +0000 UTC"),
        (
            datetime(2020, 10, 19, 22, 50, 0, 319, tzinfo=UTC),
            "2020-10-19 22:50:00.000319 +0000 UTC",
        ),
        (
            datetime(2020, 7, 1, 12, 0, 0, 500_000, tzinfo=ZoneInfo("Europe/Berlin")),
            "2020-07-01 12:00:00.5 +0200 CEST",
        ),
        (
            datetime(2020, 7, 1, 12, tzinfo=timezone(timedelta(hours=-3, minutes=-30))),
            "2020-07-01 12:00:00 -0330 -0330",
        ),
        (
            datetime(2020, 7, 1, 12, tzinfo=ZoneInfo("America/Sao_Paulo")),
            "2020-07-01 12:00:00 -0300 -03",
        ),
    ],
)
def test_a_long_timestamp_has_the_form_of_go_and_is_read_back(
    moment: datetime, printed: str
) -> None:
    assert long_timestamp(moment) == printed
    assert parse_long_timestamp(printed) == moment
    assert parse_long_timestamp(f"{printed} m=+683.567066901") == moment
