"""Compiled templates."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from tiphys.languages._errors import (
    CompileError,
    EvaluationError,
    LanguageError,
    LimitExceeded,
)
from tiphys.languages.template import time_methods as time_methods  # registers them
from tiphys.languages.template.builtins import BUILTINS
from tiphys.languages.template.functions import Function
from tiphys.languages.template.limits import Usage
from tiphys.languages.template.parser import parse
from tiphys.languages.template.scope import Run, Scope
from tiphys.languages.template.sprig import CHANGING, FUNCTIONS, HARMLESS
from tiphys.languages.template.statements import compile_statements
from tiphys.languages.template.text import mended

__all__ = ["Template", "compile"]

_ALL: Mapping[str, Function] = {**BUILTINS, **FUNCTIONS}
_SAFE: Mapping[str, Function] = {**_ALL, **HARMLESS}


class Template:
    """
    A template that is ready to be rendered, any number of times and from any thread.

    Nothing of a rendering stays in it.
    """

    __slots__ = ("_changes_data", "_run", "text")

    def __init__(self, text: str, run: Run, *, changes_data: bool) -> None:
        self.text = text
        self._run = run
        self._changes_data = changes_data

    def __repr__(self) -> str:
        return f"Template({self.text!r})"

    def render(self, value: Any) -> str:
        """
        The text that the template makes of *value*, which it sees as ``.Input``.

        *value* is data decoded from JSON: a ``float`` is a ``float64`` of Go, an ``int`` an
        ``int``. It is not changed. Raises EvaluationError where Go's execution fails, and
        LimitExceeded when the template does or writes too much; what was written so far is lost.
        """
        output: list[str] = []
        try:
            dot = {"Input": copy.deepcopy(value) if self._changes_data else value}
            self._run(Scope(dot, output, Usage()), dot)
        except LanguageError:
            raise
        except RecursionError:
            raise LimitExceeded("template or its data is nested too deeply") from None
        except (ArithmeticError, LookupError, TypeError, ValueError, MemoryError) as error:
            raise EvaluationError(f"function failed: {error!r}") from error
        return mended("".join(output))


def compile(text: str, *, allow_environment: bool = False) -> Template:
    """
    Compile *text*; raises CompileError with the place of what is wrong.

    Unless *allow_environment* is true, ``env``, ``expandenv`` and ``getHostByName`` give an empty
    text.
    """
    functions = _ALL if allow_environment else _SAFE
    try:
        parsed = parse(text, functions)
        run = compile_statements(text, parsed, functions)
    except RecursionError:
        raise CompileError("template is nested too deeply", text, 0) from None
    return Template(text, run, changes_data=not CHANGING.isdisjoint(parsed.called))
