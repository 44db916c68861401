"""
Times in Go's layout notation, where a layout spells out ``Mon Jan 2 15:04:05 2006``.

Time filters, exclusion dates, templates and date-like literals are read with such layouts.
"""

from __future__ import annotations

import calendar
import datetime
import functools
import re
from collections.abc import Callable

from tiphys.languages import zones
from tiphys.languages._errors import EvaluationError
from tiphys.languages._quoting import quote_bytes
from tiphys.languages.zones import Moment

__all__ = ["Moment", "parse"]

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")

_ELEMENT = re.compile(
    r"""
    January | Jan(?![a-z]) | Monday | Mon(?![a-z]) | MST
    | 0[1-6] | 002 | 15 | 1 | 2006 | 2 | _2(?!006) | __2 | 3 | 4 | 5 | PM | pm
    | [-Z]070000 | [-Z]07:00:00 | [-Z]0700 | [-Z]07:00 | [-Z]07
    | [.,] (?: 0+ | 9+ ) (?![0-9])
    """,
    re.VERBOSE,
)
_OFFSETS = {
    "070000": re.compile(r"([-+])([0-9]{2})([0-9]{2})([0-9]{2})"),
    "07:00:00": re.compile(r"([-+])([0-9]{2}):([0-9]{2}):([0-9]{2})"),
    "0700": re.compile(r"([-+])([0-9]{2})([0-9]{2})()"),
    "07:00": re.compile(r"([-+])([0-9]{2}):([0-9]{2})()"),
    "07": re.compile(r"([-+])([0-9]{2})()()"),
}
_FRACTION = re.compile(r"[.,]([0-9]+)")
_DIGITS = re.compile(r"[0-9]+")
_ONE_OR_TWO_DIGITS = re.compile(r"[0-9]{1,2}")
_TWO_DIGITS = re.compile(r"[0-9]{2}")
_UP_TO_THREE_DIGITS = re.compile(r"[0-9]{1,3}")
_THREE_DIGITS = re.compile(r"[0-9]{3}")
_FOUR_DIGITS = re.compile(r"[0-9]{4}")
_SHORT_YEAR = re.compile(r"[-+][0-9]|[0-9]{2}")  # with a sign, because the original takes one
_ABBREVIATION = re.compile(
    r"""
    ChST | MeST
    | GMT (?: [-+] 0{0,9}(?:1?[0-9]|2[0-3]) (?![0-9]) )?
    | [-+] 0{0,9}(?:1?[0-9]|2[0-3]) (?![0-9])
    | (?: [A-Z]{4}T | [A-Z]{3}T | WITA | [A-Z]{3} ) (?![A-Z])
    """,
    re.VERBOSE,
)
_SECONDS = ("05", "5")
_MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_MONTH = 30 * 86_400
_CENTURY = 946_684_800  # 2000-01-01 in Unix seconds


def parse(
    layout: str,
    text: str,
    *,
    zone: datetime.tzinfo | None = datetime.UTC,
    local: datetime.tzinfo | None = None,
) -> Moment:
    """
    Read *text* as ``time.ParseInLocation`` does.

    *zone* is where a text without offset is read, *local* the zone whose abbreviations are
    known; None is the zone of the process in both. Raises EvaluationError.
    """
    return _Reader(layout, text).read(zone, local)


@functools.lru_cache(maxsize=256)
def _split(layout: str) -> tuple[tuple[tuple[str, str], ...], str]:
    """The elements of a layout, each with the literal text before it, and the text at its end."""
    elements, end = [], 0
    for match in _ELEMENT.finditer(layout):
        elements.append((layout[end : match.start()], match[0]))
        end = match.end()
    return tuple(elements), layout[end:]


class _Reader:
    """One reading of one text: *rest* is what remains, the other members what was found."""

    def __init__(self, layout: str, text: str) -> None:
        self.layout, self.text, self.rest = layout, text, text
        self.year = self.hour = self.minute = self.second = self.nanosecond = 0
        self.month: int | None = None
        self.day: int | None = None
        self.day_of_year: int | None = None
        self.half: str = ""
        self.utc = False
        self.offset: int | None = None
        self.abbreviation = ""

    def read(self, zone: datetime.tzinfo | None, local: datetime.tzinfo | None) -> Moment:
        elements, tail = _split(self.layout)
        for index, (prefix, element) in enumerate(elements):
            self.skip(prefix)
            before = self.rest
            if not _reader_of(element)(self, element):
                raise self.mismatch(element, before)
            if element in _SECONDS:
                following = elements[index + 1][1] if index + 1 < len(elements) else ""
                if not following.startswith((".", ",")):
                    self.fraction(".9")  # may be there although the layout has none
        self.skip(tail)
        if self.rest:
            raise self.wrong(f"extra text: {quote_bytes(self.rest)}")
        return self.moment(self.wall(), zone, local)

    def wall(self) -> zones.Wall:
        if self.half == "PM" and self.hour < 12:
            self.hour += 12
        elif self.half == "AM" and self.hour == 12:
            self.hour = 0
        if self.day_of_year is None:
            month, day = self.month or 1, 1 if self.day is None else self.day
        else:
            month, day = self.from_day_of_year(self.day_of_year)
        if not 1 <= day <= _days_in(month, self.year):
            raise self.wrong("day out of range")
        return zones.Wall(self.year, month, day, self.hour, self.minute, self.second)

    def moment(
        self, wall: zones.Wall, zone: datetime.tzinfo | None, local: datetime.tzinfo | None
    ) -> Moment:
        unix = zones.unix_from_wall(wall)
        if self.utc:
            return Moment(unix, self.nanosecond, 0, "UTC")
        if self.offset is not None:
            unix -= self.offset
            offset, name = zones.offset_at(local, unix)
            known = offset == self.offset and self.abbreviation in ("", name)
            return Moment(unix, self.nanosecond, self.offset, name if known else self.abbreviation)
        if self.abbreviation:
            known_offset = _offset_of(self.abbreviation, local, unix)
            if known_offset is not None:
                unix -= known_offset
                return Moment(unix, self.nanosecond, *zones.offset_at(local, unix))
            # The original forgets to subtract the hours of a text such as GMT+3.
            hours = self.abbreviation[3:] if self.abbreviation.startswith("GMT") else ""
            return Moment(unix, self.nanosecond, int(hours or 0) * 3600, self.abbreviation)
        unix = zones.unix_from_wall(wall, zone)
        return Moment(unix, self.nanosecond, *zones.offset_at(zone, unix))

    def from_day_of_year(self, day_of_year: int) -> tuple[int, int]:
        """Month and day; both must agree with what else was read."""
        leap = calendar.isleap(self.year)
        if not 1 <= day_of_year <= 365 + leap:
            raise self.wrong("day-of-year out of range")
        month, day = 1, day_of_year
        while day > _days_in(month, self.year):
            day -= _days_in(month, self.year)
            month += 1
        if self.month not in (None, month):
            raise self.wrong("day-of-year does not match month")
        if self.day not in (None, day):
            raise self.wrong("day-of-year does not match day")
        return month, day

    def skip(self, prefix: str) -> None:
        """Pass over literal text; blanks of the layout stand for any number of blanks or none."""
        remaining = prefix
        while remaining:
            if remaining[0] == " " and self.rest[:1] in ("", " "):
                remaining, self.rest = remaining.lstrip(" "), self.rest.lstrip(" ")
            elif self.rest[:1] == remaining[0] != " ":
                remaining, self.rest = remaining[1:], self.rest[1:]
            else:
                raise self.mismatch(prefix, self.rest)

    def number(self, pattern: re.Pattern[str]) -> int | None:
        match = pattern.match(self.rest)
        if match is None:
            return None
        self.rest = self.rest[match.end() :]
        return int(match[0])

    def one_or_two_digits(self, element: str) -> int | None:
        return self.number(_TWO_DIGITS if element[0] == "0" else _ONE_OR_TWO_DIGITS)

    def name(self, names: tuple[str, ...], letters: int | None) -> int | None:
        """The index of the name, or of its first *letters*, that comes next in any case."""
        for index, name in enumerate(names):
            wanted = name[:letters]
            found = self.rest[: len(wanted)]
            if found.isascii() and found.lower() == wanted.lower():
                self.rest = self.rest[len(wanted) :]
                return index
        return None

    def long_year(self, _element: str) -> bool:
        year = self.number(_FOUR_DIGITS)
        self.year = year or 0
        return year is not None

    def short_year(self, _element: str) -> bool:
        year = self.number(_SHORT_YEAR)
        if year is not None:
            self.year = year + (1900 if year >= 69 else 2000)
        return year is not None

    def month_name(self, element: str) -> bool:
        index = self.name(_MONTHS, None if element == "January" else 3)
        if index is not None:
            self.month = index + 1
        return index is not None

    def month_number(self, element: str) -> bool:
        self.month = self.one_or_two_digits(element)
        if self.month is not None and not 1 <= self.month <= 12:
            raise self.wrong("month out of range")
        return self.month is not None

    def weekday(self, element: str) -> bool:
        return self.name(_WEEKDAYS, None if element == "Monday" else 3) is not None

    def day_of_month(self, element: str) -> bool:
        if element == "_2":
            self.rest = self.rest.removeprefix(" ")
        self.day = self.one_or_two_digits(element)
        return self.day is not None

    def day_in_year(self, element: str) -> bool:
        if element == "__2":
            self.rest = self.rest.removeprefix(" ").removeprefix(" ")
        pattern = _THREE_DIGITS if element == "002" else _UP_TO_THREE_DIGITS
        self.day_of_year = self.number(pattern)
        return self.day_of_year is not None

    def hours(self, element: str) -> bool:
        hour = self.one_or_two_digits(element)
        self.hour = hour or 0
        if self.hour >= 24 or (element != "15" and self.hour > 12):
            raise self.wrong("hour out of range")
        return hour is not None

    def minutes(self, element: str) -> bool:
        minute = self.one_or_two_digits(element)
        self.minute = minute or 0
        if self.minute >= 60:
            raise self.wrong("minute out of range")
        return minute is not None

    def seconds(self, element: str) -> bool:
        second = self.one_or_two_digits(element)
        self.second = second or 0
        if self.second >= 60:
            raise self.wrong("second out of range")
        return second is not None

    def fraction(self, element: str) -> bool:
        """Digits of the second: exactly as many as zeros in the layout, or any number for nines."""
        if element[1] == "9":
            match = _FRACTION.match(self.rest)
            digits = match[1] if match else ""
        else:
            digits = self.rest[1 : len(element)]
            if self.rest[:1] not in (".", ",") or len(digits) < len(element) - 1:
                return False
            if not _DIGITS.fullmatch(digits[:9]):
                return False
        if digits:
            self.nanosecond = int(digits[:9].ljust(9, "0"))
            self.rest = self.rest[1 + len(digits) :]
        return True

    def half_of_day(self, element: str) -> bool:
        half = self.rest[:2]
        if half not in (("AM", "PM") if element == "PM" else ("am", "pm")):
            return False
        self.half, self.rest = half.upper(), self.rest[2:]
        return True

    def numeric_zone(self, element: str) -> bool:
        if element[0] == "Z" and self.rest[:1] == "Z":
            self.utc, self.rest = True, self.rest[1:]
            return True
        match = _OFFSETS[element[1:]].match(self.rest)
        if match is None:
            return False
        hours, minutes, seconds = (int(part or 0) for part in match.groups()[1:])
        for unit, value, most in (
            ("hour", hours, 24),
            ("minute", minutes, 60),
            ("second", seconds, 60),
        ):
            if value > most:
                raise self.wrong(f"time zone offset {unit} out of range")
        offset = (hours * 60 + minutes) * 60 + seconds
        self.offset = -offset if match[1] == "-" else offset
        self.rest = self.rest[match.end() :]
        return True

    def zone_name(self, _element: str) -> bool:
        if self.rest.startswith("UTC"):
            self.utc, self.rest = True, self.rest[3:]
            return True
        match = _ABBREVIATION.match(self.rest)
        if match is None:
            return False
        self.abbreviation = match[0]
        self.rest = self.rest[match.end() :]
        return True

    def mismatch(self, wanted: str, found: str) -> EvaluationError:
        text, layout = quote_bytes(self.text), quote_bytes(self.layout)
        reason = f"cannot parse {quote_bytes(found)} as {quote_bytes(wanted)}"
        return EvaluationError(f"parsing time {text} as {layout}: {reason}")

    def wrong(self, reason: str) -> EvaluationError:
        return EvaluationError(f"parsing time {quote_bytes(self.text)}: {reason}")


_READERS: dict[str, Callable[[_Reader, str], bool]] = {
    **dict.fromkeys(("January", "Jan"), _Reader.month_name),
    **dict.fromkeys(("Monday", "Mon"), _Reader.weekday),
    **dict.fromkeys(("01", "1"), _Reader.month_number),
    **dict.fromkeys(("02", "2", "_2"), _Reader.day_of_month),
    **dict.fromkeys(("002", "__2"), _Reader.day_in_year),
    **dict.fromkeys(("15", "03", "3"), _Reader.hours),
    **dict.fromkeys(("04", "4"), _Reader.minutes),
    **dict.fromkeys(_SECONDS, _Reader.seconds),
    **dict.fromkeys(("PM", "pm"), _Reader.half_of_day),
    "2006": _Reader.long_year,
    "06": _Reader.short_year,
    "MST": _Reader.zone_name,
}


def _reader_of(element: str) -> Callable[[_Reader, str], bool]:
    if element[0] in ".,":
        return _Reader.fraction
    return _READERS.get(element, _Reader.numeric_zone)


def _days_in(month: int, year: int) -> int:
    return _MONTH_DAYS[month - 1] + (month == 2 and calendar.isleap(year))


def _offset_of(abbreviation: str, zone: datetime.tzinfo | None, unix: int) -> int | None:
    """
    The offset that *zone* gives an abbreviation, preferably the one in use then.

    *unix* is the wall clock time read as UTC. The two years around it are searched, and the
    first year of this century for abbreviations that belong to another time.
    """
    around = range(unix - 12 * _MONTH, unix + 13 * _MONTH, _MONTH)
    century = range(_CENTURY, _CENTURY + 12 * _MONTH, _MONTH)
    found = [zones.offset_at(zone, at) for at in (unix, *around, *century)]
    offsets = [offset for offset, name in found if name == abbreviation]
    for offset in offsets:
        if zones.offset_at(zone, unix - offset) == (offset, abbreviation):
            return offset
    return offsets[0] if offsets else None
