"""
Formats of ``strptime`` as regular expressions.

The original reads times with rules of its own: offsets from UTC count, seconds have fractions,
and a date without a day is the first of the month.
"""

from __future__ import annotations

from typing import Final

__all__ = ["reading"]

_MONTHS = "January February March April May June July August September October November December"
_DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday"
_LONG_MONTHS = "|".join(_MONTHS.split())
_SHORT_MONTHS = "|".join(name[:3] for name in _MONTHS.split())
_HOUR_12 = "1[0-2]|0?[1-9]"
_HOUR_24 = "2[0-3]|[01]?[0-9]"
_DAY = "3[01]|[12][0-9]|0?[1-9]"
_MINUTE = "[0-5]?[0-9]"
_ZONE = r"Z|[-+](?:2[0-3]|[01][0-9])(?::?[0-5][0-9](?::?[0-5][0-9])?)?"

_CONVERSIONS: Final = {
    "Y": "(?<Y>-?[0-9]{1,4})",
    "y": "(?<y>[0-9]{1,2})",
    "m": "(?<m>1[0-2]|0?[1-9])",
    "B": f"(?i:(?<b>{_LONG_MONTHS}))",
    "b": f"(?i:(?<b>{_SHORT_MONTHS}))",
    "h": f"(?i:(?<b>{_SHORT_MONTHS}))",
    "A": f"(?i:{'|'.join(_DAYS.split())})",
    "a": f"(?i:{'|'.join(name[:3] for name in _DAYS.split())})",
    "w": "[0-6]",
    "u": "[1-7]",
    "d": f"(?<d>{_DAY})",
    "e": f" ?(?<d>{_DAY})",
    "j": "(?<j>36[0-6]|3[0-5][0-9]|[12][0-9]{2}|0?[1-9][0-9]|0{0,2}[1-9])",
    "H": f"(?<H>{_HOUR_24})",
    "k": f" ?(?<H>{_HOUR_24})",
    "I": f"(?<I>{_HOUR_12})",
    "l": f" ?(?<I>{_HOUR_12})",
    "p": "(?<p>[AaPp][Mm])",
    "P": "(?<p>[AaPp][Mm])",
    "M": f"(?<M>{_MINUTE})",
    "S": f"(?<S>60|{_MINUTE})",
    "s": "(?<s>-?[0-9]{1,19})",
    "f": "(?<f>[0-9]{1,6})",
    "z": f"(?<z>{_ZONE})",
    "Z": "[A-Z]{3,4}",
    "t": r"[ \t\n\v\f\r]+",
    "n": r"[ \t\n\v\f\r]+",
    "%": "%",
}
_COMPOUND: Final = {
    "F": "%Y-%m-%d",
    "D": "%m/%d/%y",
    "x": "%m/%d/%y",
    "T": "%H:%M:%S",
    "X": "%H:%M:%S",
    "R": "%H:%M",
    "r": "%I:%M:%S %p",
    "v": "%e-%b-%Y",
    "c": "%a %b %e %H:%M:%S %Y",
    "+": "%a %b %e %H:%M:%S %Z %Y",
}


def reading(form: str) -> str | None:
    """
    A regular expression, in the engine's syntax, whose groups have the parts of a time.

    None for formats that are left to the engine: those with weeks and centuries, and those that
    name a part twice.
    """
    parts: list[str] = []
    characters = iter(_expanded(form))
    seen: set[str] = set()
    for character in characters:
        if character != "%":
            parts.append(character if character.isalnum() else f"\\x{{{ord(character):x}}}")
            continue
        letter = next(characters, "")
        conversion = _CONVERSIONS.get(letter)
        group = conversion.partition("(?<")[2][:1] if conversion else ""
        if conversion is None or group in seen:
            return None
        if group:
            seen.add(group)
        parts.append(conversion)
    return f"\\A{''.join(parts)}\\z"


def _expanded(form: str) -> str:
    parts: list[str] = []
    characters = iter(form)
    for character in characters:
        following = next(characters, "") if character == "%" else ""
        parts.append(_COMPOUND.get(following, character + following))
    return "".join(parts)
