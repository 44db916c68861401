"""sprig: dates, their layouts and methods; the zone of the process is UTC here."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from tests.unit.languages._templates import printed
from tiphys.languages import EvaluationError

DATE = '(toDate "2006-01-02T15:04:05Z07:00" "2024-03-05T06:07:08.5Z")'
NEW_YORK = '(toDate "2006-01-02T15:04:05Z07:00" "2024-03-10T01:30:00-05:00")'


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("layout", "out"),
    [
        ("2006-01-02 15:04:05", "2024-03-05 06:07:08"),
        ("06 1 2 3 4 5", "24 3 5 6 7 8"),
        ("Mon Monday Jan January", "Tue Tuesday Mar March"),
        ("_2 __2 002 03 PM pm", " 5  65 065 06 AM am"),
        (".000 .999 ,00 .9999", ".500 .5 ,50 .5"),
        ("MST -0700 -07:00 -07 Z07:00 Z0700 Z07", "UTC +0000 +00:00 +00 Z Z Z"),
        ("-07:00:00 Z070000", "+00:00:00 Z"),
        ("Month _2006 Janx", "Month _2024 Janx"),
        ("no elements", "no elements"),
    ],
)
def test_layouts(layout: str, out: str) -> None:
    assert printed(f'date "{layout}" {DATE}') == out


@pytest.mark.parametrize(
    ("expression", "out"),
    [
        (DATE, "2024-03-05 06:07:08.5 +0000 UTC"),
        (NEW_YORK, "2024-03-10 01:30:00 -0500 -0500"),
        ('toDate "2006-01-02" "bad"', "0001-01-01 00:00:00 +0000 UTC"),
        (
            'toDate "Jan 2, 2006 at 3:04pm (MST)" "Feb 3, 2013 at 7:54pm (PST)"',
            "2013-02-03 19:54:00 +0000 PST",
        ),
        (f'dateInZone "15:04 MST" {DATE} "America/New_York"', "01:07 EST"),
        (f'dateInZone "15:04 MST" {DATE} "No/Where"', "06:07 UTC"),
        (f'dateInZone "15:04 MST" {DATE} "../etc/passwd"', "06:07 UTC"),
        ('date_in_zone "2006-01-02 15:04:05" 1700000000 "UTC"', "2023-11-14 22:13:20"),
        ('htmlDateInZone 0 "Asia/Tokyo"', "1970-01-01"),
        ("htmlDate 86400", "1970-01-02"),
        ('date "2006-01-02" (int64 -1)', "1969-12-31"),
        ('date "2006" -99999999999', "-1199"),
        (f'dateModify "-1.5h" {DATE}', "2024-03-05 04:37:08.5 +0000 UTC"),
        (f'dateModify "bad" {DATE}', "2024-03-05 06:07:08.5 +0000 UTC"),
        (f'mustDateModify "24h" {NEW_YORK} | unixEpoch', "1710138600"),
        (f"unixEpoch {DATE}", "1709618828"),
        ('duration "3661"', "1h1m1s"),
        ("duration 3661", "0s"),
        ("duration (int64 90)", "1m30s"),
        ('duration "x"', "0s"),
        ('durationRound "2h10m5s"', "2h"),
        ('durationRound "-720h1s"', "1mo"),
        ('durationRound "8761h"', "1y"),
        ('durationRound "1h"', "60m"),
        ('durationRound "500ms"', "0s"),
        ("durationRound (int64 61000000000)", "1m"),
        ("durationRound 61000000000", "0s"),
        (f'printf "%#v" {DATE}', "time.Date(2024, time.March, 5, 6, 7, 8, 500000000, time.UTC)"),
        (f"toJson {DATE}", '"2024-03-05T06:07:08.5Z"'),
        (f'dateModify "-2000000h" {DATE} | toJson', '"1796-01-06T22:07:08.5Z"'),
        ('toDate "2006" "0000" | dateModify "-24h" | toJson | quote', '""'),
        ("typeOf now", "time.Time"),
        ("ago now", "0s"),
        ('now | date "2006" | len', "4"),
        ("kindOf now", "struct"),
    ],
)
def test_dates(expression: str, out: str) -> None:
    assert printed(expression) == out


@pytest.mark.parametrize(
    ("method", "out"),
    [
        ("Year", "2024"),
        ("Month", "March"),
        ("Day", "5"),
        ("Hour", "6"),
        ("Minute", "7"),
        ("Second", "8"),
        ("Nanosecond", "500000000"),
        ("Weekday", "Tuesday"),
        ("YearDay", "65"),
        ("Unix", "1709618828"),
        ("UnixMilli", "1709618828500"),
        ("UnixMicro", "1709618828500000"),
        ("UnixNano", "1709618828500000000"),
        ("IsZero", "false"),
        ("Location", "UTC"),
        ("UTC", "2024-03-05 06:07:08.5 +0000 UTC"),
        ("String", "2024-03-05 06:07:08.5 +0000 UTC"),
        ('Format "15h"', "06h"),
        ("Add 1500000000", "2024-03-05 06:07:10 +0000 UTC"),
        ("AddDate 0 1 -5", "2024-03-31 06:07:08.5 +0000 UTC"),
        ("AddDate 0 -1 25", "2024-03-01 06:07:08.5 +0000 UTC"),
        ("Truncate 3600000000000", "2024-03-05 06:00:00 +0000 UTC"),
        ("Round 1000000000", "2024-03-05 06:07:09 +0000 UTC"),
        (f"Sub {NEW_YORK}", "-120h22m51.5s"),
        (f"Before {NEW_YORK}", "true"),
        (f"After {NEW_YORK}", "false"),
        (f"Equal {DATE}", "true"),
        (f"Compare {NEW_YORK}", "-1"),
    ],
)
def test_methods_of_times(method: str, out: str) -> None:
    assert printed(f"{DATE}.{method}") == out


@pytest.mark.parametrize(
    ("method", "out"),
    [
        ("Hours", "-120.38097222222223"),
        ("Minutes", "-7222.858333333334"),
        ("Seconds", "-433371.5"),
        ("Milliseconds", "-433371500"),
        ("Microseconds", "-433371500000"),
        ("Nanoseconds", "-433371500000000"),
        ("Abs", "120h22m51.5s"),
        ("Round 3600000000000", "-120h0m0s"),
        ("Truncate 60000000000", "-120h22m0s"),
        ("String", "-120h22m51.5s"),
    ],
)
def test_methods_of_durations(method: str, out: str) -> None:
    assert printed(f"({DATE}.Sub {NEW_YORK}).{method}") == out


def test_now_tells_the_monotonic_clock_until_it_is_rounded() -> None:
    assert re.search(r" m=\+\d+\.\d{9}$", printed("now"))
    assert " m=" not in printed("now.Round 0")
    assert " m=" not in printed('now | date "2006-01-02 15:04:05"')


def test_what_is_no_date_means_now() -> None:
    year = time.strftime("%Y", time.gmtime())

    assert printed('date "2006" "1999"') == year
    assert printed('date "2006" .Input', 0.0) == year


def test_the_zone_of_the_process_is_where_dates_are_read_and_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()

    assert printed('toDate "2006-01-02" "2024-07-01"') == "2024-07-01 00:00:00 -0400 EDT"
    assert printed(NEW_YORK) == "2024-03-10 01:30:00 -0500 EST"
    assert printed(f'dateModify "1h" {NEW_YORK}') == "2024-03-10 03:30:00 -0400 EDT"
    assert printed(f"{NEW_YORK}.AddDate 0 0 1") == "2024-03-11 01:30:00 -0400 EDT"
    assert printed('date "15:04" 0') == "19:00"


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ('mustToDate "2006" "x"', 'cannot parse "x" as "2006"'),
        (f'mustDateModify "1x" {DATE}', "unknown unit"),
        ('unixEpoch "2024"', 'expected time.Time; found "2024"'),
        ("unixEpoch 5", "expected time.Time; found 5"),
        (f"{DATE}.Nosuch", "can't evaluate field Nosuch in type time.Time"),
        (f"{DATE}.Format", "wrong number of args for Format: want 1 got 0"),
        (f"{DATE}.AddDate 1 2", "wrong number of args for AddDate: want 3 got 2"),
        (f"{DATE}.AddDate 9999999999 0 0", "year out of range"),
    ],
)
def test_errors(expression: str, message: str) -> None:
    with pytest.raises(EvaluationError, match=re.escape(message)):
        printed(expression)
