"""Reads what stands in square brackets: a key, an index, a script, a union or a range."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tiphys.languages._unicode import SPACES
from tiphys.languages.jsonpath_function._operands import is_quoted, parse_integer
from tiphys.languages.jsonpath_function._query import Step
from tiphys.languages.jsonpath_function._script import Script
from tiphys.languages.jsonpath_function._steps import Index, Key, Range, ScriptStep, Union

__all__ = ["parse_subscript"]

_COLON, _COMMA = object(), object()
_ScriptCompiler = Callable[[str], Script]


class _Broken(Exception):
    """The text fits no form of subscript."""


def parse_subscript(text: str, script: _ScriptCompiler) -> Step | None:
    """Compile the text between brackets; None if it has no known form. Raises CompileError."""
    try:
        return _compiled(_Reader(text).arguments(), script)
    except _Broken:
        return None


def _is_script(text: str) -> bool:
    return len(text) > 2 and text.startswith("(") and text.endswith(")")


def _is_key(text: str) -> bool:
    return is_quoted(text, "'") or is_quoted(text, '"')


class _Reader:
    """Reads arguments and separators; *text* is the part of an argument that has been read."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.text = ""
        self.found: list[Any] = []
        self.brackets = 0
        self.quote = ""

    def arguments(self) -> list[Any]:
        """Numbers, texts of keys and scripts, None for an empty start, and separators."""
        for index, character in enumerate(self.source):
            self.text += character
            if character == " " and not self.quote and self.brackets == 0:
                self.text = self.text.strip(SPACES)
            elif character in "()":
                self.bracket(character)
            elif character in "'\"":
                self.quotation(character)
            elif character in ":," and not self.quote and self.brackets == 0:
                self.separator(character, index == 0)
        if self.text:
            number = parse_integer(self.text)
            self.found.append(self.text if number is None else number)
        return self.found

    def bracket(self, character: str) -> None:
        if character == "(":
            self.brackets += not self.quote
            return
        self.brackets -= 1
        if self.brackets == 0:
            if not _is_script(self.text):
                raise _Broken
            self.take(self.text)

    def quotation(self, character: str) -> None:
        other = self.quote and self.quote != character
        if other or self.brackets != 0:
            return
        if self.text[-2:-1] == "\\":
            self.text = self.text[:-2] + character
        elif not self.quote:
            self.quote = character
            if self.text != character:
                raise _Broken
        else:
            self.quote = ""
            if not _is_key(self.text):
                raise _Broken
            self.take(self.text)

    def separator(self, character: str, at_start: bool) -> None:
        argument = self.text[:-1]
        number = parse_integer(argument)
        if character == ":":
            if argument and number is None:
                raise _Broken
            if argument or at_start:
                self.found.append(number)
        elif argument:
            self.found.append(argument if number is None else number)
        self.take(_COLON if character == ":" else _COMMA)

    def take(self, argument: Any) -> None:
        self.found.append(argument)
        self.text = ""


def _compiled(found: list[Any], script: _ScriptCompiler) -> Step:
    if len(found) == 1:
        return _single(found[0], script)
    colons, commas = found.count(_COLON), found.count(_COMMA)
    if colons and not commas:
        return _range(found, colons, script)
    arguments = [item for item in found if item is not _COMMA]
    if colons or not commas or commas >= len(arguments):
        raise _Broken
    return Union(tuple(_union_argument(argument, script) for argument in arguments))


def _single(argument: Any, script: _ScriptCompiler) -> Step:
    if isinstance(argument, int):
        return Index(argument)
    if isinstance(argument, str):
        if _is_key(argument):
            return Key(argument[1:-1])
        if _is_script(argument):
            return ScriptStep(script(argument[1:-1]))
    raise _Broken


def _union_argument(argument: Any, script: _ScriptCompiler) -> str | int | Script:
    if isinstance(argument, int):
        return argument
    if isinstance(argument, str):
        if _is_script(argument):
            return script(argument[1:-1])
        if _is_key(argument):
            return argument[1:-1]
    raise _Broken


def _range(found: list[Any], colons: int, script: _ScriptCompiler) -> Step:
    arguments: list[Any] = []
    after_colon = False
    for item in found:
        if item is not _COLON:
            arguments.append(item)
        elif after_colon:
            arguments.append(None)
        after_colon = item is _COLON
    if colons == 1 and len(arguments) == 1:
        arguments.append(None)
    if colons > 2 or len(arguments) < 2:
        raise _Broken
    start, end, step = (*arguments, None)[:3]
    return Range(*(_range_argument(argument, script) for argument in (start, end, step)))


def _range_argument(argument: Any, script: _ScriptCompiler) -> int | Script | None:
    if argument is None or isinstance(argument, int):
        return argument
    if isinstance(argument, str) and _is_script(argument):
        return script(argument[1:-1])
    raise _Broken
