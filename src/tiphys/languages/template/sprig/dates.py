"""sprig's functions on dates; ``now`` and what is no date mean the time of the call."""

from __future__ import annotations

from tiphys.languages import durations, zones
from tiphys.languages._errors import EvaluationError
from tiphys.languages.template.functions import Function, function
from tiphys.languages.template.moments import LOCAL, SECOND, UTC, Duration, Location, Time
from tiphys.languages.template.sprig.casts import to_decimal_integer
from tiphys.languages.template.time_format import format_time
from tiphys.languages.template.values import Int32, Int64, Value, signed

__all__ = ["FUNCTIONS"]

_HOUR = 3600 * SECOND
_ROUND_UNITS = (
    ("y", 365 * 24 * _HOUR),
    ("mo", 30 * 24 * _HOUR),
    ("d", 24 * _HOUR),
    ("h", _HOUR),
    ("m", 60 * SECOND),
    ("s", SECOND),
)


def _time(value: Value, *integers: type) -> Time:
    """A date; Unix seconds where *value* has one of the types *integers*; else now."""
    if isinstance(value, Time):
        return value
    if type(value) in integers:
        return Time(int(value), 0, LOCAL)
    return Time.now()


def _location(zone: str) -> Location:
    """A zone by name; UTC where there is none of that name."""
    if zone == "Local":
        return LOCAL
    try:
        return Location(zone, zones.load_zone(zone)) if zone not in ("", "UTC") else UTC
    except EvaluationError:
        return UTC


def _in_zone(layout: str, date: Value, zone: str) -> str:
    return format_time(_time(date, int, Int64, Int32).at(_location(zone)), layout)


def _date(layout: str, date: Value) -> str:
    return _in_zone(layout, date, "Local")


def _modify(duration: str, date: Time) -> Time:
    """Move a date; a duration that cannot be read leaves it where it is."""
    try:
        return _must_modify(duration, date)
    except EvaluationError:
        return date


def _must_modify(duration: str, date: Time) -> Time:
    return date.add(durations.parse(duration))


def _to_date(layout: str, text: str) -> Time:
    """Read a date; what cannot be read is the zero date."""
    try:
        return Time.parse(layout, text)
    except EvaluationError:
        return Time()


def _ago(date: Value) -> str:
    passed = int(Time.now().since(_time(date, int, Int64)))
    seconds = (abs(passed) + SECOND // 2) // SECOND
    return durations.format(-seconds * SECOND if passed < 0 else seconds * SECOND)


def _duration(seconds: Value) -> str:
    """Seconds, as an ``int64`` or a text, printed as a duration."""
    number = 0
    if isinstance(seconds, str):
        number = to_decimal_integer(seconds)
    elif isinstance(seconds, Int64):
        number = int(seconds)
    return durations.format(signed(number * SECOND))


def _round(value: Value) -> str:
    """A duration in its largest unit alone: ``2h``, ``3d``, ``5mo``."""
    size = abs(int(_length(value)))
    for unit, nanoseconds in _ROUND_UNITS:
        if size > nanoseconds:
            return f"{size // nanoseconds}{unit}"
    return "0s"


def _length(value: Value) -> int:
    if isinstance(value, str):
        try:
            return durations.parse(value)
        except EvaluationError:
            return 0
    if isinstance(value, Time):
        return Time.now().since(value)
    return value if isinstance(value, Int64) and not isinstance(value, Duration) else 0


FUNCTIONS: dict[str, Function] = {
    "ago": function("any", _ago),
    "date": function("string any", _date),
    "dateInZone": function("string any string", _in_zone),
    "dateModify": function("string time", _modify),
    "date_in_zone": function("string any string", _in_zone),
    "date_modify": function("string time", _modify),
    "duration": function("any", _duration),
    "durationRound": function("any", _round),
    "htmlDate": function("any", lambda date: _date("2006-01-02", date)),
    "htmlDateInZone": function("any string", lambda d, zone: _in_zone("2006-01-02", d, zone)),
    "mustDateModify": function("string time", _must_modify),
    "mustToDate": function("string string", Time.parse),
    "must_date_modify": function("string time", _must_modify),
    "now": function("", Time.now),
    "toDate": function("string string", _to_date),
    "unixEpoch": function("time", lambda date: str(date.unix)),
}
