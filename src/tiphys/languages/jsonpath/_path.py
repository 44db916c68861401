"""Compiled JSONPath expressions."""

from __future__ import annotations

import functools
import json
from typing import Any

import orjson
from jsonpath_rfc9535 import JSONPathEnvironment, JSONPathQuery
from jsonpath_rfc9535.exceptions import JSONPathError, JSONPathRecursionError
from jsonpath_rfc9535.selectors import IndexSelector, NameSelector

from tiphys.languages import gjson
from tiphys.languages._errors import CompileError, EvaluationError, LimitExceeded
from tiphys.languages.gjson._budget import Budget
from tiphys.languages.gjson._result import MISSING
from tiphys.languages.gjson._values import first_wins
from tiphys.languages.jsonpath._functions import Match, Search
from tiphys.languages.jsonpath._steps import Steps

__all__ = ["MAX_PATH", "Path", "compile"]

MAX_PATH = 4_096
"""Characters that a path may have."""

_environment = JSONPathEnvironment()
_environment.function_extensions["match"] = Match()
_environment.function_extensions["search"] = Search()
_decode = json.JSONDecoder(object_pairs_hook=first_wins).decode


class Path:
    """A JSONPath expression, ready to be evaluated; made by compile()."""

    __slots__ = ("_location", "_query", "text")

    def __init__(self, text: str, query: JSONPathQuery) -> None:
        self.text = text
        self._query = query
        self._location = _location(query)

    def __repr__(self) -> str:
        """The expression."""
        return f"<Path {self.text!r}>"

    def get(self, document: gjson.Document | bytes | str) -> gjson.Result:
        """
        The value that matches, or the array of the values where several match.

        Does not exist where nothing matches, and in text that is not valid JSON in UTF-8, to
        which numbers beyond a float64 do not belong. Raises LimitExceeded when it takes too much.
        """
        if not isinstance(document, gjson.Document):
            document = gjson.Document(document)
        if self._location is not None:
            return document.at(self._location)
        try:
            return self._search(document)
        except (JSONPathRecursionError, RecursionError):
            raise LimitExceeded("document is nested too deeply for JSONPath") from None
        except JSONPathError as error:
            raise EvaluationError(str(error)) from error

    def _search(self, document: gjson.Document) -> gjson.Result:
        try:
            orjson.loads(document.text)  # stricter than the decoder below
            value = _decode(document.text)
        except ValueError:
            return MISSING
        nodes = list(self._query.finditer(Steps(self.text).counted(value)))
        if not nodes:
            return MISSING
        if len(nodes) == 1:
            return document.at(nodes[0].location)
        return _array([node.value for node in nodes])


def _array(values: list[Any]) -> gjson.Result:
    budget = Budget()
    parts = []
    for value in values:
        parts.append(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
        budget.write(len(parts[-1]))
    return gjson.Result(gjson.Kind.JSON, f"[{','.join(parts)}]")


def _location(query: JSONPathQuery) -> tuple[str | int, ...] | None:
    """Keys and indexes of a query that can match one value at most; None for other queries."""
    if not query.singular_query():
        return None
    steps: list[str | int] = []
    for segment in query.segments:
        selector = segment.selectors[0]
        if isinstance(selector, NameSelector):
            steps.append(selector.name)
        elif isinstance(selector, IndexSelector):
            steps.append(selector.index)
    return tuple(steps)


@functools.lru_cache(maxsize=1024)
def compile(path: str) -> Path:
    """Prepare *path*. Raises CompileError with the place where it is broken."""
    if len(path) > MAX_PATH:
        raise CompileError(f"path is longer than {MAX_PATH} characters", path, MAX_PATH)
    try:
        return Path(path, _environment.compile(path))
    except JSONPathError as error:
        token = error.token
        message = str(error.args[0]) if error.args else "broken JSONPath"
        position = token.index if token is not None and token.index >= 0 else None
        raise CompileError(f"JSONPath: {message}", path, position) from error
    except RecursionError:
        raise CompileError("JSONPath: expression is nested too deeply", path) from None
