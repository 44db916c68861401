"""sprig's functions on texts; widths and offsets count bytes, as in the original."""

from __future__ import annotations

import hashlib
import secrets
import string
import uuid
import zlib

from tiphys.languages._errors import EvaluationError
from tiphys.languages._quoting import quote
from tiphys.languages._unicode import SPACES
from tiphys.languages.template.functions import Function, function
from tiphys.languages.template.limits import check_text
from tiphys.languages.template.printing import display
from tiphys.languages.template.sprig import cases, words
from tiphys.languages.template.sprig.casts import to_text
from tiphys.languages.template.sprig.wrapping import abbreviate, wrap
from tiphys.languages.template.text import decode, encode, is_space, mended, runes
from tiphys.languages.template.values import Strings, Texts, Value

__all__ = ["FUNCTIONS"]


def _latin(text: str) -> str:
    """Every byte as a character of its own: how the original goes through some texts."""
    return text if text.isascii() else encode(text).decode("latin-1")


def _truncate(size: int, text: str) -> str:
    """The first *size* bytes, or the last where it is negative."""
    data = encode(text)
    if size < 0:
        return decode(data[size:]) if len(data) + size > 0 else text
    return decode(data[:size])


def _substring(start: int, end: int, text: str) -> str:
    data = encode(text)
    if start < 0:
        start = 0
    elif end < 0 or end > len(data):
        end = len(data)
    if not 0 <= start <= end <= len(data):
        raise EvaluationError("runtime error: slice bounds out of range")
    return decode(data[start:end])


def _repeat(count: int, text: str) -> str:
    if count < 0:
        raise EvaluationError("strings: negative Repeat count")
    check_text(count * len(text))
    return text * count


def _replace(old: str, new: str, text: str) -> str:
    check_text(len(text) + text.count(old) * max(len(new) - len(old), 0))
    return text.replace(old, new)


def _indent(count: int, text: str) -> str:
    if count < 0:
        raise EvaluationError("strings: negative Repeat count")
    check_text(len(text) + count * (text.count("\n") + 1))
    padding = " " * count
    return padding + text.replace("\n", "\n" + padding)


def _trim_all(marks: str, text: str) -> str:
    """Without the characters of *marks* at both ends; bytes that are no UTF-8 are all alike."""
    marks, plain = runes(marks), runes(text)
    if not marks:
        return text
    start = len(plain) - len(plain.lstrip(marks))
    return text[start : start + len(plain.strip(marks))]


def _no_space(text: str) -> str:
    """Without white space; a text that has some is taken apart into bytes."""
    latin = _latin(text)
    kept = "".join(character for character in latin if not is_space(character))
    return text if len(kept) == len(latin) else kept


def _initials(text: str) -> str:
    """The first byte of every word, as a character."""
    latin = _latin(text)
    return "".join(
        character
        for before, character in zip(" " + latin, latin, strict=False)
        if is_space(before) and not is_space(character)
    )


def _quoted(*values: Value) -> str:
    return " ".join(quote(mended(to_text(value))) for value in values if value is not None)


def _single_quoted(*values: Value) -> str:
    return " ".join(f"'{display(value)}'" for value in values if value is not None)


def _cat(*values: Value) -> str:
    return " ".join(display(value) for value in values if value is not None)


def _split(separator: str, text: str, limit: int = -1) -> list[str]:
    """Split as ``strings.SplitN``: at most *limit* parts, all where it is negative."""
    if limit == 0:
        return []
    if separator:
        return text.split(separator, limit - 1 if limit > 0 else -1)
    if 0 < limit < len(text):
        return [*text[: limit - 1], text[limit - 1 :]]
    return list(text)


def _split_map(separator: str, text: str, limit: int = -1) -> Texts:
    """The parts under the keys ``_0``, ``_1`` and so on."""
    parts = _split(separator, text, limit)
    return Texts({f"_{index}": part for index, part in enumerate(parts)})


def _random(characters: str, count: int) -> str:
    if count < 0:
        return ""
    check_text(count)
    return "".join(secrets.choice(characters) for _ in range(count))


def _shuffle(text: str) -> str:
    characters = list(runes(text))
    secrets.SystemRandom().shuffle(characters)
    return "".join(characters)


def _hash(name: str) -> Function:
    return function("string", lambda text: hashlib.new(name, encode(text)).hexdigest())


def _abbreviate_both(offset: int, width: int, text: str) -> str:
    if width < 4 or (offset > 0 and width < 7):
        return text
    return abbreviate(text, offset, width)


_LETTERS, _DIGITS = string.ascii_letters, string.digits
_PRINTABLE = "".join(map(chr, range(32, 127)))

FUNCTIONS: dict[str, Function] = {
    "abbrev": function("int string", lambda n, s: abbreviate(s, 0, n) if n >= 4 else s),
    "abbrevboth": function("int int string", _abbreviate_both),
    "adler32sum": function("string", lambda text: str(zlib.adler32(encode(text)))),
    "camelcase": function("string", words.camel_case),
    "cat": function("any...", _cat),
    "contains": function("string string", lambda part, text: part in text),
    "hasPrefix": function("string string", lambda part, text: text.startswith(part)),
    "hasSuffix": function("string string", lambda part, text: text.endswith(part)),
    "indent": function("int string", _indent),
    "initials": function("string", _initials),
    "kebabcase": function("string", words.kebab_case),
    "lower": function("string", cases.lower),
    "nindent": function("int string", lambda count, text: "\n" + _indent(count, text)),
    "nospace": function("string", _no_space),
    "plural": function("string string int", lambda one, many, n: one if n == 1 else many),
    "quote": function("any...", _quoted),
    "randAlpha": function("int", lambda count: _random(_LETTERS, count)),
    "randAlphaNum": function("int", lambda count: _random(_LETTERS + _DIGITS, count)),
    "randAscii": function("int", lambda count: _random(_PRINTABLE, count)),
    "randNumeric": function("int", lambda count: _random(_DIGITS, count)),
    "repeat": function("int string", _repeat),
    "replace": function("string string string", _replace),
    "sha1sum": _hash("sha1"),
    "sha256sum": _hash("sha256"),
    "sha512sum": _hash("sha512"),
    "shuffle": function("string", _shuffle),
    "snakecase": function("string", words.snake_case),
    "split": function("string string", _split_map),
    "splitList": function("string string", lambda mark, text: Strings(_split(mark, text))),
    "splitn": function("string int string", lambda mark, n, text: _split_map(mark, text, n)),
    "squote": function("any...", _single_quoted),
    "substr": function("int int string", _substring),
    "swapcase": function("string", cases.swap_case),
    "title": function("string", cases.title),
    "toString": function("any", to_text),
    "trim": function("string", lambda text: text.strip(SPACES)),
    "trimAll": function("string string", _trim_all),
    "trimPrefix": function("string string", lambda part, text: text.removeprefix(part)),
    "trimSuffix": function("string string", lambda part, text: text.removesuffix(part)),
    "trimall": function("string string", _trim_all),
    "trunc": function("int string", _truncate),
    "untitle": function("string", cases.untitle),
    "upper": function("string", cases.upper),
    "uuidv4": function("", lambda: str(uuid.uuid4())),
    "wrap": function("int string", lambda width, text: wrap(text, width)),
    "wrapWith": function("int string string", lambda n, mark, text: wrap(text, n, mark, cut=True)),
}
