"""Blackout windows: spans of time in which no action begins."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Protocol

from tiphys.errors import ManifestError
from tiphys.languages import LanguageError, cron, zones
from tiphys.languages.cron import Schedule
from tiphys.manifests.flow import DAYS, BlackoutWindow, time_of_day

DAY = timedelta(days=1)


class _Window(Protocol):
    def covering(self, now: datetime) -> datetime | None:
        """The end of the span that *now* lies in."""
        ...

    def next_start(self, now: datetime) -> datetime | None:
        """The first beginning after *now*."""
        ...


class Blackout:
    """Several windows together."""

    def __init__(self, windows: Sequence[_Window]) -> None:
        self._windows = windows

    def covering(self, now: datetime) -> datetime | None:
        """When to look again, if *now* lies in a window: its end.  A beginning belongs to it."""
        ends = [end for window in self._windows if (end := window.covering(now)) is not None]
        return max(ends, default=None)

    def next_start(self, now: datetime) -> datetime | None:
        """The first beginning of a window after *now*."""
        starts = [start for window in self._windows if (start := window.next_start(now))]
        return min(starts, default=None)


@dataclasses.dataclass(frozen=True)
class _Daily:
    """From *start* to *stop* after midnight, on some days of the week (0: Monday), in a zone."""

    start: timedelta
    stop: timedelta
    days: frozenset[int]
    zone: tzinfo | None

    def covering(self, now: datetime) -> datetime | None:
        today = now.astimezone(self.zone).date()
        spans = (self._span(today - DAY), self._span(today))
        ends = [span[1] for span in spans if span is not None and span[0] <= now < span[1]]
        return max(ends, default=None)

    def next_start(self, now: datetime) -> datetime | None:
        today = now.astimezone(self.zone).date()
        spans = (self._span(today + DAY * n) for n in range(9))
        return next((span[0] for span in spans if span is not None and span[0] > now), None)

    def _span(self, day: date) -> tuple[datetime, datetime] | None:
        """The window that begins on *day*."""
        if day.weekday() not in self.days:
            return None
        stop = self.stop if self.stop > self.start else self.stop + DAY
        return self._moment(day, self.start), self._moment(day, stop)

    def _moment(self, day: date, time: timedelta) -> datetime:
        """The moment at which clocks in the zone show *time*; the first where they do twice."""
        wall = datetime(day.year, day.month, day.day) + time
        local = wall.replace(tzinfo=self.zone) if self.zone is not None else wall
        return local.astimezone(UTC)


@dataclasses.dataclass(frozen=True)
class _Scheduled:
    """For *duration* after each time of a schedule."""

    schedule: Schedule
    duration: timedelta

    def covering(self, now: datetime) -> datetime | None:
        tick = self.schedule.next(now - self.duration)
        return tick + self.duration if tick is not None and tick <= now else None

    def next_start(self, now: datetime) -> datetime | None:
        return self.schedule.next(now)


def compile_blackout(blocks: Iterable[BlackoutWindow]) -> Blackout | None:
    """
    The windows of a manifest; None when there are none.

    Raises :exc:`ManifestError`.
    """
    windows = []
    for index, block in enumerate(blocks):
        try:
            windows.append(_scheduled(block) if block.cron else _daily(block))
        except (LanguageError, ValueError) as error:
            raise ManifestError(str(error), path=f"blackout[{index}]") from error
    return Blackout(windows) if windows else None


def _daily(block: BlackoutWindow) -> _Window:
    start, stop = time_of_day(block.start), time_of_day(block.stop)
    if start == stop:
        raise ValueError("`start` and `stop` are equal; a whole day is 00:00 to 24:00")
    days = frozenset(DAYS.index(day) for day in block.days or DAYS)
    return _Daily(start, stop, days, zones.load_zone(block.timezone))


def _scheduled(block: BlackoutWindow) -> _Window:
    if block.duration <= 0:
        raise ValueError("`cron` needs a `duration`")
    schedule = cron.parse(block.cron, zone=zones.load_zone(block.timezone))
    return _Scheduled(schedule, timedelta(seconds=block.duration))
