"""Texts in the small languages of manifests: do they compile?"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any, Literal

from tiphys.languages import CompileError, LanguageError, govaluate
from tiphys.manifests.common import Filter, Parameter
from tiphys.manifests.rules._report import Scope
from tiphys.manifests.sensor import ExpressionFilter

Language = Literal["paths", "template", "regexp", "lua", "jq", "expr.source_filter"]

_WORDS: dict[Language, str] = {
    "paths": "path",
    "template": "template",
    "regexp": "regular expression",
    "lua": "script",
    "jq": "jq program",
    "expr.source_filter": "expression",
}
# Languages whose engine is an extra; it is needed to run them, not to compile them.
_ENGINES: dict[Language, str] = {"lua": "lupa", "jq": "jq"}


def check(scope: Scope, language: Language, text: str) -> None:
    """Report *text* when it does not compile.  An empty one is absent."""
    if not text:
        return
    engine = _ENGINES.get(language)
    if engine is not None and importlib.util.find_spec(engine) is None:
        scope.warn(
            "missing-extra",
            f"this {_WORDS[language]} needs the module {engine!r}, which is not installed",
            hint=f"run: pip install 'tiphys[{engine}]'",
        )
        return
    # Imported when a manifest uses it, so that lint is quick.
    module: Any = importlib.import_module(f"tiphys.languages.{language}")
    try:
        module.compile(text)
    except LanguageError as error:
        scope.broken("expression", f"this {_WORDS[language]} does not compile: {explained(error)}")


def explained(error: LanguageError) -> str:
    """The message with the place inside the text, which is none in the file."""
    if not isinstance(error, CompileError) or error.position is None:
        return str(error)
    if "\n" not in error.expression:
        return f"{error.message} (at character {error.position + 1})"
    before = error.expression[: error.position]
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    return f"{error.message} (in line {line} of this text, at character {column})"


def check_expression(scope: Scope, entry: ExpressionFilter) -> None:
    """The expression of a filter: does it compile, and has each of its names a value?"""
    if not entry.expr:
        return
    try:
        expression = govaluate.compile(entry.expr)
    except LanguageError as error:
        scope.broken("expression", f"this expression does not compile: {explained(error)}")
        return
    given = {field.name for field in entry.fields}
    for name in dict.fromkeys(expression.names):
        if name not in given and entry.fields:
            scope.broken("expression", f"no field gives `{name}` a value")


def check_source_filter(scope: Scope, source_filter: Filter) -> None:
    """The filter of an event source."""
    if not source_filter.expression:
        scope.warn("filter", "a `filter` without an expression drops every event")
    check(scope, "expr.source_filter", source_filter.expression)


def check_parameter(scope: Scope, parameter: Parameter) -> None:
    """The paths and templates of a parameter."""
    source = parameter.src
    if source is None:
        return
    at = scope.at("src")
    check(at.at("contextKey"), "paths", source.context_key)
    check(at.at("dataKey"), "paths", source.data_key)
    check(at.at("contextTemplate"), "template", source.context_template)
    check(at.at("dataTemplate"), "template", source.data_template)
    of_data = source.data_key or source.data_template
    for key, text in (
        ("contextKey", source.context_key),
        ("contextTemplate", source.context_template),
    ):
        if of_data and text:
            at.at(key).warn("parameter", f"`{key}` is never read, because `src` looks at the data")
