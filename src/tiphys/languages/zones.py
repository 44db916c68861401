"""
Wall clocks and time zones, counted as Go counts them.

Instants are Unix seconds. A zone is a ``tzinfo``, or None for the zone of the process; years
before 1, which ``datetime`` does not have, are allowed.
"""

from __future__ import annotations

import dataclasses
import datetime
import time
import zoneinfo
from typing import NamedTuple

from tiphys.languages._errors import EvaluationError

__all__ = [
    "Moment",
    "Wall",
    "load_zone",
    "offset_at",
    "unix_from_reading",
    "unix_from_wall",
    "wall_from_unix",
]

_DAY = 86_400
_EPOCH_ORDINAL = datetime.date(1970, 1, 1).toordinal()
_CYCLE_YEARS, _CYCLE_DAYS = 400, 146_097  # the Gregorian calendar repeats
_FIRST = int(datetime.datetime(1, 1, 2, tzinfo=datetime.UTC).timestamp())
_LAST = int(datetime.datetime(9999, 12, 30, tzinfo=datetime.UTC).timestamp())


class Wall(NamedTuple):
    """What calendar and clock show; months and days count from 1."""

    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int


@dataclasses.dataclass(frozen=True, slots=True)
class Moment:
    """An instant with nanoseconds, and the offset and abbreviation of the clock it is read from."""

    unix: int
    nanosecond: int
    offset: int
    zone: str

    @property
    def wall(self) -> Wall:
        """What the calendar and clock of its zone show."""
        return wall_from_unix(self.unix, self.offset)

    def rfc3339(self) -> str:
        """Print the moment as RFC 3339 with as many digits of the second as it has."""
        year, month, day, *clock = self.wall
        sign = "-" if year < 0 else ""
        text = f"{sign}{abs(year):04d}-{month:02d}-{day:02d}T" + ":".join(f"{n:02d}" for n in clock)
        if self.nanosecond:
            text += f".{self.nanosecond:09d}".rstrip("0")
        if not self.offset:
            return text + "Z"
        minutes = abs(self.offset) // 60
        return f"{text}{'-' if self.offset < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"


def load_zone(name: str) -> datetime.tzinfo | None:
    """
    Find a zone as ``time.LoadLocation`` does: no name is UTC, ``Local`` the process's zone.

    Raises EvaluationError for a name that the zone database does not have.
    """
    if name in ("", "UTC"):
        return datetime.UTC
    if name == "Local":
        return None
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise EvaluationError(f"unknown time zone {name}") from None


def offset_at(zone: datetime.tzinfo | None, unix: int) -> tuple[int, str]:
    """Seconds east of UTC and the abbreviation in use at an instant."""
    unix = min(max(unix, _FIRST), _LAST)
    if zone is None:
        local = time.localtime(unix)
        return local.tm_gmtoff, local.tm_zone
    moment = datetime.datetime.fromtimestamp(unix, zone)
    offset = moment.utcoffset() or datetime.timedelta()
    return offset.days * _DAY + offset.seconds, moment.tzname() or ""


def wall_from_unix(unix: int, offset: int) -> Wall:
    """What a clock *offset* seconds east of UTC shows at an instant."""
    days, seconds = divmod(unix + offset, _DAY)
    cycles, day_of_cycle = divmod(days + _EPOCH_ORDINAL - 1, _CYCLE_DAYS)
    date = datetime.date.fromordinal(day_of_cycle + 1)
    year = date.year + cycles * _CYCLE_YEARS
    return Wall(year, date.month, date.day, seconds // 3600, seconds // 60 % 60, seconds % 60)


def unix_from_wall(wall: Wall, zone: datetime.tzinfo | None = datetime.UTC) -> int:
    """
    Find the instant at which the clocks of *zone* show *wall*, as ``time.Date`` does.

    A wall clock time that a change of offset skips is read with the offset before or after the
    change, one that comes twice with either: whichever of them Go picks.
    """
    cycles, year_of_cycle = divmod(wall.year - 1, _CYCLE_YEARS)
    date = datetime.date(year_of_cycle + 1, wall.month, wall.day)
    days = date.toordinal() - _EPOCH_ORDINAL + cycles * _CYCLE_DAYS
    reading = days * _DAY + (wall.hour * 60 + wall.minute) * 60 + wall.second
    return unix_from_reading(reading, zone)


def unix_from_reading(reading: int, zone: datetime.tzinfo | None) -> int:
    """Find the instant at which clocks of *zone* show what those of UTC show at *reading*."""
    if zone is datetime.UTC:
        return reading
    offset, _ = offset_at(zone, reading)
    if offset:
        offset, _ = offset_at(zone, reading - offset)
    return reading - offset
