"""Values out of text: the first one of a text, one at a known place, and those inside another."""

from __future__ import annotations

from collections.abc import Iterator

from tiphys.languages.gjson import _scan
from tiphys.languages.gjson._result import MISSING, Kind, Result
from tiphys.languages.gjson._strings import loose_text, string_text

__all__ = ["members", "parse", "result_at"]

_KINDS = {
    '"': Kind.STRING,
    "{": Kind.JSON,
    "[": Kind.JSON,
    "t": Kind.TRUE,
    "f": Kind.FALSE,
    **dict.fromkeys("+-0123456789iIN", Kind.NUMBER),
}


def result_at(text: str, begin: int, end: int) -> Result:
    """The value between *begin* and *end*, which scanning has found."""
    raw = text[begin:end]
    kind = _KINDS.get(raw[0])
    if kind is Kind.STRING:
        return Result(kind, raw, string_text(raw), origin=begin)
    if kind is None:
        following = text[begin + 1 : begin + 2]
        kind = Kind.NULL if following in ("u", "") else Kind.NUMBER
    return Result(kind, raw, origin=begin)


def parse(text: str) -> Result:
    """
    The value that *text* begins with; MISSING when it begins with none.

    Of an array or object, all the rest of *text* is taken as the source.
    """
    begin = _scan.skip_blanks(text, 0)
    first = text[begin : begin + 1]
    if first != "n" and first not in _KINDS:
        return MISSING
    end = -1 if first in "{[" else _scan.value_end(text, begin)
    if end < 0 and first == '"':
        value = Result(Kind.STRING, text[begin:], loose_text(text[begin:]), origin=begin)
    else:
        value = result_at(text, begin, len(text) if end < 0 else end)
    value.index = begin
    return value


def members(container: Result) -> Iterator[tuple[str, str, Result]]:
    """
    Source and text of the key (both "" in arrays), and the value, of each member.

    A closing bracket does not end the walk, only the end of the text does. What is no container
    has itself as its only member.
    """
    if container.type is not Kind.JSON:
        if container.exists:
            yield "", "", container
        return
    text, size = container.raw, len(container.raw)
    position = _scan.skip_blanks(text, 0)
    is_object = text[position : position + 1] == "{"
    if text[position : position + 1] not in ("{", "["):
        return
    position += 1
    while position < size:
        raw_key = ""
        if is_object:
            position = text.find('"', position)
            end = _scan.string_end(text, position + 1) if position >= 0 else -1
            if end < 0:
                return
            raw_key = text[position:end]
            position = end
        position = _scan.next_value(text, position)
        end = _scan.value_end(text, position) if position < size else -1
        if end < 0:
            return
        yield raw_key, string_text(raw_key) if is_object else "", result_at(text, position, end)
        position = end + 1
