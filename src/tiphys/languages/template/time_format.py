"""Times printed in Go's layout notation, where ``2006-01-02 15:04:05`` shows the form."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

from tiphys.languages._errors import EvaluationError
from tiphys.languages._quoting import quote_bytes
from tiphys.languages.template.moments import LOCAL, MONTHS, SECOND, UTC, Time

__all__ = ["format_time", "go_string", "json_text", "time_text"]

_ELEMENT = re.compile(
    r"""
    January | Jan(?![a-z]) | Monday | Mon(?![a-z]) | MST
    | 0[1-6] | 002 | 15 | 1 | 2006 | 2 | _2(?!006) | __2 | 3 | 4 | 5 | PM | pm
    | [-Z]070000 | [-Z]07:00:00 | [-Z]0700 | [-Z]07:00 | [-Z]07
    | [.,] (?: 0+ | 9+ ) (?![0-9])
    """,
    re.VERBOSE,
)
_STRING = "2006-01-02 15:04:05.999999999 -0700 MST"
_RFC3339 = "2006-01-02T15:04:05.999999999Z07:00"


def format_time(time: Time, layout: str) -> str:
    """Print *time* in *layout*; what is no element of a layout stays as it is."""
    return "".join(part if show is None else show(time, part) for part, show in _parts(layout))


def time_text(time: Time) -> str:
    """Print *time* as its String method does, with the monotonic clock where it has one."""
    text = format_time(time, _STRING)
    if time.monotonic is not None:
        sign = "-" if time.monotonic < 0 else "+"
        seconds, rest = divmod(abs(time.monotonic), SECOND)
        text += f" m={sign}{seconds}.{rest:09d}"
    return text


def json_text(time: Time) -> str:
    """Print *time* as JSON has it, RFC 3339; raises EvaluationError for years it cannot show."""
    if not 0 <= time.wall.year <= 9999:
        raise EvaluationError("Time.MarshalJSON: year outside of range [0,9999]")
    return format_time(time, _RFC3339)


def go_string(time: Time) -> str:
    """Print *time* as source code, for ``%#v``."""
    year, month, day, hour, minute, second = time.wall
    place = f"time.Location({quote_bytes(time.location.name)})"
    place = {UTC: "time.UTC", LOCAL: "time.Local"}.get(time.location, place)
    numbers = f"{day}, {hour}, {minute}, {second}, {time.nanosecond}"
    return f"time.Date({year}, time.{MONTHS[month - 1]}, {numbers}, {place})"


_Show = Callable[[Time, str], str]


@functools.lru_cache(maxsize=256)
def _parts(layout: str) -> tuple[tuple[str, _Show | None], ...]:
    """A layout cut into literal texts and elements, each with what prints it."""
    parts: list[tuple[str, _Show | None]] = []
    end = 0
    for match in _ELEMENT.finditer(layout):
        parts.append((layout[end : match.start()], None))
        parts.append((match[0], _shows(match[0])))
        end = match.end()
    parts.append((layout[end:], None))
    return tuple(part for part in parts if part[0])


def _shows(element: str) -> _Show:
    if element[0] in ".,":
        return _fraction
    if element[0] in "-Z":
        return _offset
    return _ELEMENTS[element]


def _padded(number: int, width: int) -> str:
    return f"{'-' if number < 0 else ''}{abs(number):0{width}d}"


def _hour12(time: Time) -> int:
    return time.wall.hour % 12 or 12


def _fraction(time: Time, element: str) -> str:
    digits = f"{time.nanosecond:09d}".ljust(len(element) - 1, "0")[: len(element) - 1]
    if element[1] == "9":
        digits = digits.rstrip("0")
        return element[0] + digits if digits else ""
    return element[0] + digits[:9]


def _offset(time: Time, element: str) -> str:
    seconds = time.location.at(time.unix)[0]
    if element[0] == "Z" and seconds == 0:
        return "Z"
    sign = "-" if int(seconds / 60) < 0 else "+"
    minutes, rest = divmod(abs(seconds), 60)
    colon = ":" if ":" in element else ""
    text = f"{sign}{minutes // 60:02d}"
    if len(element) > 3:
        text += f"{colon}{minutes % 60:02d}"
    if len(element) > 6:
        text += f"{colon}{rest:02d}"
    return text


def _abbreviation(time: Time, _element: str) -> str:
    offset, name = time.location.at(time.unix)
    if name:
        return name
    minutes = abs(offset) // 60
    return f"{'-' if offset <= -60 else '+'}{minutes // 60:02d}{minutes % 60:02d}"


_ELEMENTS: dict[str, _Show] = {
    "2006": lambda time, _: _padded(time.wall.year, 4),
    "06": lambda time, _: f"{abs(time.wall.year) % 100:02d}",
    "January": lambda time, _: MONTHS[time.wall.month - 1],
    "Jan": lambda time, _: MONTHS[time.wall.month - 1][:3],
    "1": lambda time, _: str(time.wall.month),
    "01": lambda time, _: f"{time.wall.month:02d}",
    "Monday": lambda time, _: str(time.weekday),
    "Mon": lambda time, _: str(time.weekday)[:3],
    "2": lambda time, _: str(time.wall.day),
    "_2": lambda time, _: f"{time.wall.day:2d}",
    "02": lambda time, _: f"{time.wall.day:02d}",
    "__2": lambda time, _: f"{time.year_day:3d}",
    "002": lambda time, _: f"{time.year_day:03d}",
    "15": lambda time, _: f"{time.wall.hour:02d}",
    "3": lambda time, _: str(_hour12(time)),
    "03": lambda time, _: f"{_hour12(time):02d}",
    "4": lambda time, _: str(time.wall.minute),
    "04": lambda time, _: f"{time.wall.minute:02d}",
    "5": lambda time, _: str(time.wall.second),
    "05": lambda time, _: f"{time.wall.second:02d}",
    "PM": lambda time, _: "PM" if time.wall.hour >= 12 else "AM",
    "pm": lambda time, _: "pm" if time.wall.hour >= 12 else "am",
    "MST": _abbreviation,
}
