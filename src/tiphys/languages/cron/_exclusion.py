"""Exclusion dates of calendars (RFC 5545, of which only the prefix and the stamps are used)."""

from __future__ import annotations

import datetime
from collections.abc import Iterable

from tiphys.languages import layouts
from tiphys.languages._errors import CompileError, EvaluationError

__all__ = ["parse_exclusion_dates"]

_PREFIX = "EXDATE:"
_STAMP = "20060102T150405Z"


def parse_exclusion_dates(entries: Iterable[str]) -> frozenset[datetime.date]:
    """
    Read the days on which a calendar rests, as UTC dates.

    An entry is ``EXDATE:`` and stamps such as ``20240501T000000Z``, separated by commas; other
    entries are ignored. Raises CompileError for a malformed stamp.
    """
    dates = set()
    for entry in entries:
        if not entry.startswith(_PREFIX):
            continue
        position = len(_PREFIX)
        for stamp in entry.removeprefix(_PREFIX).split(","):
            try:
                wall = layouts.parse(_STAMP, stamp).wall
            except EvaluationError as error:
                raise CompileError(str(error), entry, position) from None
            if wall.year >= datetime.MINYEAR:  # the year 0 can be written, but never comes
                dates.add(datetime.date(*wall[:3]))
            position += len(stamp) + 1
    return frozenset(dates)
