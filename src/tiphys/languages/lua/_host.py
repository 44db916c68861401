"""
What Lua asks of Python while a script runs: texts of numbers, formats, patterns, dates.

None of these raises anything but MemoryError, which the Lua side turns into a message: any other
exception would reach the script as an object of ours.  Texts are bytes on both sides.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tiphys.languages._errors import EvaluationError
from tiphys.languages.lua._dates import date_parts, format_date, timestamp
from tiphys.languages.lua._formats import sprintf
from tiphys.languages.lua._numbers import parse_number, parse_word
from tiphys.languages.lua._patterns import PatternFault, rewrite
from tiphys.languages.lua._statements import translate
from tiphys.languages.lua._tokens import SyntaxFault
from tiphys.languages.numbers import format_g, format_json

__all__ = ["functions"]

_SIMPLE_CASE = {"İ": "i"}  # where Go has one letter and Python two


def functions() -> dict[str, Callable[..., Any]]:
    """The functions by the names that the Lua side uses."""
    plain: dict[str, Callable[..., Any]] = {
        "date": _date,
        "format": _format,
        "json_number": _json_number,
        "lower": lambda text: _change_case(text, str.lower),
        "number_text": lambda value: format_g(float(value)).encode(),
        "parse_number": lambda text: parse_number(_text(text)),
        "parse_word": _parse_word,
        "pattern": _pattern,
        "time": _time,
        "translate": _translate,
        "upper": lambda text: _change_case(text, str.upper),
    }
    return {name: _guarded(function) for name, function in plain.items()}


def _guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same, giving nil where it fails in a way nobody thought of."""

    def guarded(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001  see above: it would reach the script
            return None

    return guarded


def _text(data: bytes) -> str:
    return data.decode("latin-1")


def _parse_word(text: bytes, base: float | None) -> float | None:
    return parse_word(_text(text), None if base is None else int(base))


def _json_number(value: float) -> tuple[bool, bytes]:
    try:
        return True, format_json(float(value)).encode()
    except EvaluationError as error:
        return False, str(error).encode()


def _pattern(pattern: bytes) -> tuple[bool, bytes, bool]:
    try:
        own, anchored = rewrite(_text(pattern))
    except PatternFault as fault:
        return False, str(fault).encode("latin-1"), False
    return True, own.encode("latin-1"), anchored


def _translate(script: bytes, name: bytes) -> tuple[bool, bytes]:
    try:
        return True, translate(_text(script)).encode("latin-1")
    except SyntaxFault as fault:
        return False, fault.in_original_words(_text(name)).encode("latin-1")
    except RecursionError:
        return False, b"nested too deeply"


def _change_case(text: bytes, change: Callable[[str], str]) -> bytes:
    """Change letter by letter, as Go does; bytes that are no UTF-8 become U+FFFD."""
    changed = []
    for character in text.decode("utf-8", "surrogateescape"):
        if "\udc80" <= character <= "\udcff":
            changed.append("�")
            continue
        other = change(character)
        changed.append(other if len(other) == 1 else _SIMPLE_CASE.get(character, character))
    return "".join(changed).encode("utf-8")


def _format(template: bytes, marks: bytes, *values: Any) -> bytes:
    arguments = []
    for mark, value in zip(_text(marks), values, strict=True):
        if mark in "nz":
            mark, value = "n", -0.0 if mark == "z" else float(value)
        elif isinstance(value, bytes):
            value = _text(value)
        arguments.append((mark, value))
    return sprintf(_text(template), arguments).encode("latin-1")


def _date(template: bytes, moment: float) -> tuple[Any, ...]:
    pattern = _text(template)
    utc = pattern.startswith("!")
    try:
        clock = time.gmtime(int(moment)) if utc else time.localtime(int(moment))
    except (OverflowError, ValueError, OSError):
        return False, b"time is out of range"
    pattern = pattern.lstrip("!") if utc else pattern
    if pattern.startswith("*t"):
        return True, *date_parts(clock)
    return True, format_date(pattern, clock, utc).encode("latin-1", "replace")


def _time(*fields: Any) -> float | None:
    return timestamp([_text(field) if isinstance(field, bytes) else field for field in fields])
