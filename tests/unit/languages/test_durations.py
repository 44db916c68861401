"""Durations in Go's notation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiphys.languages import EvaluationError, durations

LONGEST = 2**63 - 1


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1h30m", 5_400_000_000_000),
        ("1m1h1m", 3_720_000_000_000),
        ("-1.5s", -1_500_000_000),
        ("+.5ms", 500_000),
        ("1us1µs1μs", 3_000),
        ("0", 0),
        ("1.9999999999ns", 1),
        ("0.3333333333333333333h", 1_200_000_000_000),
        ("-9223372036854775808ns", -LONGEST - 1),
        ("0" * 5000 + "1ns", 1),
    ],
)
def test_a_duration_is_read_as_nanoseconds(text: str, nanoseconds: int) -> None:
    assert durations.parse(text) == nanoseconds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'time: invalid duration ""'),
        ("1", 'time: missing unit in duration "1"'),
        ("1d", 'time: unknown unit "d" in duration "1d"'),
        ("1 s", 'time: unknown unit " s" in duration "1 s"'),
        ("1h-1m", 'time: unknown unit "h-" in duration "1h-1m"'),
        (".s", 'time: invalid duration ".s"'),
        ("9223372036854775808ns", 'time: invalid duration "9223372036854775808ns"'),
        ("2562047h48m", 'time: invalid duration "2562047h48m"'),
        ("1s\udcff", 'time: unknown unit "s\\xff" in duration "1s\\xff"'),
    ],
)
def test_a_broken_duration_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        durations.parse(text)

    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1_500, "1.5µs"),
        (-2_000_000, "-2ms"),
        (1_000_000_000, "1s"),
        (60_000_000_000, "1m0s"),
        (3_600_000_000_001, "1h0m0.000000001s"),
        (LONGEST, "2562047h47m16.854775807s"),
    ],
)
def test_a_duration_is_printed_with_the_units_that_fit(nanoseconds: int, text: str) -> None:
    assert durations.format(nanoseconds) == text


@given(st.integers(-LONGEST - 1, LONGEST))
def test_every_printed_duration_reads_back_as_itself(nanoseconds: int) -> None:
    assert durations.parse(durations.format(nanoseconds)) == nanoseconds


@given(st.text("0123456789.hmsuµn+- ", max_size=30))
def test_any_text_is_a_duration_of_64_bits_or_an_evaluation_error(text: str) -> None:
    try:
        assert -LONGEST - 1 <= durations.parse(text) <= LONGEST
    except EvaluationError as error:
        assert str(error).startswith("time: ")
