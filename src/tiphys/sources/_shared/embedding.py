"""How a received body becomes a member of the payload (spec: event sources 6.3)."""

from __future__ import annotations

import base64
import json
import re

import orjson

SPACE = b" \t\r\n"
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[^" \t\r\n]+')
_MARK = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[][{},]')
_ESCAPED = (
    (b"<", b"\\u003c"),
    (b">", b"\\u003e"),
    (b"&", b"\\u0026"),
    (b"\xe2\x80\xa8", b"\\u2028"),
    (b"\xe2\x80\xa9", b"\\u2029"),
)
_ESCAPE = re.compile(r"\\(?:[^u]|u[dD][89abAB]..\\u[dD][c-fC-F]..|(?P<lone>u[dD][89a-fA-F]..)|u)")


class NotJSON(ValueError):
    """The body is not one JSON value; the text says where and why."""


def raw_json(body: bytes) -> orjson.Fragment:
    """
    The body as a JSON value of the payload: its text, without insignificant space.

    The texts of numbers, the order of keys and duplicate keys are kept.  Raises :exc:`NotJSON`.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        compact = b"".join(_TOKEN.findall(_lenient(body)))
    else:
        compact = _compact(body, value)
    if b"<" in compact or b">" in compact or b"&" in compact or b"\xe2\x80" in compact:
        for character, escape in _ESCAPED:  # only inside strings, because the text is JSON
            compact = compact.replace(character, escape)
    return orjson.Fragment(compact)


def raw_members(value: orjson.Fragment) -> dict[str, orjson.Fragment] | None:
    """
    The members of an object that :func:`raw_json` made, each with its text; None for another value.

    Of members with one name the last counts.  Names are what they say, unescaped.
    """
    text = orjson.dumps(value)
    if not text.startswith(b"{"):
        return None
    members: dict[str, orjson.Fragment] = {}
    depth, name, start = 0, b"", 0
    for mark in _MARK.finditer(text):
        token = mark[0]
        if token in b"[{":
            depth += 1
        elif depth > 1:
            depth -= token in b"]}"
        elif token.startswith(b'"'):
            if not name:
                name, start = token, mark.end() + 1
        elif name:  # a comma, or the end
            members[orjson.loads(name)] = orjson.Fragment(text[start : mark.start()])
            name = b""
    return members


def embedded(body: bytes, *, as_json: bool) -> orjson.Fragment | str:
    """
    The body as JSON, otherwise as base64: what the option ``jsonBody`` decides.

    Raises :exc:`NotJSON`.
    """
    return raw_json(body) if as_json else base64.b64encode(body).decode()


def text(body: bytes) -> str:
    """The body as a string; bytes that are not UTF-8 become U+FFFD."""
    return body.decode("utf-8", "replace")


def _compact(body: bytes, value: object) -> bytes:
    """
    Remove insignificant space.

    Writing the value again is the fastest way where it says the same; whether it does shows
    when all space, also the one inside strings, is left out of both.
    """
    if not (b" " in body or b"\n" in body or b"\t" in body or b"\r" in body):
        return body
    try:
        written = orjson.dumps(value)
    except TypeError:  # it is nested more deeply than orjson writes
        return b"".join(_TOKEN.findall(body))
    if written == body or written.translate(None, SPACE) == body.translate(None, SPACE):
        return written
    return b"".join(_TOKEN.findall(body))


def _lenient(body: bytes) -> bytes:
    """
    A body that orjson refuses and Go does not: odd bytes, lone surrogates, enormous numbers.

    Returns it with U+FFFD in place of what is no text.  Raises :exc:`NotJSON`.
    """
    decoded = _ESCAPE.sub(_without_lone, body.decode("utf-8", "replace"))
    try:
        json.loads(decoded, parse_int=str, parse_float=str, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise NotJSON(_reason(decoded)) from None
    return decoded.encode()


def _without_lone(escape: re.Match[str]) -> str:
    return "\\ufffd" if escape["lone"] else escape[0]


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _reason(broken: str) -> str:
    """Go's words where tests look for them, otherwise what is wrong and where."""
    try:
        orjson.loads(broken)
    except orjson.JSONDecodeError as error:
        if "empty" in error.msg or "end of data" in error.msg:
            return "unexpected end of JSON input"
        return f"{error.msg} (character {error.pos})"
    return "it is nested too deeply"
