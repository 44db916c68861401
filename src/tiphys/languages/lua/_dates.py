"""The original's ``os.date`` and ``os.time``: Go's layouts under the names of C's conversions."""

from __future__ import annotations

import calendar
import time
from typing import Any

from tiphys.languages.lua._numbers import parse_number

__all__ = ["date_parts", "format_date", "timestamp"]

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DEFAULTS = (-1, -1, -1, 12, 0, 0)  # year, month, day, hour, minute, second


def date_parts(clock: time.struct_time) -> tuple[int, ...]:
    """Year, month, day, hour, minute, second, and the weekday counted from Sunday as 1."""
    return (*clock[:6], (clock.tm_wday + 1) % 7 + 1)


def format_date(template: str, clock: time.struct_time, utc: bool) -> str:
    """
    Fill *template*; conversions the original does not know stay as they are.

    Its ``%a`` is the word ``mon``, whatever the day, and its ``%M`` is the minute.
    """
    parts: list[str] = []
    position = 0
    while position < len(template):
        character = template[position]
        following = template[position + 1 : position + 2]
        if character != "%" or not following:
            parts.append(character)
            position += 1
            continue
        parts.append("%" if following == "%" else _conversion(following, clock, utc))
        position += 2
    return "".join(parts)


def timestamp(fields: list[Any]) -> float | None:
    """Seconds since 1970 of a table's year, month, day, hour, min and sec in local time."""
    numbers = [_whole(value, default) for value, default in zip(fields, _DEFAULTS, strict=True)]
    year, month, day, hour, minute, second = numbers
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    try:
        return float(time.mktime((year, month, day, hour, minute, second, 0, 0, -1)))
    except (OverflowError, ValueError):
        return _far_timestamp(numbers)


def _far_timestamp(numbers: list[int]) -> float | None:
    """The same for years that the C library refuses, without regard to the zone."""
    try:
        return float(calendar.timegm((*numbers, 0, 0, 0)))
    except (OverflowError, ValueError):
        return None


def _whole(value: Any, default: int) -> int:
    if isinstance(value, str):
        digits = value.lstrip(" ")
        if digits.startswith("0") and digits[:2] not in ("0x", "0X"):
            digits = digits.lstrip("0") or "0"
        parsed = parse_number(digits)
        return default if parsed is None else int(parsed)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return default
    return int(value) if value == value and abs(value) < 1e15 else default


def _conversion(letter: str, clock: time.struct_time, utc: bool) -> str:
    year, month, day, hour, minute, second = clock[:6]
    zone = "UTC" if utc else clock.tm_zone
    offset = 0 if utc else clock.tm_gmtoff // 60
    month_name = calendar.month_name[month]
    sign = "-" if offset < 0 else "+"
    texts = {
        "a": "mon",
        "A": _DAYS[clock.tm_wday],
        "b": month_name[:3],
        "B": month_name,
        "c": f"{day:02} {month_name[:3]} {year % 100:02} {hour:02}:{minute:02} {zone}",
        "d": f"{day:02}",
        "F": f"{year:04}-{month:02}-{day:02}",
        "H": f"{hour:02}",
        "I": f"{(hour + 11) % 12 + 1:02}",
        "m": f"{month:02}",
        "M": f"{minute:02}",
        "p": "PM" if hour >= 12 else "AM",
        "P": "pm" if hour >= 12 else "am",
        "S": f"{second:02}",
        "w": str((clock.tm_wday + 1) % 7),
        "x": f"{hour:02}/{minute:02}/{second:02}",
        "X": f"{hour:02}:{minute:02}:{second:02}",
        "y": f"{year % 100:02}",
        "Y": f"{year:04}",
        "z": f"{sign}{abs(offset) // 60:02}{abs(offset) % 60:02}",
        "Z": zone,
    }
    return texts.get(letter, f"%{letter}")
