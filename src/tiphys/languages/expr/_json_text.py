"""JSON text as Go's ``encoding/json`` writes it: sorted keys, ``<``, ``>`` and ``&`` escaped."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from tiphys.languages import numbers
from tiphys.languages._errors import EvaluationError
from tiphys.languages.expr._faults import Fault, Overrun
from tiphys.languages.expr._time_format import format_time
from tiphys.languages.expr._times import Duration, Month, Time, Weekday
from tiphys.languages.expr._values import NilList, NilStrings, is_integer, type_name

__all__ = ["marshal"]

_SPECIAL = re.compile('[\\x00-\\x1f"\\\\<>&\u2028\u2029\ud800-\udfff]')
_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
}
_TIME = "2006-01-02T15:04:05.999999999Z07:00"


def marshal(value: Any, *, indent: str = "", limit: int) -> str:
    """
    Write *value* as JSON, over several lines if there is an *indent*.

    Raises Fault for what JSON cannot hold (functions, infinities, maps with keys that are no
    text) and Overrun beyond *limit* characters.
    """
    writer = _Writer(indent, limit)
    writer.write(value, "\n" if indent else "")
    return "".join(writer.parts)


class _Writer:
    def __init__(self, indent: str, limit: int) -> None:
        self.parts: list[str] = []
        self.indent = indent
        self.colon = ": " if indent else ":"
        self.left = limit

    def put(self, text: str) -> None:
        self.left -= len(text)
        if self.left < 0:
            raise Overrun("memory budget exceeded")
        self.parts.append(text)

    def write(self, value: Any, line: str) -> None:
        """Write one value; *line* starts a new line at the depth of the value."""
        writer = _SCALARS.get(type(value))
        if writer is not None:
            self.put(writer(value))
        elif isinstance(value, NilList | NilStrings):
            self.put("null")
        elif isinstance(value, dict):
            names = sorted(value)
            self.members("{}", line, names, [value[name] for name in names])
        elif isinstance(value, list):
            self.members("[]", line, None, value)
        elif is_integer(value):
            self.put(str(int(value)))
        else:
            raise Fault(f"json: unsupported type: {type_name(value)}")

    def members(
        self, brackets: str, line: str, names: Iterable[str] | None, values: list[Any]
    ) -> None:
        if not values:
            self.put(brackets)
            return
        inner = line + self.indent
        separator = brackets[0] + inner
        following = iter(names) if names is not None else None
        for value in values:
            self.put(separator)
            if following is not None:
                self.put(_quoted(next(following)) + self.colon)
            self.write(value, inner)
            separator = "," + inner
        self.put(line + brackets[1])


def _quoted(text: str) -> str:
    return f'"{_SPECIAL.sub(_escape, text)}"'


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    if 0xD800 <= code <= 0xDFFF:  # a byte that is no UTF-8
        return "\\ufffd"
    return _ESCAPES.get(character) or f"\\u{code:04x}"


def _number(value: float) -> str:
    try:
        return numbers.format_json(value)
    except EvaluationError as error:
        raise Fault(str(error)) from None


_SCALARS: dict[type, Callable[[Any], str]] = {
    str: _quoted,
    float: _number,
    int: str,
    bool: lambda value: "true" if value else "false",
    type(None): lambda _: "null",
    Time: lambda value: f'"{format_time(_TIME, value.moment)}"',
    Duration: lambda value: str(value.nanoseconds),
    Month: lambda value: str(value.number),
    Weekday: lambda value: str(value.number),
}
