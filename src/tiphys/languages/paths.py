"""
Paths as manifests write them, except in ``dest``: JSONPath after a ``$``, gjson otherwise.

``$`` alone and ``$`` before a dot or a bracket begin a JSONPath; ``$ref`` is a key for gjson, and
so is ``\\$`` everywhere.
"""

from __future__ import annotations

from typing import Protocol

from tiphys.languages import gjson, jsonpath

__all__ = ["Path", "compile"]


class Path(Protocol):
    """What both languages compile to."""

    @property
    def text(self) -> str:
        """The path as it is written."""

    def get(self, document: gjson.Document | bytes | str) -> gjson.Result:
        """What the path finds; raises EvaluationError and LimitExceeded."""


def compile(path: str) -> Path:
    """Prepare *path* in the language that it is written in. Raises CompileError."""
    if path.startswith("$") and path[1:2] in ("", ".", "["):
        return jsonpath.compile(path)
    return gjson.compile(path)
