"""Built-in functions on texts."""

from __future__ import annotations

from typing import Any

from tiphys.languages._unicode import SPACES
from tiphys.languages.expr._arithmetic import LONGEST_TEXT
from tiphys.languages.expr._builtins._checks import count, overloads, text
from tiphys.languages.expr._faults import Fault, Overrun
from tiphys.languages.expr._types import (
    ARRAY,
    BOOL,
    INT,
    STRING,
    STRINGS,
    Function,
    Signature,
    Type,
)
from tiphys.languages.expr._values import NilStrings, Strings, to_int, type_of
from tiphys.languages.template.text import encode

__all__ = ["FUNCTIONS", "lower", "upper"]

_MOST_REPETITIONS = 1_000_000


def _trim(value: Any, *characters: Any) -> str:
    count((value, *characters), 1, 2)
    return text(value).strip(text(characters[0]) if characters else SPACES)


def _trim_prefix(value: Any, prefix: Any = " ") -> str:
    return text(value).removeprefix(text(prefix))


def _trim_suffix(value: Any, suffix: Any = " ") -> str:
    return text(value).removesuffix(text(suffix))


def upper(value: Any) -> str:
    """Turn each letter into its capital, where that is one letter."""
    source = text(value)
    return source.upper() if source.isascii() else "".join(map(_capital, source))


def _capital(character: str) -> str:
    """Some letters have a capital of one letter only in titles, and some have none."""
    for capital in (character.upper(), character.title()):
        if len(capital) == 1:
            return capital
    return character


def lower(value: Any) -> str:
    """Turn each letter into its small form."""
    source = text(value)
    if source.isascii():
        return source.lower()
    return "".join(character.lower()[:1] for character in source)


def _split(value: Any, separator: Any, *most: Any) -> Strings:
    return _pieces(text(value), text(separator), most, keep=False)


def _split_after(value: Any, separator: Any, *most: Any) -> Strings:
    return _pieces(text(value), text(separator), most, keep=True)


def _pieces(value: str, separator: str, most: tuple[Any, ...], *, keep: bool) -> Strings:
    count((value, separator, *most), 2, 3)
    limit = to_int(most[0]) if most else -1
    if limit == 0:
        return NilStrings()
    if not separator:
        if limit < 0 or limit >= len(value):
            return Strings(value)
        return Strings([*value[: limit - 1], value[limit - 1 :]])
    parts = value.split(separator, limit - 1 if limit > 0 else -1)
    if keep:
        parts[:-1] = [part + separator for part in parts[:-1]]
    return Strings(parts)


def _replace(value: Any, old: Any, new: Any, *most: Any) -> str:
    count((value, old, new, *most), 3, 4)
    source, wanted, replacement = text(value), text(old), text(new)
    limit = to_int(most[0]) if most else -1
    found = source.count(wanted) if limit < 0 else min(source.count(wanted), limit)
    if len(source) + found * (len(replacement) - len(wanted)) > LONGEST_TEXT:
        raise Overrun("memory budget exceeded")
    return source.replace(wanted, replacement, max(limit, -1))


def _repeat(value: Any, times: Any) -> str:
    number = to_int(times)
    source = text(value)
    if number > _MOST_REPETITIONS or number * len(source) > LONGEST_TEXT:
        raise Overrun("memory budget exceeded")
    if number < 0:
        raise Fault("strings: negative Repeat count")
    return source * number


def _join(values: Any, *separator: Any) -> str:
    if type(values) is not list and not isinstance(values, Strings):
        raise Fault(f"invalid argument for join (type {type_of(values)})")
    glue = text(separator[0]) if len(separator) == 1 else ""
    parts = [text(part) for part in values]
    if sum(map(len, parts)) + len(glue) * len(parts) > LONGEST_TEXT:
        raise Overrun("memory budget exceeded")
    return glue.join(parts)


def _index_of(value: Any, wanted: Any) -> int:
    return encode(text(value)).find(encode(text(wanted)))


def _last_index_of(value: Any, wanted: Any) -> int:
    return encode(text(value)).rfind(encode(text(wanted)))


def _has_prefix(value: Any, prefix: Any) -> bool:
    return text(value).startswith(text(prefix))


def _has_suffix(value: Any, suffix: Any) -> bool:
    return text(value).endswith(text(suffix))


def _signature(result: Type, *parameters: Type) -> Signature:
    return Signature(parameters, result)


_ONE = (STRING,)
_TWO = (STRING, STRING)
_THREE = (STRING, STRING, STRING)

FUNCTIONS = [
    Function(
        "trim",
        _trim,
        overloads("trim", Signature(_ONE, STRING), Signature(_TWO, STRING)),
    ),
    Function(
        "trimPrefix",
        _trim_prefix,
        overloads("trimPrefix", Signature(_TWO, STRING), Signature(_ONE, STRING)),
    ),
    Function(
        "trimSuffix",
        _trim_suffix,
        overloads("trimSuffix", Signature(_TWO, STRING), Signature(_ONE, STRING)),
    ),
    Function("upper", upper, overloads("upper", Signature(_ONE, STRING)), through_variable=False),
    Function("lower", lower, overloads("lower", Signature(_ONE, STRING)), through_variable=False),
    Function(
        "split",
        _split,
        overloads("split", Signature(_TWO, STRINGS), _signature(STRINGS, STRING, STRING, INT)),
    ),
    Function(
        "splitAfter",
        _split_after,
        overloads("splitAfter", Signature(_TWO, STRINGS), _signature(STRINGS, STRING, STRING, INT)),
    ),
    Function(
        "replace",
        _replace,
        overloads("replace", Signature((*_THREE, INT), STRING), Signature(_THREE, STRING)),
    ),
    Function("repeat", _repeat, overloads("repeat", _signature(STRING, STRING, INT))),
    Function(
        "join",
        _join,
        overloads(
            "join",
            _signature(STRING, STRINGS, STRING),
            _signature(STRING, ARRAY, STRING),
            _signature(STRING, ARRAY),
            _signature(STRING, STRINGS),
        ),
    ),
    Function("indexOf", _index_of, overloads("indexOf", Signature(_TWO, INT))),
    Function("lastIndexOf", _last_index_of, overloads("lastIndexOf", Signature(_TWO, INT))),
    Function("hasPrefix", _has_prefix, overloads("hasPrefix", Signature(_TWO, BOOL))),
    Function("hasSuffix", _has_suffix, overloads("hasSuffix", Signature(_TWO, BOOL))),
]
