"""Compiled paths."""

from __future__ import annotations

import functools
from typing import Any

from tiphys.languages._errors import CompileError, LimitExceeded
from tiphys.languages._unicode import SPACES
from tiphys.languages.jsonpath_function._query import MAX_STEPS, Query, Step
from tiphys.languages.jsonpath_function._script import Script, compile_script
from tiphys.languages.jsonpath_function._steps import (
    Current,
    Filter,
    Key,
    Length,
    Recursive,
    Root,
    Wildcard,
)
from tiphys.languages.jsonpath_function._subscript import parse_subscript
from tiphys.languages.jsonpath_function._tokens import split_path

__all__ = ["MAX_PATH", "MAX_STEPS", "Path", "compile"]

MAX_PATH = 4096
"""Characters of a path."""

_WORDS: dict[str, Step] = {
    "$": Root(),
    "@": Current(),
    "*": Wildcard(),
    "..": Recursive(),
    "length": Length(),
}


class Path:
    """A path ready to be followed; immutable and safe to share."""

    __slots__ = ("_steps", "source")

    def __init__(self, source: str, steps: tuple[Step, ...]) -> None:
        self.source = source
        self._steps = steps

    def __repr__(self) -> str:
        """Show the source."""
        return f"Path({self.source!r})"

    def get(self, value: Any) -> Any:
        """
        Follow the path through *value*, decoded JSON.

        Raises EvaluationError where it leads nowhere, and LimitExceeded where it looks at too
        many values.
        """
        try:
            return self._steps[0].apply(Query(), value, value, self._steps[1:])
        except RecursionError:
            raise LimitExceeded("the value is nested too deeply") from None


@functools.lru_cache(maxsize=256)
def compile(path: str) -> Path:
    """Compile *path*; the latest ones are kept. Raises CompileError."""
    if len(path) > MAX_PATH:
        raise CompileError(f"a path may have {MAX_PATH} characters at most", path, MAX_PATH)
    try:
        return Path(path, _steps(path))
    except RecursionError:
        raise CompileError("the path is nested too deeply", path) from None


def _steps(path: str) -> tuple[Step, ...]:
    return tuple(_step(text, path) for text in split_path(path))


def _step(text: str, path: str) -> Step:
    """Compile one step of *path*."""
    text = text.strip(SPACES)
    if not text:
        raise CompileError("a step is empty", path, max(len(path) - 1, 0))
    if text in _WORDS:
        return _WORDS[text]
    if not text.startswith("["):
        return Key(text)
    inner = text[1:-1].strip(SPACES)
    if not text.endswith("]") or not inner:
        raise _broken(text, path)
    if inner == "*":
        return Wildcard()
    if inner.startswith("?"):
        if not (inner.startswith("?(") and inner.endswith(")")):
            raise _broken(text, path)
        return Filter(_script(inner[2:-1].strip(SPACES)))
    step = parse_subscript(inner, _script)
    if step is None:
        raise _broken(text, path)
    return step


def _script(source: str) -> Script:
    return compile_script(source, _steps)


def _broken(text: str, path: str) -> CompileError:
    message = f"{text} is no subscript: expected a key in quotes, an index, a range or a script"
    return CompileError(message, path, max(path.find(text), 0))
