"""The parts of a dependency's filter, each judged for itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from tiphys.languages import LanguageError
from tiphys.languages.lua import WorkerPool
from tiphys.manifests.sensor import ContextFilter, DataFilter, Dependency, Filters, TimeFilter
from tiphys.sensors.event import Event
from tiphys.sensors.filters import DependencyFilter, compile_filters
from tiphys.sensors.plan import DependencyPlan


@dataclasses.dataclass(frozen=True)
class Judgement:
    """
    What one part of a filter says about one event.

    *owner* is the sensor, or the event source whose filter it is; *dependency* is empty for the
    latter.  *path* is where the part stands in the dependency, *text* what it wants.
    """

    number: int
    owner: str
    dependency: str
    path: str
    text: str
    passed: bool
    reason: str = ""


@dataclasses.dataclass(frozen=True)
class FilterPart:
    """One comparison, expression, window or script of a filter."""

    path: str
    text: str
    filter: DependencyFilter


class FilterParts:
    """All parts of the filter of one dependency of a sensor."""

    def __init__(self, sensor: str, dependency: Dependency, plan: DependencyPlan) -> None:
        self.sensor = sensor
        self.dependency = dependency.name
        self.parts = [_part(dependency, *found) for found in _found(dependency.filters)]
        self._transform = plan.transform

    async def judge(self, number: int, event: Event, scripts: WorkerPool) -> list[Judgement]:
        """What each part says; nothing when the transform before them fails."""
        if self._transform is not None and self.parts:
            try:
                event = event.with_data(await self._transform.apply(scripts, event.data))
            except LanguageError:
                return []
        judgements = []
        for part in self.parts:
            verdict = await part.filter.evaluate(event, scripts)
            judgements.append(
                Judgement(
                    number,
                    self.sensor,
                    self.dependency,
                    part.path,
                    part.text,
                    verdict.passed,
                    verdict.error or verdict.reason,
                )
            )
        return judgements


def _found(filters: Filters | None) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, text and block of every part, in the order of evaluation."""
    if filters is None:
        return
    for index, entry in enumerate(filters.exprs):
        yield f"filters.exprs[{index}]", entry.expr, {"exprs": [entry]}
    for index, comparison in enumerate(filters.data):
        yield f"filters.data[{index}]", _comparison(comparison), {"data": [comparison]}
    if filters.context is not None:
        yield "filters.context", _context(filters.context), {"context": filters.context}
    if filters.time is not None:
        yield "filters.time", _window(filters.time), {"time": filters.time}
    if filters.script:
        yield "filters.script", "the script returns true", {"script": filters.script}


def _part(dependency: Dependency, path: str, text: str, block: dict[str, Any]) -> FilterPart:
    alone = Filters(**block)
    changed = dependency.model_copy(update={"filters": alone, "filters_logical_operator": ""})
    compiled = compile_filters(changed)
    assert compiled is not None
    return FilterPart(path, text, compiled)


def _comparison(entry: DataFilter) -> str:
    return f"{entry.path} {entry.comparator or '='} {' | '.join(entry.value)}"


def _context(wanted: ContextFilter) -> str:
    members = wanted.model_dump(include={"type", "subject", "source", "datacontenttype"})
    return ", ".join(f"{name} = {value}" for name, value in members.items() if value)


def _window(window: TimeFilter) -> str:
    zone = f" {window.timezone}" if window.timezone else ""
    return f"from {window.start} to {window.stop}{zone}"
