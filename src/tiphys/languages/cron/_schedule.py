"""Schedules: which moment comes next, and which came before."""

from __future__ import annotations

import abc
import dataclasses
import datetime

from tiphys.languages.cron._backward import find_previous
from tiphys.languages.cron._cursor import Cursor
from tiphys.languages.cron._fields import Fields
from tiphys.languages.cron._forward import find_next

__all__ = ["CronSchedule", "Interval", "Schedule"]

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_YEARS = 5  # how far a match is looked for


class Schedule(abc.ABC):
    """When something happens; immutable."""

    @abc.abstractmethod
    def next(self, after: datetime.datetime) -> datetime.datetime | None:
        """
        Find the first moment after an aware datetime, in the zone of that.

        None where there is none within five years.
        """

    @abc.abstractmethod
    def previous(self, before: datetime.datetime) -> datetime.datetime | None:
        """
        Find the last moment before an aware datetime, in the zone of that.

        None where there is none within five years.
        """


@dataclasses.dataclass(frozen=True, slots=True)
class Interval(Schedule):
    """
    A fixed delay, counted from the last whole second.

    So an interval under a second leads back in time; whoever takes it from a manifest must
    refuse that.
    """

    nanoseconds: int

    def next(self, after: datetime.datetime) -> datetime.datetime | None:
        """Add the delay to the whole second of *after*; digits under a microsecond are cut."""
        return self._shifted(after, self.nanoseconds)

    def previous(self, before: datetime.datetime) -> datetime.datetime | None:
        """Subtract the delay from the whole second of *before*."""
        return self._shifted(before, -self.nanoseconds)

    def _shifted(self, moment: datetime.datetime, nanoseconds: int) -> datetime.datetime | None:
        delay = datetime.timedelta(microseconds=nanoseconds // 1000)
        try:
            shifted = moment.astimezone(datetime.UTC).replace(microsecond=0) + delay
            return shifted.astimezone(moment.tzinfo)
        except OverflowError:
            return None


@dataclasses.dataclass(frozen=True, slots=True)
class CronSchedule(Schedule):
    """
    The moments whose calendar and clock match all fields.

    *zone* is where the fields are read, None for the zone of the datetime that is asked about.
    """

    fields: Fields
    zone: datetime.tzinfo | None = None

    def next(self, after: datetime.datetime) -> datetime.datetime | None:
        """
        Find the first match after *after*.

        Clock times that a change of offset skips do not come, those that it repeats come twice.
        """
        if self.fields.is_void():
            return None
        cursor = Cursor(self.zone or after.tzinfo, _whole_seconds(after) + 1)
        if not find_next(self.fields, cursor, cursor.wall.year + _YEARS):
            return None
        return _datetime(cursor.unix, after.tzinfo)

    def previous(self, before: datetime.datetime) -> datetime.datetime | None:
        """
        Find the last match before *before*.

        A match in the very second of *before* is not found, even where *before* has a fraction.
        """
        if self.fields.is_void():
            return None
        cursor = Cursor(self.zone or before.tzinfo, _whole_seconds(before) - 1)
        if not find_previous(self.fields, cursor, cursor.wall.year - _YEARS):
            return None
        return _datetime(cursor.unix, before.tzinfo)


def _whole_seconds(moment: datetime.datetime) -> int:
    since = moment.astimezone(datetime.UTC) - _EPOCH
    return since.days * 86_400 + since.seconds


def _datetime(unix: int, zone: datetime.tzinfo | None) -> datetime.datetime | None:
    try:
        return (_EPOCH + datetime.timedelta(seconds=unix)).astimezone(zone)
    except OverflowError:  # beyond the years that a datetime can have
        return None
