"""
Methods of package ``time``: signatures for the check before evaluation, and the methods that
templates cannot call because they return more than one result; an expression gets the first.
"""

from __future__ import annotations

import dataclasses
import datetime
import time
from collections.abc import Callable
from typing import Any

from tiphys.languages import zones
from tiphys.languages.expr import _types as types
from tiphys.languages.template.moments import Time

__all__ = ["FIRST_RESULTS", "METHODS", "Method"]

_DAY = 86_400


@dataclasses.dataclass(frozen=True, slots=True)
class Method:
    """Types of parameters and first result; *results* counts all that it returns."""

    result: types.Type
    parameters: tuple[types.Type, ...] = ()
    results: int = 1


def _methods(result: types.Type, names: str, *parameters: types.Type) -> dict[str, Method]:
    return {name: Method(result, parameters) for name in names.split()}


METHODS: dict[types.Type, dict[str, Method]] = {
    types.TIME: {
        **_methods(types.INT, "Day Hour Minute Nanosecond Second Year YearDay"),
        **_methods(types.INT64, "Unix UnixMicro UnixMilli UnixNano"),
        **_methods(types.TIME, "Local UTC"),
        **_methods(types.TIME, "Add Round Truncate", types.DURATION),
        **_methods(types.TIME, "AddDate", types.INT, types.INT, types.INT),
        **_methods(types.TIME, "In", types.LOCATION),
        **_methods(types.BOOL, "After Before Equal", types.TIME),
        **_methods(types.BOOL, "IsZero IsDST"),
        **_methods(types.INT, "Compare", types.TIME),
        **_methods(types.DURATION, "Sub", types.TIME),
        **_methods(types.STRING, "GoString String"),
        **_methods(types.STRING, "Format", types.STRING),
        "Month": Method(types.MONTH),
        "Weekday": Method(types.WEEKDAY),
        "Location": Method(types.LOCATION),
        "ISOWeek": Method(types.INT, results=2),
        "Zone": Method(types.STRING, results=2),
        "Clock": Method(types.INT, results=3),
        "Date": Method(types.INT, results=3),
    },
    types.DURATION: {
        **_methods(types.FLOAT, "Hours Minutes Seconds"),
        **_methods(types.INT64, "Microseconds Milliseconds Nanoseconds"),
        **_methods(types.DURATION, "Abs"),
        **_methods(types.DURATION, "Round Truncate", types.DURATION),
        **_methods(types.STRING, "String"),
    },
    types.MONTH: _methods(types.STRING, "String"),
    types.WEEKDAY: _methods(types.STRING, "String"),
    types.LOCATION: _methods(types.STRING, "String"),
}


def _iso_year(moment: Time) -> int:
    """The year of the Thursday of the same week, as ISO 8601 counts weeks."""
    thursday = moment.day_number + 3 - (moment.weekday - 1) % 7
    return zones.wall_from_unix(thursday * _DAY, 0).year


def _is_summer(moment: Time) -> bool:
    """Whether daylight saving time is in use."""
    place = moment.location
    if place.fixed is not None:
        return False
    if place.zone is None:
        return time.localtime(moment.unix).tm_isdst > 0
    return bool(datetime.datetime.fromtimestamp(moment.unix, place.zone).dst())


FIRST_RESULTS: dict[str, Callable[[Time], Any]] = {
    "Clock": lambda moment: moment.wall.hour,
    "Date": lambda moment: moment.wall.year,
    "ISOWeek": _iso_year,
    "IsDST": _is_summer,
    "Zone": lambda moment: moment.location.at(moment.unix)[1],
}
"""Methods of ``time.Time``; each takes the moment."""
