"""Upper and lower case as Go has them: one character for one, whatever the language."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import lru_cache

from tiphys.languages.template.text import is_space, runes

__all__ = ["lower", "swap_case", "title", "to_lower", "to_title", "to_upper", "untitle", "upper"]


@lru_cache(maxsize=1024)
def to_upper(character: str) -> str:
    """The upper case letter of one character, or itself where that would be several."""
    for changed in (character.upper(), character.title()):
        if len(changed) == 1:
            return changed
    return character


@lru_cache(maxsize=1024)
def to_lower(character: str) -> str:
    """The lower case letter of one character."""
    return "i" if character == "İ" else character.lower()


@lru_cache(maxsize=1024)
def to_title(character: str) -> str:
    """The letter that starts a title, or the character where that would be several."""
    changed = character.title()
    return changed if len(changed) == 1 else character


def upper(text: str) -> str:
    """*text* in upper case."""
    return text.upper() if text.isascii() else "".join(map(to_upper, runes(text)))


def lower(text: str) -> str:
    """*text* in lower case."""
    return text.lower() if text.isascii() else "".join(map(to_lower, runes(text)))


def title(text: str) -> str:
    """*text* with its words starting in upper case; words end at what is no letter or digit."""
    return _changed(text, _is_separator, to_title)


def untitle(text: str) -> str:
    """*text* with its words starting in lower case; words end at white space."""
    return _changed(text, is_space, to_lower)


def _changed(text: str, separates: Callable[[str], bool], change: Callable[[str], str]) -> str:
    """Change the first character of each word."""
    result = []
    starts = True
    for character in runes(text):
        result.append(change(character) if starts else character)
        starts = separates(character)
    return "".join(result)


def _is_separator(character: str) -> bool:
    if character.isascii():
        return not (character.isalnum() or character == "_")
    return not (character.isalpha() or character.isdecimal()) and is_space(character)


def swap_case(text: str) -> str:
    """Change upper to lower case and back; lower case after white space becomes title case."""
    result = []
    after_space = True
    for character in runes(text):
        category = unicodedata.category(character)
        if category in ("Lu", "Lt"):
            result.append(to_lower(character))
        elif category == "Ll":
            result.append((to_title if after_space else to_upper)(character))
        else:
            result.append(character)
        after_space = is_space(character)
    return "".join(result)
