"""Go's ``time.Time`` and the types around it, as dates of templates are."""

from __future__ import annotations

import dataclasses
import datetime
import os
import re
import time

from tiphys.languages import durations, layouts, zones
from tiphys.languages._errors import EvaluationError
from tiphys.languages.template.values import GoType, register

__all__ = ["LOCAL", "MONTHS", "UTC", "WEEKDAYS", "Duration", "Location", "Month", "Time", "Weekday"]

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
SECOND = 1_000_000_000
"""Nanoseconds of a second."""

_YEAR_ONE = -62_135_596_800  # the start of the year 1, the zero of Go's times
_DAY = 86_400
_MAX, _MIN = (1 << 63) - 1, -1 << 63
_STARTED = time.monotonic_ns()
_ZONE = re.compile("MST|Z07")  # the elements of layouts for which a text can say UTC
_UTC = re.compile("UTC|Z")


class Duration(int):
    """Go's ``time.Duration``: nanoseconds."""

    __slots__ = ()

    def __str__(self) -> str:
        return durations.format(self)


class Month(int):
    """Go's ``time.Month``, from 1."""

    __slots__ = ()

    def __str__(self) -> str:
        return MONTHS[self - 1]


class Weekday(int):
    """Go's ``time.Weekday``, Sunday being 0."""

    __slots__ = ()

    def __str__(self) -> str:
        return WEEKDAYS[self]


@dataclasses.dataclass(frozen=True, slots=True)
class Location:
    """
    Where a clock stands: a time zone, or a fixed offset under an abbreviation.

    *zone* None is the zone of the process.
    """

    name: str
    zone: datetime.tzinfo | None = None
    fixed: int | None = None

    def at(self, unix: int) -> tuple[int, str]:
        """Seconds east of UTC, and the abbreviation, at an instant."""
        if self.fixed is not None:
            return self.fixed, self.name
        return zones.offset_at(self.zone, unix)

    def unix(self, wall: zones.Wall) -> int:
        """The instant when a clock here shows *wall*."""
        if self.fixed is not None:
            return zones.unix_from_wall(wall) - self.fixed
        return zones.unix_from_wall(wall, self.zone)

    def __str__(self) -> str:
        """Its name; the zone of the process has the one that the environment gives it."""
        if self.fixed is not None or self.zone is not None:
            return self.name
        return os.environ.get("TZ", self.name).lstrip(":") or "UTC"


UTC = Location("UTC", datetime.UTC)
LOCAL = Location("Local")


@dataclasses.dataclass(frozen=True, slots=True)
class Time:
    """
    An instant, and the location whose clock shows it.

    *monotonic*, in nanoseconds since the start of the program, is there in times that ``now``
    gave and that were only moved since; it is printed.
    """

    unix: int = _YEAR_ONE
    nanosecond: int = 0
    location: Location = UTC
    monotonic: int | None = None

    @classmethod
    def now(cls) -> Time:
        """The time it is, in the zone of the process."""
        unix, nanosecond = divmod(time.time_ns(), SECOND)
        return cls(unix, nanosecond, LOCAL, time.monotonic_ns() - _STARTED)

    @classmethod
    def parse(cls, layout: str, text: str) -> Time:
        """Read *text*, in the zone of the process where it names none; raises EvaluationError."""
        moment = layouts.parse(layout, text, zone=None, local=None)
        shown = (moment.offset, moment.zone)
        if shown == (0, "UTC") and _ZONE.search(layout) and _UTC.search(text):
            location = UTC
        elif shown == LOCAL.at(moment.unix):
            location = LOCAL
        else:
            location = Location(moment.zone, fixed=moment.offset)
        return cls(moment.unix, moment.nanosecond, location)

    @property
    def wall(self) -> zones.Wall:
        """What the clock and calendar of its location show."""
        return zones.wall_from_unix(self.unix, self.location.at(self.unix)[0])

    @property
    def day_number(self) -> int:
        """Days since 1 January 1970 on the calendar of its location."""
        return (self.unix + self.location.at(self.unix)[0]) // _DAY

    @property
    def weekday(self) -> Weekday:
        """The day of the week."""
        return Weekday((self.day_number + 4) % 7)

    @property
    def year_day(self) -> int:
        """The day of the year, from 1."""
        first = zones.unix_from_wall(zones.Wall(self.wall.year, 1, 1, 0, 0, 0))
        return self.day_number - first // _DAY + 1

    def at(self, location: Location) -> Time:
        """The same instant elsewhere."""
        return dataclasses.replace(self, location=location)

    def add(self, nanoseconds: int) -> Time:
        """An instant later, or earlier."""
        seconds, nanosecond = divmod(self.nanosecond + nanoseconds, SECOND)
        monotonic = None if self.monotonic is None else self.monotonic + nanoseconds
        return Time(self.unix + seconds, nanosecond, self.location, monotonic)

    def add_date(self, years: int, months: int, days: int) -> Time:
        """The same clock time on another day; days that a month does not have run over."""
        wall = self.wall
        carried, month = divmod(wall.month - 1 + months, 12)
        year = wall.year + years + carried
        if abs(year) > 1_000_000 or abs(days) > 1_000_000_000:
            raise EvaluationError("year out of range")
        first = zones.unix_from_wall(wall._replace(year=year, month=month + 1, day=1))
        moved = zones.wall_from_unix(first + (wall.day - 1 + days) * _DAY, 0)
        return Time(self.location.unix(moved), self.nanosecond, self.location)

    def since(self, other: Time) -> Duration:
        """How much later this is than *other*, at most about 292 years."""
        if self.monotonic is not None and other.monotonic is not None:
            difference = self.monotonic - other.monotonic
        else:
            difference = (self.unix - other.unix) * SECOND + self.nanosecond - other.nanosecond
        return Duration(min(max(difference, _MIN), _MAX))

    def compare(self, other: Time) -> int:
        """-1, 0 or 1 when this is before, at or after *other*."""
        left, right = (self.unix, self.nanosecond), (other.unix, other.nanosecond)
        return (left > right) - (left < right)

    def truncate(self, nanoseconds: int) -> Time:
        """The last multiple of a duration since the year 1."""
        plain = dataclasses.replace(self, monotonic=None)
        return plain.add(-self._rest(nanoseconds)) if nanoseconds > 0 else plain

    def round(self, nanoseconds: int) -> Time:
        """The nearest multiple of a duration since the year 1, the later of two."""
        plain = dataclasses.replace(self, monotonic=None)
        if nanoseconds <= 0:
            return plain
        rest = self._rest(nanoseconds)
        return plain.add(-rest if 2 * rest < nanoseconds else nanoseconds - rest)

    def _rest(self, nanoseconds: int) -> int:
        return ((self.unix - _YEAR_ONE) * SECOND + self.nanosecond) % nanoseconds


register(Time, GoType("time.Time", "struct"))
register(Duration, GoType("time.Duration", "int64", "int"))
register(Month, GoType("time.Month", "int", "int"))
register(Weekday, GoType("time.Weekday", "int", "int"))
register(Location, GoType("*time.Location", "ptr"))
