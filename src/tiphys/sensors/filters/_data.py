"""Comparisons of single values (spec: sensors 5.5)."""

from __future__ import annotations

import operator
from collections.abc import Callable

from tiphys.languages import CompileError, LanguageError, numbers, paths, regexp, template
from tiphys.languages.gjson import Kind, Result
from tiphys.manifests.sensor import DataFilter
from tiphys.sensors.event import Event
from tiphys.sensors.filters._verdict import PASSED, Verdict, compiled_or_error, join

Test = Callable[[Result], bool]
_NUMBER_TESTS: dict[str, Callable[[float, float], bool]] = {
    "": operator.eq,
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


class DataFilters:
    """All data filters of a dependency, joined."""

    def __init__(self, entries: list[DataFilter], logical_operator: str) -> None:
        self._any_of = logical_operator == "or"
        self._empty = not entries
        self._entries = [_Entry(entry, self._any_of) for entry in entries]

    def evaluate(self, event: Event) -> Verdict:
        """Compare every value as far as needed."""
        if event.data is None or self._empty:
            return PASSED
        if not event.document.valid:
            return Verdict(False, "data filter error (event data not valid JSON)")
        return join("data", self._any_of, (entry.evaluate(event) for entry in self._entries))


class _Entry:
    """One comparison.  A value that cannot be read is an error only when its turn comes."""

    def __init__(self, entry: DataFilter, any_of: bool) -> None:
        self._filter = entry
        self._any_of = any_of
        self._path = compiled_or_error(lambda: paths.compile(entry.path))
        self._template = compiled_or_error(lambda: template.compile(entry.template))
        self._tests = [compiled_or_error(lambda v=v: _test(entry, v)) for v in entry.value]  # type: ignore[misc]

    def evaluate(self, event: Event) -> Verdict:
        entry = self._filter
        if isinstance(self._path, CompileError):
            return Verdict(False, str(self._path))
        try:
            found = self._path.get(event.document)
            if not found.exists:
                return Verdict(False, f"path '{entry.path}' does not exist")
            if not entry.value:
                return Verdict(False, "no values specified")
            if entry.template:
                found = self._rewritten(found)
            return self._compared(found)
        except LanguageError as error:
            return Verdict(False, str(error))

    def _rewritten(self, found: Result) -> Result:
        if isinstance(self._template, CompileError):
            raise self._template
        text = self._template.render(found.string())
        if text in ("", "<no value>"):
            shown = self._filter.template
            if self._any_of:
                raise CompileError(f"template evaluated to empty string or no value: '{shown}'")
            raise CompileError(f"template '{shown}' evaluated to empty string or no value")
        return Result(Kind.STRING, text, text)

    def _compared(self, found: Result) -> Verdict:
        for test in self._tests:
            if isinstance(test, CompileError):
                return Verdict(False, str(test))
            if test(found):
                return PASSED
        entry = self._filter
        wanted = " | ".join(entry.value)
        return Verdict(
            False,
            reason=f"{entry.path} is {shown(found)}, wanted {entry.comparator or '='} {wanted}",
        )


def shown(found: Result, limit: int = 80) -> str:
    """A value for people to read, cut."""
    text = found.raw if found.type is not Kind.STRING else repr(found.string())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _test(entry: DataFilter, value: str) -> Test:
    """The comparison with one alternative."""
    if entry.type == "number":
        compare = _NUMBER_TESTS.get(entry.comparator)
        number = numbers.parse_float(value)
        return lambda found: compare is not None and compare(found.number(), number)
    if entry.type == "bool":
        truth = numbers.parse_bool(value)
        return lambda found: found.boolean() is truth
    if entry.type == "string":
        pattern = regexp.compile(value)
        if entry.comparator in ("", "="):
            return lambda found: pattern.search(found.string())
        if entry.comparator == "!=":
            return lambda found: not pattern.search(found.string())
        return lambda _found: False
    raise CompileError(f"unsupported JSON type '{entry.type}'")
