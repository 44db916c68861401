"""Times in Go's layout notation, and the zones in which they are read."""

from __future__ import annotations

import datetime
import time
import zoneinfo
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiphys.languages import EvaluationError, layouts, zones

NEW_YORK = zoneinfo.ZoneInfo("America/New_York")
RFC3339 = "2006-01-02T15:04:05Z07:00"


@pytest.mark.parametrize(
    ("layout", "text", "expected"),
    [
        ("15:04:05", "9:05:07,25", "0000-01-01T09:05:07.25Z"),
        ("3:04PM", "12:30AM", "0000-01-01T00:30:00Z"),
        ("3:04pm", "1:30pm", "0000-01-01T13:30:00Z"),
        ("Mon Jan _2 15:04:05 2006", "mon FEB  3 01:02:03 2025", "2025-02-03T01:02:03Z"),
        ("January 2, 2006", "May 30, 2024", "2024-05-30T00:00:00Z"),
        ("2006 002", "2024 366", "2024-12-31T00:00:00Z"),
        ("2006 __2", "2023   7", "2023-01-07T00:00:00Z"),
        ("02-Jan-06", "17-Aug-68", "2068-08-17T00:00:00Z"),
        ("02-Jan-06", "17-Aug-69", "1969-08-17T00:00:00Z"),
        ("15:04:05.000", "01:02:03.456", "0000-01-01T01:02:03.456Z"),
        ("15:04:05.999 MST", "01:02:03 UTC", "0000-01-01T01:02:03Z"),
        (RFC3339, "2024-02-29T23:59:59.5-05:30", "2024-02-29T23:59:59.5-05:30"),
        ("2006-01-02 -07:00:00", "2024-05-06 +01:00:30", "2024-05-06T00:00:00+01:00"),
        ("2006-01-02 Z070000", "2024-05-06 Z", "2024-05-06T00:00:00Z"),
    ],
)
def test_a_text_is_read_by_its_layout(layout: str, text: str, expected: str) -> None:
    assert layouts.parse(layout, text).rfc3339() == expected


@pytest.mark.parametrize(
    ("layout", "text", "reason"),
    [
        ("15:04:05", "09:00", 'cannot parse "" as ":"'),
        ("15:04:05", "24:00:00", "hour out of range"),
        ("3:04PM", "13:00PM", "hour out of range"),
        ("3:04PM", "1:00XM", 'cannot parse "XM" as "PM"'),
        ("2006-01-02", "2023-02-29", "day out of range"),
        ("2006-01-02", "2023-2-03", 'cannot parse "2-03" as "01"'),
        ("2006 002", "2023 366", "day-of-year out of range"),
        ("2006 01 002", "2023 02 001", "day-of-year does not match month"),
        ("2006 02 002", "2023 02 001", "day-of-year does not match day"),
        ("2006-01-02", "2023-01-02x", 'extra text: "x"'),
        ("Jan 2", "Foo 2", 'cannot parse "Foo 2" as "Jan"'),
        (RFC3339, "2024-01-01T00:00:00+25:00", "time zone offset hour out of range"),
        ("15:04 MST", "10:00 XY", 'cannot parse "XY" as "MST"'),
        ("05.000", "01.00", 'cannot parse ".00" as ".000"'),
    ],
)
def test_a_text_that_does_not_fit_says_where(layout: str, text: str, reason: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        layouts.parse(layout, text)

    assert str(caught.value).startswith("parsing time ")
    assert str(caught.value).endswith(f": {reason}")


def test_a_text_without_an_offset_is_read_in_the_given_zone() -> None:
    summer = layouts.parse("2006-01-02 15:04", "2024-07-01 12:00", zone=NEW_YORK)
    winter = layouts.parse("2006-01-02 15:04", "2024-01-01 12:00", zone=NEW_YORK)

    assert (summer.rfc3339(), summer.zone) == ("2024-07-01T12:00:00-04:00", "EDT")
    assert (winter.rfc3339(), winter.zone) == ("2024-01-01T12:00:00-05:00", "EST")


def test_an_abbreviation_counts_where_the_local_zone_knows_it() -> None:
    layout, text = "2006-01-02 15:04 MST", "2024-07-01 12:00 EDT"

    assert layouts.parse(layout, text, local=NEW_YORK).offset == -4 * 3600
    unknown = layouts.parse(layout, text, local=datetime.UTC)
    assert (unknown.offset, unknown.zone) == (0, "EDT")


@given(st.datetimes(min_value=datetime.datetime(1, 1, 1), timezones=st.just(datetime.UTC)))
def test_every_datetime_comes_through_rfc3339(moment: datetime.datetime) -> None:
    parsed = layouts.parse(RFC3339, moment.isoformat())

    assert parsed.unix == (moment - datetime.datetime.fromtimestamp(0, datetime.UTC)) // (
        datetime.timedelta(seconds=1)
    )
    assert parsed.nanosecond == moment.microsecond * 1000


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_layout_and_text_give_a_moment_or_an_evaluation_error(layout: str, text: str) -> None:
    try:
        assert isinstance(layouts.parse(layout, text), layouts.Moment)
    except EvaluationError as error:
        assert str(error).startswith("parsing time ")


@given(st.integers(-(10**12), 10**12))
def test_wall_clocks_of_all_years_lead_back_to_the_instant(unix: int) -> None:
    assert zones.unix_from_wall(zones.wall_from_unix(unix, 0)) == unix


def test_a_clock_time_that_is_skipped_is_read_with_an_offset_from_around_it() -> None:
    skipped = zones.Wall(2024, 3, 10, 2, 30, 0)
    unix = zones.unix_from_wall(skipped, NEW_YORK)

    assert zones.wall_from_unix(unix, zones.offset_at(NEW_YORK, unix)[0]).hour in (1, 3)


@pytest.mark.parametrize(
    "name", ["Nowhere/Land", "../etc/passwd", "America", "utc\0", "/etc/passwd"]
)
def test_an_unknown_zone_is_an_evaluation_error(name: str) -> None:
    with pytest.raises(EvaluationError, match="unknown time zone"):
        zones.load_zone(name)


@pytest.fixture
def kolkata(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process whose local zone is Asia/Kolkata."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Kolkata")
        time.tzset()
        yield
    time.tzset()


def test_no_name_is_utc_and_local_is_the_zone_of_the_process(kolkata: None) -> None:
    assert zones.load_zone("") is datetime.UTC
    assert zones.load_zone("Local") is None
    assert zones.offset_at(None, 0) == (19_800, "IST")
    assert layouts.parse("15:04", "12:00", zone=None).zone == "LMT"
