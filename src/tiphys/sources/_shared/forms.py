"""Queries and forms, decoded as Go decodes them."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

_BAD_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2}).{0,2}", re.DOTALL)


def parse_form(form: str) -> tuple[dict[str, list[str]], str | None]:
    """
    The values by name, and what is wrong with the first malformed pair.

    Malformed pairs are left out; whether that is an error is for the caller to say.
    """
    values: dict[str, list[str]] = {}
    problem: str | None = None
    for pair in form.split("&"):
        if not pair:
            continue
        wrong = _problem(pair)
        if wrong is None:
            name, _, value = pair.partition("=")
            values.setdefault(_decoded(name), []).append(_decoded(value))
        problem = problem or wrong
    return values, problem


def _problem(pair: str) -> str | None:
    if ";" in pair:
        return "invalid semicolon separator in query"
    if escape := _BAD_ESCAPE.search(pair):
        return f'invalid URL escape "{escape[0]}"'
    return None


def _decoded(text: str) -> str:
    return unquote_to_bytes(text.replace("+", " ")).decode("utf-8", "replace")
