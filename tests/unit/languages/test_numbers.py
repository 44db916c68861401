"""Numbers and booleans as Go reads and prints them."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiphys.languages import EvaluationError, numbers

any_float = st.integers(0, 2**64 - 1).map(
    lambda bits: struct.unpack("<d", bits.to_bytes(8, "little"))[0]
)
finite_float = any_float.filter(math.isfinite)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1_000.5", 1000.5),
        ("0x1.8p1", 3.0),
        ("0X_1P-2", 0.25),
        (".5e+1", 5.0),
        ("5.", 5.0),
        ("-Infinity", -math.inf),
        ("+inf", math.inf),
        ("1e-400", 0.0),
        ("0x0p99999999999", 0.0),
        ("0x1p-99999999999", 0.0),
    ],
)
def test_a_number_in_go_notation_is_read(text: str, value: float) -> None:
    assert numbers.parse_float(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "1e",
        "1_",
        "_1",
        "1__0",
        "1_.5",
        "1._5",
        "0x1",
        "0x",
        "１",
        "٣",
        "+nan",
        "ınf",
    ],
)
def test_what_only_python_takes_for_a_number_is_refused(text: str) -> None:
    with pytest.raises(EvaluationError, match="invalid syntax"):
        numbers.parse_float(text)


@pytest.mark.parametrize(
    "text", ["1e400", "-1e400", "0x1p1024", "0x1p99999999999", "9" * 400, "0x" + "f" * 400 + "p0"]
)
def test_a_number_too_large_is_refused(text: str) -> None:
    with pytest.raises(EvaluationError, match="value out of range"):
        numbers.parse_float(text)


def test_the_word_nan_is_a_number() -> None:
    assert math.isnan(numbers.parse_float("NaN"))


@pytest.mark.parametrize(
    ("value", "as_v", "as_json", "plain"),
    [
        (1e6, "1e+06", "1000000", "1000000"),
        (999999.5, "999999.5", "999999.5", "999999.5"),
        (1234567.0, "1.234567e+06", "1234567", "1234567"),
        (1e21, "1e+21", "1e+21", "1" + "0" * 21),
        (0.00001, "1e-05", "0.00001", "0.00001"),
        (1e-7, "1e-07", "1e-7", "0.0000001"),
        (-0.0, "-0", "-0", "-0"),
        (3.0, "3", "3", "3"),
    ],
)
def test_each_way_of_printing_has_its_own_limits_for_exponents(
    value: float, as_v: str, as_json: str, plain: str
) -> None:
    assert numbers.format_g(value) == as_v
    assert numbers.format_json(value) == as_json
    assert numbers.format_plain(value) == plain


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_json_has_no_text_for_what_is_not_finite(value: float) -> None:
    with pytest.raises(EvaluationError, match="unsupported value"):
        numbers.format_json(value)
    assert numbers.format_g(value) == numbers.format_plain(value)


@given(finite_float)
def test_every_printed_number_reads_back_as_itself(value: float) -> None:
    for text in (
        numbers.format_g(value),
        numbers.format_json(value),
        numbers.format_plain(value),
    ):
        assert struct.pack("<d", numbers.parse_float(text)) == struct.pack("<d", value)
    assert "e" not in numbers.format_plain(value)


@given(st.text())
def test_any_text_is_a_number_or_an_evaluation_error(text: str) -> None:
    try:
        assert isinstance(numbers.parse_float(text), float)
    except EvaluationError as error:
        assert str(error).startswith("strconv.ParseFloat: parsing ")


@pytest.mark.parametrize("text", ["1", "t", "T", "true", "True", "TRUE"])
def test_six_words_are_true(text: str) -> None:
    assert numbers.parse_bool(text) is True


@pytest.mark.parametrize("text", ["0", "f", "F", "false", "False", "FALSE"])
def test_six_words_are_false(text: str) -> None:
    assert numbers.parse_bool(text) is False


def test_other_words_are_no_booleans_and_are_quoted_in_the_error() -> None:
    with pytest.raises(EvaluationError) as caught:
        numbers.parse_bool('y"\n\x00\u200b\U000e0001é\udcff')

    quoted = '"y\\"\\n\\x00\\u200b\\U000e0001é\\xff"'
    assert str(caught.value) == f"strconv.ParseBool: parsing {quoted}: invalid syntax"
