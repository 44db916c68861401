"""Expressions over values of the event (spec: sensors 5.4)."""

from __future__ import annotations

from typing import Any

from tiphys.languages import CompileError, LanguageError, govaluate, paths
from tiphys.manifests.sensor import ExpressionFilter
from tiphys.sensors.event import Event
from tiphys.sensors.filters._data import shown
from tiphys.sensors.filters._verdict import PASSED, Verdict, compiled_or_error, join


class ExpressionFilters:
    """All expression filters of a dependency, joined."""

    def __init__(self, entries: list[ExpressionFilter], logical_operator: str) -> None:
        self._any_of = logical_operator == "or"
        self._empty = not entries
        # An entry without fields is skipped unread, as if it were not there.
        self._entries = [_Entry(entry) for entry in entries if entry.fields]

    def evaluate(self, event: Event) -> Verdict:
        """Evaluate every expression as far as needed."""
        if event.data is None or self._empty:
            return PASSED
        if not event.document.valid:
            return Verdict(False, "expr filter error (event data not valid JSON)")
        return join("expr", self._any_of, (entry.evaluate(event) for entry in self._entries))


class _Entry:
    """One expression with the paths of its values."""

    def __init__(self, entry: ExpressionFilter) -> None:
        self._text = entry.expr
        self._fields = [
            (field.name, field.path, compiled_or_error(lambda p=field.path: paths.compile(p)))  # type: ignore[misc]
            for field in entry.fields
        ]
        self._expression = compiled_or_error(lambda: govaluate.compile(entry.expr))

    def evaluate(self, event: Event) -> Verdict:
        values: dict[str, Any] = {}
        seen: list[str] = []
        try:
            for name, text, path in self._fields:
                if isinstance(path, CompileError):
                    return Verdict(False, str(path))
                found = path.get(event.document)
                if not found.exists:
                    return Verdict(False, f"path '{text}' does not exist")
                values[name] = found.value()
                seen.append(f"{name} = {shown(found)}")
            if isinstance(self._expression, CompileError):
                return Verdict(False, str(self._expression))
            if self._expression.evaluate(values) is True:
                return PASSED
        except LanguageError as error:
            return Verdict(False, str(error))
        return Verdict(False, reason=f"`{self._text}` is not true for {', '.join(seen)}")
