"""Windows of the day (spec: sensors 5.7)."""

from __future__ import annotations

from tiphys.languages import EvaluationError, layouts, zones
from tiphys.languages.layouts import Moment
from tiphys.manifests.sensor import TimeFilter
from tiphys.sensors.event import Event
from tiphys.sensors.filters._verdict import PASSED, Verdict

RFC3339 = "2006-01-02T15:04:05Z07:00"
MIDNIGHT_OF_THE_ZERO_DATE = "0001-01-01T00:00:00Z"


class TimeWindow:
    """The event's time lies in the window; one that ends before it starts crosses midnight."""

    def __init__(self, window: TimeFilter) -> None:
        self._window = window

    def evaluate(self, event: Event) -> Verdict:
        """Compare on the calendar date of the event in the zone of the window."""
        window = self._window
        try:
            zone = zones.load_zone(window.timezone)
        except EvaluationError as error:
            return Verdict(
                False, f"time filter error (invalid timezone '{window.timezone}': {error})"
            )
        text = event.cloud_event.time or MIDNIGHT_OF_THE_ZERO_DATE
        try:
            moment = layouts.parse(RFC3339, text)
            offset, _ = zones.offset_at(zone, moment.unix)
            year, month, day, *_ = zones.wall_from_unix(moment.unix, offset)
            date = f"{year:04d}-{month:02d}-{day:02d}"
            start, stop = (
                layouts.parse("2006-01-02 15:04:05", f"{date} {clock}", zone=zone)
                for clock in (window.start, window.stop)
            )
        except EvaluationError as error:
            return Verdict(False, f"time filter error ({error})")
        if _inside(_order(moment), _order(start), _order(stop)):
            return PASSED
        where = f" ({window.timezone})" if window.timezone else ""
        return Verdict(
            False, reason=f"time {text} is not in {window.start} to {window.stop}{where}"
        )


def _order(moment: Moment) -> tuple[int, int]:
    return moment.unix, moment.nanosecond


def _inside(now: tuple[int, int], start: tuple[int, int], stop: tuple[int, int]) -> bool:
    if start < stop:
        return start <= now < stop
    return now >= start or now < stop
