"""``camelcase``, ``snakecase`` and ``kebabcase``: texts taken apart into words."""

from __future__ import annotations

import unicodedata

from tiphys.languages.template.sprig.cases import to_lower, to_upper
from tiphys.languages.template.text import is_space, runes

__all__ = ["camel_case", "kebab_case", "snake_case"]

_FIRST_CJK = "\u3400"
_CJK = (("\u4e00", "\u9fcc"), ("\u3400", "\u4d85"), ("\U00020000", "\U0002b81d"))
_BROKEN = "\ufffd"


def camel_case(text: str) -> str:
    """Join words at spaces, ``-`` and ``_``, each starting in upper case: ``HttpServer``."""
    text = runes(text)
    rest = text.lstrip("".join(filter(_is_connector, set(text))))
    result = [text[: len(text) - len(rest)]]
    if not rest:
        return text
    lowering = _is_upper(rest[0])  # while upper case follows upper case, it becomes lower case
    previous = to_upper(rest[0])
    for character in rest[1:]:
        current = character
        if _is_connector(current) and _is_connector(previous):
            result.append(previous)
            continue
        if _is_connector(previous):
            lowering = _is_upper(current)
            current = to_upper(current)
        else:
            if lowering and _is_upper(current):
                current = to_lower(current)
            elif lowering:
                lowering = False
            result.append(previous)
        previous = current
    return "".join((*result, previous))
