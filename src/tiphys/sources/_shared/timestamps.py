"""The "long" timestamps of some payloads (spec: event sources 6.2)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from tiphys.languages import layouts

_LAYOUT = "2006-01-02 15:04:05.999999999 -0700"
_NO_ABBREVIATION = re.compile(r"UTC[+-]|$")  # what Python calls an offset without a name


def long_timestamp(moment: datetime) -> str:
    """``2020-10-19 22:50:00.0003192 +0000 UTC``, in the zone of *moment*."""
    fraction = f".{moment.microsecond:06d}".rstrip("0") if moment.microsecond else ""
    offset = f"{moment:%z}"[:5]
    name = moment.tzname() or ""
    zone = offset if _NO_ABBREVIATION.match(name) else name
    return f"{moment:%Y-%m-%d %H:%M:%S}{fraction} {offset} {zone}"


def parse_long_timestamp(text: str) -> datetime:
    """
    Read a long timestamp; the name of the zone and a monotonic part (`` m=+1.5``) say nothing.

    Raises :exc:`tiphys.languages.EvaluationError`.
    """
    moment = layouts.parse(_LAYOUT, " ".join(text.split(" ")[:3]))
    whole = datetime.fromtimestamp(moment.unix, UTC)
    return whole + timedelta(microseconds=moment.nanosecond // 1000)
