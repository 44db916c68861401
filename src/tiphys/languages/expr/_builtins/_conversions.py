"""Built-in functions that tell, print and parse: types, JSON, base64, dates and durations."""

from __future__ import annotations

import base64
from typing import Any

from tiphys.languages import durations, layouts, zones
from tiphys.languages._errors import EvaluationError
from tiphys.languages.expr._builtins._checks import overloads, text
from tiphys.languages.expr._faults import Fault
from tiphys.languages.expr._types import ANY, DURATION, STRING, TIME, Function, Signature, Work
from tiphys.languages.expr._values import UNSIGNED, check_json, is_integer, type_of
from tiphys.languages.template.json_text import from_json, to_json
from tiphys.languages.template.moments import LOCAL, UTC, Duration, Location, Time
from tiphys.languages.template.printing import display
from tiphys.languages.template.sprig.encoding import decode_base64
from tiphys.languages.template.text import decode as text_of
from tiphys.languages.template.text import encode

__all__ = ["FUNCTIONS"]

_TYPE_WORDS = {type(None): "nil", bool: "bool", float: "float", str: "string"}
_DATE_LAYOUTS = (
    "2006-01-02",
    "15:04:05",
    "2006-01-02 15:04:05",
    "2006-01-02T15:04:05Z07:00",
    "02 Jan 06 15:04 MST",
    "Monday, 02-Jan-06 15:04:05 MST",
    "Mon, 02 Jan 2006 15:04:05 MST",
)


def _type(value: Any) -> str:
    word = _TYPE_WORDS.get(type(value))
    if word is not None:
        return word
    if is_integer(value):
        return "uint" if isinstance(value, UNSIGNED) else "int"
    name = type_of(value)
    if name.startswith("["):
        return "array"
    if name.startswith("map["):
        return "map"
    return name.removeprefix("*")


def _to_json(value: Any) -> str:
    written = to_json(value, indent="  ")
    check_json(value)
    return written


def _from_json(value: Any) -> Any:
    return from_json(text(value))


def _to_base64(value: Any) -> str:
    return base64.b64encode(encode(text(value))).decode("ascii")


def _from_base64(value: Any) -> str:
    return text_of(decode_base64(text(value)))


def _now() -> Time:
    return Time.now()


def _duration(value: Any) -> Duration:
    return Duration(durations.parse(text(value)))


def _date(value: Any, *layout_and_zone: Any) -> Time:
    source = text(value)
    if layout_and_zone:
        layout = text(layout_and_zone[0])
        name = text(layout_and_zone[1]) if len(layout_and_zone) == 2 else "UTC"
        return _read(layout, source, Location(name or "UTC", zones.load_zone(name)))
    for layout in _DATE_LAYOUTS:
        try:
            return _read(layout, source, UTC)
        except EvaluationError:
            continue
    raise Fault(f"invalid date {source}")


def _read(layout: str, source: str, location: Location) -> Time:
    """Read a text; where it names no zone, it is that of *location*. Raises EvaluationError."""
    moment = layouts.parse(layout, source, zone=location.zone)
    shown = (moment.offset, moment.zone)
    for known in (location, LOCAL):
        if known.at(moment.unix) == shown:
            return Time(moment.unix, moment.nanosecond, known)
    return Time(moment.unix, moment.nanosecond, Location(moment.zone, fixed=moment.offset))


_TEXT_TO_TEXT = Signature((STRING,), STRING)

FUNCTIONS = [
    Function(
        "type",
        _type,
        overloads("type", Signature((ANY,), STRING)),
        through_variable=False,
        work=Work.NONE,
    ),
    Function(
        "string",
        display,
        overloads("string", Signature((ANY,), STRING)),
        through_variable=False,
        work=Work.ALL,
    ),
    Function("toJSON", _to_json, overloads("toJSON", Signature((ANY,), STRING)), work=Work.ALL),
    Function("fromJSON", _from_json, overloads("fromJSON", Signature((STRING,), ANY))),
    Function("toBase64", _to_base64, overloads("toBase64", _TEXT_TO_TEXT)),
    Function("fromBase64", _from_base64, overloads("fromBase64", _TEXT_TO_TEXT)),
    Function("now", _now, overloads("now", Signature((), TIME))),
    Function("duration", _duration, overloads("duration", Signature((STRING,), DURATION))),
    Function(
        "date",
        _date,
        overloads(
            "date",
            Signature((STRING,), TIME),
            Signature((STRING, STRING), TIME),
            Signature((STRING, STRING, STRING), TIME),
        ),
    ),
]
