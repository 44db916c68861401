"""Texts in the small languages of manifests: do they compile?"""

from __future__ import annotations

import importlib
from typing import Literal

from tiphys.languages import LanguageError
from tiphys.manifests.common import Filter, Parameter
from tiphys.manifests.rules._report import Scope

Language = Literal["paths", "template", "govaluate", "regexp", "lua", "jq", "expr.source_filter"]


_WORDS: dict[Language, str] = {
    "paths": "path",
    "template": "template",
    "govaluate": "expression",
    "regexp": "regular expression",
    "lua": "script",
    "jq": "jq program",
    "expr.source_filter": "expression",
}


def check(scope: Scope, language: Language, text: str) -> None:
    """Report *text* when it does not compile.  An empty one is absent."""
    if not text:
        return
    try:
        # Imported when a manifest uses it: lint stays quick, and extras stay optional.
        module = importlib.import_module(f"tiphys.languages.{language}")
        if hasattr(module, "compile"):
            module.compile(text)
    except LanguageError as error:
        scope.broken("expression", f"this {_WORDS[language]} does not compile: {error}")
    except ModuleNotFoundError as error:
        missing = error.name or "?"
        scope.warn(
            "missing-extra",
            f"cannot be checked: the module {missing!r} is not installed",
            hint=f"run: pip install 'tiphys[{missing.partition('.')[0]}]'",
        )


def check_source_filter(scope: Scope, source_filter: Filter) -> None:
    """The filter of an event source."""
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
