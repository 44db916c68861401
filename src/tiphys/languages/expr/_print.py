"""Text of values as Go's ``%v`` prints them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tiphys.languages import numbers
from tiphys.languages.expr._faults import Overrun
from tiphys.languages.expr._times import Duration, Location, Month, Time, Weekday
from tiphys.languages.expr._values import bytes_of, type_name

__all__ = ["to_text"]

_KEY_ORDER: tuple[type, ...] = (bool, int, float, str)


def to_text(value: Any, *, limit: int) -> str:
    """Print *value*; raises Overrun beyond *limit* characters."""
    printer = _Printer(limit)
    printer.write(value)
    return "".join(printer.parts)


class _Printer:
    def __init__(self, limit: int) -> None:
        self.parts: list[str] = []
        self.left = limit

    def put(self, text: str) -> None:
        self.left -= len(text)
        if self.left < 0:
            raise Overrun("memory budget exceeded")
        self.parts.append(text)

    def write(self, value: Any) -> None:
        printer = _SCALARS.get(type(value))
        if printer is not None:
            self.put(printer(value))
        elif isinstance(value, list):
            self.put("[")
            for index, element in enumerate(value):
                if index:
                    self.put(" ")
                self.write(element)
            self.put("]")
        elif isinstance(value, Mapping):
            self.map(value)
        elif isinstance(value, int):
            self.put(str(int(value)))
        else:
            self.put(type_name(value))

    def map(self, value: Mapping[Any, Any]) -> None:
        """Write the members in the order of their keys."""
        self.put("map[")
        for index, key in enumerate(sorted(value, key=_rank)):
            if index:
                self.put(" ")
            self.write(key)
            self.put(":")
            self.write(value[key])
        self.put("]")


def _rank(key: Any) -> tuple[int, Any]:
    if type(key) is str:
        return len(_KEY_ORDER), bytes_of(key)
    if type(key) in _KEY_ORDER:
        return _KEY_ORDER.index(type(key)), key
    return -1 if key is None else len(_KEY_ORDER) + 1, str(key)


_SCALARS: dict[type, Callable[[Any], str]] = {
    str: str,
    float: numbers.format_g,
    int: str,
    bool: lambda value: "true" if value else "false",
    type(None): lambda _: "<nil>",
    Time: str,
    Duration: str,
    Month: str,
    Weekday: str,
    Location: str,
}
