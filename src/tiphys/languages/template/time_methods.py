"""The methods of times and durations that templates can call, and how both are printed."""

from __future__ import annotations

from collections.abc import Callable

from tiphys.languages.template import nodes
from tiphys.languages.template.fields import register_methods
from tiphys.languages.template.functions import Parameter, function, register_parameter
from tiphys.languages.template.json_text import register_json
from tiphys.languages.template.moments import (
    LOCAL,
    SECOND,
    UTC,
    Duration,
    Location,
    Month,
    Time,
    Weekday,
)
from tiphys.languages.template.printing import register_display
from tiphys.languages.template.time_format import format_time, go_string, json_text, time_text
from tiphys.languages.template.values import Int64, Value, signed
from tiphys.languages.template.verbs import register_fields, register_go_string

__all__: list[str] = []  # importing it registers the methods

_MAX, _MIN = (1 << 63) - 1, -1 << 63
_MINUTE, _HOUR = 60 * SECOND, 3600 * SECOND


def _duration(node: nodes.Bool | nodes.String | nodes.Number) -> Value:
    if isinstance(node, nodes.Number) and node.integer is not None:
        return Duration(node.integer)
    return None


def _unix(unit: int) -> Callable[[Time], Int64]:
    """The instant counted in *unit* nanoseconds since 1970."""
    return lambda time: Int64(signed((time.unix * SECOND + time.nanosecond) // unit))


def _whole(unit: int) -> Callable[[Duration], Int64]:
    """A duration counted in *unit* nanoseconds, cut to a whole number."""
    return lambda duration: Int64((-1 if duration < 0 else 1) * (abs(int(duration)) // unit))


def _real(unit: int) -> Callable[[Duration], float]:
    """A duration counted in *unit* nanoseconds."""

    def count(duration: Duration) -> float:
        whole, rest = divmod(abs(int(duration)), unit)
        number = float(whole) + float(rest) / unit
        return -number if duration < 0 else number

    return count


def _rounded(duration: Duration, multiple: Duration) -> Duration:
    """To the nearest multiple, half away from zero; a result too large is cut."""
    if multiple <= 0:
        return duration
    size = abs(int(duration))
    rest = size % multiple
    size += -rest if rest + rest < multiple else multiple - rest
    return Duration(min(max(-size if duration < 0 else size, _MIN), _MAX))


def _truncated(duration: Duration, multiple: Duration) -> Duration:
    if multiple <= 0:
        return duration
    rest = abs(int(duration)) % multiple
    return Duration(duration + rest if duration < 0 else duration - rest)


def _absolute(duration: Duration) -> Duration:
    return Duration(min(abs(int(duration)), _MAX))


register_parameter("time", Parameter("time.Time", (Time,)))
register_parameter("duration", Parameter("time.Duration", (Duration,), literal=_duration))
register_parameter("location", Parameter("*time.Location", (Location,)))

for _type in (Duration, Month, Weekday, Location):
    register_display(_type, str)
    register_fields(_type)
    register_methods(_type, {"String": function("", str)})

register_display(Time, time_text)
register_go_string(Time, go_string)
register_json(Time, json_text)
register_fields(
    Time,
    lambda time: {"wall": time.nanosecond, "ext": time.unix - Time().unix, "loc": 0},
)

register_methods(
    Duration,
    {
        "Abs": function("", _absolute),
        "Hours": function("", _real(_HOUR)),
        "Microseconds": function("", _whole(1_000)),
        "Milliseconds": function("", _whole(1_000_000)),
        "Minutes": function("", _real(_MINUTE)),
        "Nanoseconds": function("", _whole(1)),
        "Round": function("duration", _rounded),
        "Seconds": function("", _real(SECOND)),
        "String": function("", str),
        "Truncate": function("duration", _truncated),
    },
)

register_methods(
    Time,
    {
        "Add": function("duration", lambda time, duration: time.add(int(duration))),
        "AddDate": function("int int int", Time.add_date),
        "After": function("time", lambda time, other: time.compare(other) > 0),
        "Before": function("time", lambda time, other: time.compare(other) < 0),
        "Compare": function("time", Time.compare),
        "Day": function("", lambda time: time.wall.day),
        "Equal": function("time", lambda time, other: time.compare(other) == 0),
        "Format": function("string", format_time),
        "GoString": function("", go_string),
        "Hour": function("", lambda time: time.wall.hour),
        "In": function("location", Time.at),
        "IsZero": function("", lambda time: time.compare(Time()) == 0),
        "Local": function("", lambda time: time.at(LOCAL)),
        "Location": function("", lambda time: time.location),
        "Minute": function("", lambda time: time.wall.minute),
        "Month": function("", lambda time: Month(time.wall.month)),
        "Nanosecond": function("", lambda time: time.nanosecond),
        "Round": function("duration", Time.round),
        "Second": function("", lambda time: time.wall.second),
        "String": function("", time_text),
        "Sub": function("time", Time.since),
        "Truncate": function("duration", Time.truncate),
        "UTC": function("", lambda time: time.at(UTC)),
        "Unix": function("", _unix(SECOND)),
        "UnixMicro": function("", _unix(1_000)),
        "UnixMilli": function("", _unix(1_000_000)),
        "UnixNano": function("", _unix(1)),
        "Weekday": function("", lambda time: time.weekday),
        "Year": function("", lambda time: time.wall.year),
        "YearDay": function("", lambda time: time.year_day),
    },
)
