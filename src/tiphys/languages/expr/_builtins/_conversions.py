"""Built-in functions that tell, print and parse: types, JSON, base64, dates and durations."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from tiphys.languages import durations, zones
from tiphys.languages._errors import EvaluationError
from tiphys.languages.expr._arithmetic import LONGEST_TEXT
from tiphys.languages.expr._builtins._checks import overloads, text
from tiphys.languages.expr._decode import decode
from tiphys.languages.expr._faults import Fault
from tiphys.languages.expr._json_text import marshal
from tiphys.languages.expr._print import to_text
from tiphys.languages.expr._times import Duration, Time
from tiphys.languages.expr._types import ANY, DURATION, STRING, TIME, Function, Signature
from tiphys.languages.expr._values import Uint8, bytes_of, text_of, type_name

__all__ = ["FUNCTIONS"]

_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_TYPE_WORDS = {
    type(None): "nil",
    bool: "bool",
    int: "int",
    Uint8: "uint",
    float: "float",
    str: "string",
}
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
    name = type_name(value)
    if name.startswith("["):
        return "array"
    if name.startswith("map["):
        return "map"
    if name == "*time.Location":
        return "time.Location"
    return name


def _string(value: Any) -> str:
    return to_text(value, limit=LONGEST_TEXT)


def _to_json(value: Any) -> str:
    return marshal(value, indent="  ", limit=LONGEST_TEXT)


def _from_json(value: Any) -> Any:
    return decode(text(value))


def _to_base64(value: Any) -> str:
    return base64.b64encode(bytes_of(text(value))).decode("ascii")


def _from_base64(value: Any) -> str:
    data = bytes_of(text(value)).replace(b"\r", b"").replace(b"\n", b"")
    if not _BASE64.fullmatch(data):
        raise Fault("illegal base64 data")
    try:
        return text_of(base64.b64decode(data))
    except binascii.Error as error:
        raise Fault(f"illegal base64 data: {error}") from None


def _now() -> Time:
    return Time.now()


def _duration(value: Any) -> Duration:
    return Duration(durations.parse(text(value)))


def _date(value: Any, *layout_and_zone: Any) -> Time:
    source = text(value)
    if layout_and_zone:
        layout = text(layout_and_zone[0])
        name = text(layout_and_zone[1]) if len(layout_and_zone) == 2 else "UTC"
        return Time.parse(layout, source, zones.load_zone(name), name or "UTC")
    for layout in _DATE_LAYOUTS:
        try:
            return Time.parse(layout, source, zones.load_zone("UTC"), "UTC")
        except EvaluationError:
            continue
    raise Fault(f"invalid date {source}")


_TEXT_TO_TEXT = Signature((STRING,), STRING)

FUNCTIONS = [
    Function(
        "type", _type, overloads("type", Signature((ANY,), STRING)), through_variable=False
    ),
    Function(
        "string", _string, overloads("string", Signature((ANY,), STRING)), through_variable=False
    ),
    Function("toJSON", _to_json, overloads("toJSON", Signature((ANY,), STRING))),
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
