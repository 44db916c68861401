"""The fields of a cron expression as bit sets, and how their texts are read."""

from __future__ import annotations

import dataclasses
import re
from typing import NamedTuple

from tiphys.languages._errors import CompileError
from tiphys.languages._quoting import quote

__all__ = ["BOUNDS", "Fields", "parse_field"]

_INTEGER = re.compile(r"[-+]?[0-9]+")
_MOST = (1 << 63) - 1


class Bounds(NamedTuple):
    """The least and greatest number of a field, and names for some of them."""

    least: int
    most: int
    names: dict[str, int]


_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec"
_WEEKDAYS = "sun mon tue wed thu fri sat"
BOUNDS = {
    "seconds": Bounds(0, 59, {}),
    "minutes": Bounds(0, 59, {}),
    "hours": Bounds(0, 23, {}),
    "days": Bounds(1, 31, {}),
    "months": Bounds(1, 12, {name: number for number, name in enumerate(_MONTHS.split(), 1)}),
    "weekdays": Bounds(0, 6, {name: number for number, name in enumerate(_WEEKDAYS.split())}),
}
"""The fields in the order in which they are written."""


@dataclasses.dataclass(frozen=True, slots=True)
class Fields:
    """
    The allowed numbers of each field: bit 3 of the hours allows three o'clock.

    With *both_days* the day of the month and that of the week must be allowed, else one of them
    is enough.
    """

    seconds: int
    minutes: int
    hours: int
    days: int
    months: int
    weekdays: int
    both_days: bool

    def match_day(self, day: int, weekday: int) -> bool:
        """Tell whether a day, counted from 1, is allowed; *weekday* 0 is Sunday."""
        by_month, by_week = self.days >> day & 1, self.weekdays >> weekday & 1
        return bool(by_month & by_week if self.both_days else by_month | by_week)

    def is_void(self) -> bool:
        """Tell whether a field allows nothing, as the field ``,`` does."""
        some_day = self.days and self.weekdays if self.both_days else self.days or self.weekdays
        return not (self.seconds and self.minutes and self.hours and self.months and some_day)


def parse_field(text: str, bounds: Bounds, spec: str, position: int) -> tuple[int, bool]:
    """
    Read a list of ranges: the allowed numbers as bits, and whether a star is among them.

    Raises CompileError; *spec* and *position* tell where the field stands.
    """
    bits, star = 0, False
    for expression in text.split(","):
        if not expression:
            continue
        try:
            more, is_star = _range(expression, bounds)
        except ValueError as error:
            raise CompileError(str(error), spec, position) from None
        bits |= more
        star = star or is_star
        position += len(expression) + 1
    return bits, star


def _range(expression: str, bounds: Bounds) -> tuple[int, bool]:
    """Read ``*``, ``5``, ``1-5``, and each with a step as ``/2``; raises ValueError."""
    ends, *steps = expression.split("/")
    low, *highs = ends.split("-")
    star = low in ("*", "?")
    if star:
        start, end = bounds.least, bounds.most
    else:
        start = end = _number(low, bounds.names)
        if len(highs) > 1:
            raise ValueError(f"too many hyphens: {expression}")
        if highs:
            end = _number(highs[0], bounds.names)
    if len(steps) > 1:
        raise ValueError(f"too many slashes: {expression}")
    step = 1
    if steps:
        step = _number(steps[0], {})
        if not highs:
            end = bounds.most  # 5/15 means from 5 to the end
        star = star and step <= 1
    _check(expression, start, end, step, bounds)
    return sum(1 << number for number in range(start, end + 1, step)), star


def _check(expression: str, start: int, end: int, step: int, bounds: Bounds) -> None:
    if start < bounds.least:
        reason = f"beginning of range ({start}) below minimum ({bounds.least})"
    elif end > bounds.most:
        reason = f"end of range ({end}) above maximum ({bounds.most})"
    elif start > end:
        reason = f"beginning of range ({start}) beyond end of range ({end})"
    elif step == 0:
        reason = "step of range should be a positive number"
    else:
        return
    raise ValueError(f"{reason}: {expression}")


def _number(text: str, names: dict[str, int]) -> int:
    """Read a name or a number; raises ValueError with the texts of the originals."""
    named = names.get(text.lower())
    if named is not None:
        return named
    failed = f"failed to parse int from {text}: strconv.Atoi: parsing {quote(text)}"
    if not _INTEGER.fullmatch(text):
        raise ValueError(f"{failed}: invalid syntax")
    if len(text.lstrip("+-0")) > 19 or abs(int(text)) > _MOST:
        raise ValueError(f"{failed}: value out of range")
    number = int(text)
    if number < 0:
        raise ValueError(f"negative number ({number}) not allowed: {text}")
    return number
