"""Joins the kinds of filters of a dependency (spec: sensors 5.1)."""

from __future__ import annotations

from collections.abc import Callable

from tiphys.languages import CompileError, LanguageError, lua
from tiphys.languages.lua import WorkerPool
from tiphys.manifests.sensor import Dependency, Filters
from tiphys.sensors.event import Event
from tiphys.sensors.filters._context import ContextAttributes
from tiphys.sensors.filters._data import DataFilters
from tiphys.sensors.filters._expressions import ExpressionFilters
from tiphys.sensors.filters._time import TimeWindow
from tiphys.sensors.filters._verdict import PASSED, Verdict, compiled_or_error

Kind = Callable[[Event], Verdict]


class DependencyFilter:
    """All filters of one dependency, compiled."""

    def __init__(self, filters: Filters, logical_operator: str) -> None:
        # Only this exact word means "or"; every other text means "and".
        self._any_of = logical_operator == "or"
        self._kinds = _kinds(filters)
        if filters.script:
            lua.require_engine()
        self._script = (
            compiled_or_error(lambda: lua.compile(filters.script)) if filters.script else None
        )

    async def evaluate(self, event: Event, scripts: WorkerPool) -> Verdict:
        """
        Evaluate in the order expressions, data, context, time, script.

        An error in any kind drops the event, also under "or" where another kind passed.
        """
        errors: list[str] = []
        reasons: list[str] = []
        passed = False
        for kind in self._kinds:
            verdict = kind(event)
            if verdict.error and not self._any_of:
                return verdict
            if verdict.error:
                errors.append(verdict.error)
            elif not verdict.passed:
                reasons.append(verdict.reason)
            passed = passed or verdict.passed
        if self._script is not None:
            verdict = await self._run_script(event, scripts)
            if verdict.error:
                return verdict
            if not verdict.passed:
                reasons.append(verdict.reason)
            passed = passed or verdict.passed
        if errors:
            return Verdict(False, " / ".join(errors))
        if self._any_of:
            return PASSED if passed else Verdict(False, reason=_joined(reasons))
        return Verdict(False, reason=_joined(reasons)) if reasons else PASSED

    async def _run_script(self, event: Event, scripts: WorkerPool) -> Verdict:
        if event.data is None or self._script is None:
            return PASSED
        if isinstance(self._script, CompileError):
            return Verdict(False, f"script filter error ({self._script})")
        try:
            passed = await self._script.filter(scripts, event.data)
        except LanguageError as error:
            return Verdict(False, f"script filter error ({error})")
        return PASSED if passed else Verdict(False, reason="the script did not return true")


def compile_filters(dependency: Dependency) -> DependencyFilter | None:
    """The filter of *dependency*; None when every event passes."""
    if dependency.filters is None:
        return None
    return DependencyFilter(dependency.filters, dependency.filters_logical_operator)


def _kinds(filters: Filters) -> list[Kind]:
    """The kinds that are present, but for the script, in their order."""
    kinds: list[Kind] = []
    given = filters.model_fields_set  # an empty list is true, an absent one is not there
    if "exprs" in given:
        kinds.append(ExpressionFilters(filters.exprs, filters.expr_logical_operator).evaluate)
    if "data" in given:
        kinds.append(DataFilters(filters.data, filters.data_logical_operator).evaluate)
    if filters.context is not None:
        kinds.append(ContextAttributes(filters.context).evaluate)
    if filters.time is not None:
        kinds.append(TimeWindow(filters.time).evaluate)
    return kinds


def _joined(reasons: list[str]) -> str:
    return "; ".join(reason for reason in reasons if reason) or "no filter is given"
