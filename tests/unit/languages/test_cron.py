"""Cron expressions, intervals and exclusion dates."""

from __future__ import annotations

import datetime
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiphys.languages import CompileError, cron

UTC = datetime.UTC
NEW_YORK = zoneinfo.ZoneInfo("America/New_York")
SAO_PAULO = zoneinfo.ZoneInfo("America/Sao_Paulo")
MINUTE = datetime.timedelta(minutes=1)


def at(text: str, zone: datetime.tzinfo = UTC) -> datetime.datetime:
    """A moment; a text without an offset is read in *zone*."""
    moment = datetime.datetime.fromisoformat(text)
    return moment.astimezone(zone) if moment.tzinfo else moment.replace(tzinfo=zone)


def following(schedule: cron.Schedule, after: datetime.datetime, count: int) -> list[str]:
    """The next moments as texts without seconds."""
    texts = []
    for _ in range(count):
        moment = schedule.next(after)
        assert moment is not None
        texts.append(moment.strftime("%m-%d %H:%M %z"))
        after = moment
    return texts


@pytest.mark.parametrize(
    ("spec", "moments"),
    [
        ("5/20 22 * * *", ["02-28 22:45 +0000", "02-29 22:05 +0000", "02-29 22:25 +0000"]),
        ("0 0 13 * FRI", ["03-01 00:00 +0000", "03-08 00:00 +0000", "03-13 00:00 +0000"]),
        ("0 0 */2 * 1", ["02-29 00:00 +0000", "03-01 00:00 +0000", "03-03 00:00 +0000"]),
        ("0 0 1-31 * 1", ["02-29 00:00 +0000", "03-01 00:00 +0000", "03-02 00:00 +0000"]),
        ("0 0 */1 * 1", ["03-04 00:00 +0000", "03-11 00:00 +0000", "03-18 00:00 +0000"]),
        ("1,,2 0 ? jan-mar *", ["02-29 00:01 +0000", "02-29 00:02 +0000", "03-01 00:01 +0000"]),
        (
            "TZ=Asia/Tokyo 0 9 * * *",
            ["02-29 00:00 +0000", "03-01 00:00 +0000", "03-02 00:00 +0000"],
        ),
    ],
)
def test_fields_are_lists_of_ranges_with_steps(spec: str, moments: list[str]) -> None:
    assert following(cron.parse(spec), at("2024-02-28T22:30:30.5"), 3) == moments


def test_a_skipped_clock_time_does_not_come_and_a_repeated_one_comes_twice() -> None:
    spring = following(cron.parse("30 2 * * *"), at("2024-03-09T12:00", NEW_YORK), 2)
    autumn = following(cron.parse("30 1 * * *"), at("2024-11-02T12:00", NEW_YORK), 3)

    assert spring == ["03-11 02:30 -0400", "03-12 02:30 -0400"]
    assert autumn == ["11-03 01:30 -0400", "11-03 01:30 -0500", "11-04 01:30 -0500"]


def test_a_day_without_midnight_is_passed_over() -> None:
    midnights = following(cron.parse("0 0 * * *"), at("2018-11-03T12:00", SAO_PAULO), 1)

    assert midnights == ["11-05 00:00 -0200"]


def test_the_zone_in_the_text_wins_over_the_given_one_and_that_over_the_zone_of_the_moment() -> (
    None
):
    moment = at("2024-06-01T00:00")

    own = cron.parse("CRON_TZ=America/New_York 0 9 * * *", zone=SAO_PAULO).next(moment)
    given_zone = cron.parse("0 9 * * *", zone=SAO_PAULO).next(moment)
    neither = cron.parse("0 9 * * *").next(moment)
    assert [m and m.hour for m in (own, given_zone, neither)] == [13, 12, 9]
    assert own is not None and own.tzinfo is UTC


def test_a_date_that_never_comes_is_not_looked_for_forever() -> None:
    for spec in ("0 0 30 2 *", "0 0 31 4 *", ", * * * *", "* * , * ,"):
        schedule = cron.parse(spec)
        assert schedule.next(at("2024-01-01T00:00")) is None
        assert schedule.previous(at("2024-01-01T00:00")) is None


def test_the_end_of_the_calendar_is_no_moment() -> None:
    late, early = at("9999-12-31T23:59:30"), at("0001-01-01T00:00:00")

    assert cron.parse("0 0 1 1 *").next(late) is None
    assert cron.parse("0 0 1 1 *").previous(early) is None
    assert cron.Interval(10**18).next(late) is None


@pytest.mark.parametrize(
    ("spec", "before", "expected"),
    [
        ("30 2 * * *", "2024-03-10T12:00", "2024-03-09T02:30:00-05:00"),
        ("30 1 * * *", "2024-11-03T12:00", "2024-11-03T01:30:00-04:00"),
        ("0 0 29 2 *", "2024-02-28T00:00", "2020-02-29T00:00:00-05:00"),
        ("* * * * *", "2024-01-01T12:00:00.5", "2024-01-01T11:59:00-05:00"),
        ("0 12 1 * 1", "2024-05-02T00:00", "2024-05-01T12:00:00-04:00"),
    ],
)
def test_the_previous_moment_is_found(spec: str, before: str, expected: str) -> None:
    moment = cron.parse(spec).previous(at(before, NEW_YORK))

    assert moment is not None
    assert moment.isoformat() == expected


@pytest.mark.parametrize(
    ("spec", "message", "position"),
    [
        ("", "empty spec string", None),
        ("* * * *", "expected exactly 5 fields, found 4: [* * * *]", 0),
        ("60 * * * *", "end of range (60) above maximum (59): 60", 0),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0", 4),
        ("* * * * 7", "end of range (7) above maximum (6): 7", 8),
        ("1,5-2 * * * *", "beginning of range (5) beyond end of range (2): 5-2", 2),
        ("*/0 * * * *", "step of range should be a positive number: */0", 0),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3", 0),
        ("1/2/3 * * * *", "too many slashes: 1/2/3", 0),
        (
            "0 0 * foo *",
            'failed to parse int from foo: strconv.Atoi: parsing "foo": invalid syntax',
            6,
        ),
        ("*/-1 * * * *", "negative number (-1) not allowed: -1", 0),
        ("@daily", "parser does not accept descriptors: @daily", 0),
        ("TZ=Nope * * * * *", "provided bad location Nope: unknown time zone Nope", 3),
        ("TZ=Europe/Paris", "no fields after the time zone", 15),
    ],
)
def test_a_broken_expression_says_what_and_where(
    spec: str, message: str, position: int | None
) -> None:
    with pytest.raises(CompileError) as caught:
        cron.parse(spec)

    assert (caught.value.message, caught.value.position) == (message, position)


@pytest.mark.parametrize("number", ["99999999999999999999", "9" * 5000, "0" * 5000 + "x"])
def test_an_absurd_number_is_a_compile_error(number: str) -> None:
    with pytest.raises(CompileError):
        cron.parse(f"{number} * * * *")


def test_descriptors_and_seconds_can_be_allowed() -> None:
    start = at("2024-02-28T23:58:30.5")

    weekly = cron.parse("@weekly", descriptors=True).next(start)
    every = cron.parse("@every 1h30m10.9s", descriptors=True).next(start)
    seconds = cron.parse("*/10 * * * * *", seconds=True).next(start)
    assert weekly == at("2024-03-03T00:00")
    assert every == at("2024-02-29T01:28:40")
    assert seconds == at("2024-02-28T23:58:40")
    for text in ("@reboot", "@every x", "@every"):
        with pytest.raises(CompileError):
            cron.parse(text, descriptors=True)


def test_an_interval_counts_real_time_from_the_whole_second() -> None:
    before_the_change = at("2024-03-10T01:59:30.7", NEW_YORK)

    after = cron.Interval(60 * 10**9).next(before_the_change)
    assert after is not None
    assert after.isoformat() == "2024-03-10T03:00:30-04:00"
    assert cron.Interval(1_500_000_000).next(at("2024-01-01T00:00:30.7")) == at(
        "2024-01-01T00:00:31.5"
    )
    assert cron.Interval(10**9).previous(at("2024-01-01T00:00:30.7")) == at("2024-01-01T00:00:29")


minute_specs = st.builds(
    " ".join,
    st.tuples(
        st.sampled_from(["*", "0", "*/7", "5-10,50", "59"]),
        st.sampled_from(["*", "0", "*/5", "23", "1-3"]),
        st.sampled_from(["*", "1", "*/2", "28-31", "15"]),
        st.sampled_from(["*", "2", "3,11", "1-6/2"]),
        st.sampled_from(["*", "0", "1-5", "6"]),
    ),
)
moments = st.datetimes(
    min_value=datetime.datetime(2000, 1, 1),
    max_value=datetime.datetime(2030, 1, 1),
    timezones=st.sampled_from([UTC, NEW_YORK, SAO_PAULO]),
)


def fits(spec: str, moment: datetime.datetime) -> bool:
    """A slow model: does this minute match the expression?"""
    minute, hour, day, month, weekday = spec.split()
    by_day = allowed(day, 1, 31, moment.day)
    by_weekday = allowed(weekday, 0, 6, moment.isoweekday() % 7)
    both = "*" in (day, weekday)
    return (
        moment.second == moment.microsecond == 0
        and allowed(minute, 0, 59, moment.minute)
        and allowed(hour, 0, 23, moment.hour)
        and allowed(month, 1, 12, moment.month)
        and (by_day and by_weekday if both else by_day or by_weekday)
    )


def allowed(field: str, least: int, most: int, number: int) -> bool:
    """Tell whether a field of the slow model has a number."""
    for part in field.split(","):
        ends, _, step = part.partition("/")
        low, _, high = (f"{least}-{most}" if ends == "*" else ends).partition("-")
        if int(low) <= number <= int(high or low) and (number - int(low)) % int(step or 1) == 0:
            return True
    return False


@given(minute_specs, moments)
def test_the_next_moment_is_later_and_matches(spec: str, after: datetime.datetime) -> None:
    moment = cron.parse(spec).next(after)

    assert moment is not None
    assert moment.astimezone(UTC) > after.astimezone(UTC)
    assert fits(spec, moment)


@given(minute_specs, moments)
def test_the_previous_moment_is_earlier_and_matches(spec: str, before: datetime.datetime) -> None:
    moment = cron.parse(spec).previous(before)

    assert moment is not None
    assert moment.astimezone(UTC) < before.astimezone(UTC)
    assert fits(spec, moment)


@given(minute_specs, moments.filter(lambda moment: moment.tzinfo is UTC), st.integers(0, 600))
def test_no_match_lies_between_two_successive_moments(
    spec: str, after: datetime.datetime, minutes: int
) -> None:
    moment = cron.parse(spec).next(after)
    assert moment is not None
    between = after.replace(second=0, microsecond=0) + (minutes + 1) * MINUTE

    assert between >= moment or not fits(spec, between)


def test_exclusion_dates_are_the_days_of_their_stamps() -> None:
    entries = [
        "EXDATE:20240501T000000Z,20241224T235959.5Z",
        "RRULE:FREQ=DAILY",
        "exdate:20240502T000000Z",
        "EXDATE:00000101T000000Z",
    ]

    days = cron.parse_exclusion_dates(entries)
    assert days == {datetime.date(2024, 5, 1), datetime.date(2024, 12, 24)}


@pytest.mark.parametrize(
    ("entry", "position"),
    [
        ("EXDATE:", 7),
        ("EXDATE:20240501", 7),
        ("EXDATE:20240501T000000Z, 20240502T000000Z", 24),
        ("EXDATE:20240230T000000Z", 7),
    ],
)
def test_a_malformed_exclusion_date_is_a_compile_error(entry: str, position: int) -> None:
    with pytest.raises(CompileError) as caught:
        cron.parse_exclusion_dates([entry])

    assert caught.value.position == position


@given(st.text("*?/,-0159 @aJ=TZ", max_size=25))
def test_any_text_is_a_schedule_or_a_compile_error(text: str) -> None:
    try:
        schedule = cron.parse(text, descriptors=True)
    except CompileError as error:
        assert error.message
    else:
        moment = schedule.next(at("2024-01-01T00:00"))
        assert moment is None or moment > at("2024-01-01T00:00")
