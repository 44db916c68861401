"""Prints moments in Go's layout notation, where ``2006-01-02`` stands for year, month and day."""

from __future__ import annotations

import re
from collections.abc import Callable

from tiphys.languages.layouts import Moment

__all__ = ["MONTHS", "WEEKDAYS", "format_time", "weekday_of", "year_day_of"]

MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September")
MONTHS += ("October", "November", "December")
WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_DAY = 86_400
_YEAR = "2006"
_CUMULATED = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)

_ELEMENT = re.compile(
    r"""
    January | Jan(?![a-z]) | Monday | Mon(?![a-z]) | MST
    | 0[1-6] | 002 | 15 | 1 | 2006 | 2 | _2006 | _2 | __2 | 3 | 4 | 5 | PM | pm
    | [-Z]070000 | [-Z]07:00:00 | [-Z]0700 | [-Z]07:00 | [-Z]07
    | [.,] (?: 0+ | 9+ ) (?![0-9])
    """,
    re.VERBOSE,
)


def format_time(layout: str, moment: Moment) -> str:
    """Print *moment* as ``Time.Format`` does."""
    return _ELEMENT.sub(lambda match: _printed(match[0], moment), layout)


def weekday_of(moment: Moment) -> int:
    """Day of the week where the moment's clock stands, Sunday is 0."""
    return ((moment.unix + moment.offset) // _DAY + 4) % 7


def year_day_of(moment: Moment) -> int:
    """Day of the year where the moment's clock stands, counted from 1."""
    year, month, day = moment.wall[:3]
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return _CUMULATED[month - 1] + day + (leap and month > 2)


def _printed(element: str, moment: Moment) -> str:
    if element[0] in ".,":
        return _fraction(element, moment.nanosecond)
    if element[0] in "-Z":
        return _offset(element, moment.offset)
    return _PRINTERS[element](moment)


def _fraction(element: str, nanosecond: int) -> str:
    digits = f"{nanosecond:09d}".ljust(len(element) - 1, "0")[: len(element) - 1]
    if element[1] == "9":
        digits = digits.rstrip("0")
        if not digits:
            return ""
    return element[0] + digits


def _offset(element: str, offset: int) -> str:
    if element[0] == "Z" and offset == 0:
        return "Z"
    separator = ":" if ":" in element else ""
    parts = len(element.replace(":", "")) // 2  # hours, minutes, seconds
    size = abs(offset)
    numbers = (size // 3600, size // 60 % 60, size % 60)[:parts]
    # The sign is that of the whole minutes, so that of -30 seconds is a plus.
    sign = "-" if offset <= -60 else "+"
    return sign + separator.join(f"{number:02d}" for number in numbers)


def _zone_name(moment: Moment) -> str:
    return moment.zone or _offset("-0700", moment.offset)


def _year(moment: Moment) -> str:
    year = moment.wall.year
    return f"-{-year:04d}" if year < 0 else f"{year:04d}"


def _hour_of_12(moment: Moment) -> int:
    return moment.wall.hour % 12 or 12


_PRINTERS: dict[str, Callable[[Moment], str]] = {
    "January": lambda moment: MONTHS[moment.wall.month - 1],
    "Jan": lambda moment: MONTHS[moment.wall.month - 1][:3],
    "1": lambda moment: str(moment.wall.month),
    "01": lambda moment: f"{moment.wall.month:02d}",
    "Monday": lambda moment: WEEKDAYS[weekday_of(moment)],
    "Mon": lambda moment: WEEKDAYS[weekday_of(moment)][:3],
    "2": lambda moment: str(moment.wall.day),
    "02": lambda moment: f"{moment.wall.day:02d}",
    "_2": lambda moment: f"{moment.wall.day:2d}",
    "_2006": lambda moment: "_" + _year(moment),
    "002": lambda moment: f"{year_day_of(moment):03d}",
    "__2": lambda moment: f"{year_day_of(moment):3d}",
    "15": lambda moment: f"{moment.wall.hour:02d}",
    "3": lambda moment: str(_hour_of_12(moment)),
    "03": lambda moment: f"{_hour_of_12(moment):02d}",
    "4": lambda moment: str(moment.wall.minute),
    "04": lambda moment: f"{moment.wall.minute:02d}",
    "5": lambda moment: str(moment.wall.second),
    "05": lambda moment: f"{moment.wall.second:02d}",
    _YEAR: _year,
    "06": lambda moment: f"{abs(moment.wall.year) % 100:02d}",
    "PM": lambda moment: "PM" if moment.wall.hour >= 12 else "AM",
    "pm": lambda moment: "pm" if moment.wall.hour >= 12 else "am",
    "MST": _zone_name,
}
