"""Moments, durations and what else of Go's package ``time`` an expression can hold, with methods."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import time
from collections.abc import Callable, Mapping
from typing import Any

from tiphys.languages import durations, layouts, zones
from tiphys.languages.expr import _types as types
from tiphys.languages.expr._faults import Fault
from tiphys.languages.expr._time_format import MONTHS, WEEKDAYS, format_time
from tiphys.languages.expr._time_format import weekday_of, year_day_of

__all__ = ["METHODS", "Duration", "Location", "Month", "Time", "Weekday", "method", "wrap_int"]

_SECOND = 1_000_000_000
_YEAR_ONE = -62_135_596_800  # Unix seconds of the time that Go calls zero
_LONGEST = (1 << 63) - 1


def wrap_int(value: int) -> int:
    """Cut an integer to 64 bits, as overflow does."""
    return ((value + (1 << 63)) & ((1 << 64) - 1)) - (1 << 63)


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A time.Duration."""

    nanoseconds: int

    def __str__(self) -> str:
        """Print it as Go does, ``1h2m3s``."""
        return durations.format(self.nanoseconds)


@dataclasses.dataclass(frozen=True, slots=True)
class Month:
    """A time.Month; it is no plain number, so it equals none."""

    number: int

    def __str__(self) -> str:
        """Print the English name."""
        return MONTHS[self.number - 1]


@dataclasses.dataclass(frozen=True, slots=True)
class Weekday:
    """A time.Weekday, Sunday is 0."""

    number: int

    def __str__(self) -> str:
        """Print the English name."""
        return WEEKDAYS[self.number]


@dataclasses.dataclass(frozen=True, slots=True)
class Location:
    """A time zone; *zone* is None for that of the process."""

    name: str
    zone: datetime.tzinfo | None

    def __str__(self) -> str:
        """Print the name."""
        return self.name


UTC = Location("UTC", datetime.UTC)
LOCAL = Location("Local", None)


@dataclasses.dataclass(frozen=True, slots=True)
class Time:
    """A time.Time."""

    moment: layouts.Moment
    location: Location = UTC

    @classmethod
    def at(cls, unix: int, nanosecond: int, location: Location) -> Time:
        """Make the moment at an instant, seen from *location*."""
        offset, name = zones.offset_at(location.zone, unix)
        return cls(layouts.Moment(unix, nanosecond, offset, name), location)

    @classmethod
    def now(cls) -> Time:
        """Read the clock."""
        unix, nanosecond = divmod(time.time_ns(), _SECOND)
        return cls.at(unix, nanosecond, LOCAL)

    @classmethod
    def parse(cls, layout: str, text: str, zone: datetime.tzinfo | None, name: str) -> Time:
        """Read *text* by *layout*; *zone* counts where the text has none. Raises EvaluationError."""
        moment = layouts.parse(layout, text, zone=zone)
        for location in (Location(name, zone), LOCAL):
            if zones.offset_at(location.zone, moment.unix) == (moment.offset, moment.zone):
                return cls(moment, location)
        fixed = datetime.timezone(datetime.timedelta(seconds=moment.offset), moment.zone)
        return cls(moment, Location(moment.zone, fixed))

    def __str__(self) -> str:
        """Print it as Go does."""
        return format_time("2006-01-02 15:04:05.999999999 -0700 MST", self.moment)

    @property
    def instant(self) -> int:
        """Nanoseconds since 1970; equal moments in different zones have the same."""
        return self.moment.unix * _SECOND + self.moment.nanosecond

    def add(self, duration: Duration) -> Time:
        """Move the moment by a duration."""
        unix, nanosecond = divmod(self.instant + duration.nanoseconds, _SECOND)
        return self._moved(unix, nanosecond, self.location)

    def since(self, other: Time) -> Duration:
        """Return the time passed since *other*, at most the longest duration."""
        passed = self.instant - other.instant
        return Duration(min(max(passed, -_LONGEST - 1), _LONGEST))

    def _moved(self, unix: int, nanosecond: int, location: Location) -> Time:
        return Time.at(unix, nanosecond, location)


def _add_date(moment: Time, years: int, months: int, days: int) -> Time:
    wall = moment.moment.wall
    year, month = divmod((wall.year + years) * 12 + wall.month - 1 + months, 12)
    first = zones.unix_from_wall(zones.Wall(year, month + 1, 1, wall.hour, wall.minute, wall.second))
    shown = zones.wall_from_unix(first + (wall.day - 1 + days) * 86_400, 0)
    unix = zones.unix_from_wall(shown, moment.location.zone)
    return Time.at(unix, moment.moment.nanosecond, moment.location)


def _compare(moment: Time, other: Time) -> int:
    return (moment.instant > other.instant) - (moment.instant < other.instant)


def _cut(nanoseconds: int, unit: int) -> int:
    """Towards zero to a multiple of *unit*."""
    if unit <= 0:
        return nanoseconds
    size = abs(nanoseconds) // unit * unit
    return -size if nanoseconds < 0 else size


def _rounded(nanoseconds: int, unit: int) -> int:
    """To the nearest multiple of *unit*, halves away from zero."""
    if unit <= 0:
        return nanoseconds
    size = (abs(nanoseconds) * 2 + unit) // (2 * unit) * unit
    return min(max(-size if nanoseconds < 0 else size, -_LONGEST - 1), _LONGEST)


def _fitted(moment: Time, unit: Duration, fit: Callable[[int, int], int]) -> Time:
    """Cut or round the time since the year 1."""
    since = moment.instant - _YEAR_ONE * _SECOND
    return moment.add(Duration(fit(since, unit.nanoseconds) - since))


def _iso_year(moment: Time) -> int:
    """The year of the Thursday of the same week, as weeks are counted by ISO 8601."""
    shift = 3 - (weekday_of(moment.moment) - 1) % 7
    thursday = zones.wall_from_unix(moment.moment.unix + shift * 86_400, moment.moment.offset)
    return thursday.year


@dataclasses.dataclass(frozen=True, slots=True)
class Method:
    """
    A method of a type of package ``time``.

    *results* counts what it returns; a call gives the first, and the checker refuses three.
    """

    call: Callable[..., Any]
    result: types.Type
    parameters: tuple[types.Type, ...] = ()
    results: int = 1


_CLASSES: dict[types.Type, type] = {
    types.TIME: Time,
    types.DURATION: Duration,
    types.LOCATION: Location,
    types.INT: int,
    types.STRING: str,
}
_TEXT = Method(str, types.STRING)

METHODS: Mapping[types.Type, Mapping[str, Method]] = {
    types.TIME: {
        "Add": Method(Time.add, types.TIME, (types.DURATION,)),
        "AddDate": Method(_add_date, types.TIME, (types.INT, types.INT, types.INT)),
        "After": Method(lambda a, b: a.instant > b.instant, types.BOOL, (types.TIME,)),
        "Before": Method(lambda a, b: a.instant < b.instant, types.BOOL, (types.TIME,)),
        "Clock": Method(lambda a: a.moment.wall.hour, types.INT, results=3),
        "Compare": Method(_compare, types.INT, (types.TIME,)),
        "Date": Method(lambda a: a.moment.wall.year, types.INT, results=3),
        "Day": Method(lambda a: a.moment.wall.day, types.INT),
        "Equal": Method(lambda a, b: a.instant == b.instant, types.BOOL, (types.TIME,)),
        "Format": Method(lambda a, b: format_time(b, a.moment), types.STRING, (types.STRING,)),
        "Hour": Method(lambda a: a.moment.wall.hour, types.INT),
        "ISOWeek": Method(_iso_year, types.INT, results=2),
        "In": Method(
            lambda a, b: Time.at(a.moment.unix, a.moment.nanosecond, b),
            types.TIME,
            (types.LOCATION,),
        ),
        "IsZero": Method(lambda a: a.instant == _YEAR_ONE * _SECOND, types.BOOL),
        "Local": Method(
            lambda a: Time.at(a.moment.unix, a.moment.nanosecond, LOCAL), types.TIME
        ),
        "Location": Method(lambda a: a.location, types.LOCATION),
        "Minute": Method(lambda a: a.moment.wall.minute, types.INT),
        "Month": Method(lambda a: Month(a.moment.wall.month), types.MONTH),
        "Nanosecond": Method(lambda a: a.moment.nanosecond, types.INT),
        "Round": Method(lambda a, b: _fitted(a, b, _rounded), types.TIME, (types.DURATION,)),
        "Second": Method(lambda a: a.moment.wall.second, types.INT),
        "String": _TEXT,
        "Sub": Method(Time.since, types.DURATION, (types.TIME,)),
        "Truncate": Method(lambda a, b: _fitted(a, b, _cut), types.TIME, (types.DURATION,)),
        "UTC": Method(lambda a: Time.at(a.moment.unix, a.moment.nanosecond, UTC), types.TIME),
        "Unix": Method(lambda a: a.moment.unix, types.INT64),
        "UnixMicro": Method(lambda a: wrap_int(a.instant // 1000), types.INT64),
        "UnixMilli": Method(lambda a: wrap_int(a.instant // 1_000_000), types.INT64),
        "UnixNano": Method(lambda a: wrap_int(a.instant), types.INT64),
        "Weekday": Method(lambda a: Weekday(weekday_of(a.moment)), types.WEEKDAY),
        "Year": Method(lambda a: a.moment.wall.year, types.INT),
        "YearDay": Method(lambda a: year_day_of(a.moment), types.INT),
        "Zone": Method(lambda a: a.moment.zone, types.STRING, results=2),
    },
    types.DURATION: {
        "Abs": Method(lambda a: Duration(min(abs(a.nanoseconds), _LONGEST)), types.DURATION),
        "Hours": Method(lambda a: _in_units(a, 3600 * _SECOND), types.FLOAT),
        "Microseconds": Method(lambda a: _cut(a.nanoseconds, 1000) // 1000, types.INT64),
        "Milliseconds": Method(lambda a: _cut(a.nanoseconds, 10**6) // 10**6, types.INT64),
        "Minutes": Method(lambda a: _in_units(a, 60 * _SECOND), types.FLOAT),
        "Nanoseconds": Method(lambda a: a.nanoseconds, types.INT64),
        "Round": Method(
            lambda a, b: Duration(_rounded(a.nanoseconds, b.nanoseconds)),
            types.DURATION,
            (types.DURATION,),
        ),
        "Seconds": Method(lambda a: _in_units(a, _SECOND), types.FLOAT),
        "String": _TEXT,
        "Truncate": Method(
            lambda a, b: Duration(_cut(a.nanoseconds, b.nanoseconds)),
            types.DURATION,
            (types.DURATION,),
        ),
    },
    types.MONTH: {"String": _TEXT},
    types.WEEKDAY: {"String": _TEXT},
    types.LOCATION: {"String": _TEXT},
}
_TYPES: dict[type, types.Type] = {
    Time: types.TIME,
    Duration: types.DURATION,
    Month: types.MONTH,
    Weekday: types.WEEKDAY,
    Location: types.LOCATION,
}


def _in_units(duration: Duration, unit: int) -> float:
    whole = _cut(duration.nanoseconds, unit)
    return whole // unit + (duration.nanoseconds - whole) / unit


def method(value: Any, name: str) -> Callable[..., Any] | None:
    """Return a method of a time value, bound to it; None if it has no such method."""
    type_ = _TYPES.get(type(value))
    if type_ is None or name not in METHODS[type_]:
        return None
    return functools.partial(_call, METHODS[type_][name], value)


def _call(wanted: Method, value: Any, *arguments: Any) -> Any:
    if len(arguments) != len(wanted.parameters):
        few = len(arguments) < len(wanted.parameters)
        raise Fault(f"reflect: Call with too {'few' if few else 'many'} input arguments")
    for argument, parameter in zip(arguments, wanted.parameters, strict=True):
        if type(argument) is not _CLASSES[parameter]:
            raise Fault(f"reflect: Call using {type(argument).__name__} as type {parameter.name}")
    return wanted.call(value, *arguments)
