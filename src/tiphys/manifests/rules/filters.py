"""Dependencies and their filters (spec: sensors 17.1)."""

from __future__ import annotations

import re
from collections.abc import Collection

from tiphys.languages import LanguageError, layouts, numbers, zones
from tiphys.manifests.rules import expressions, flow
from tiphys.manifests.rules._report import Scope, is_one_of
from tiphys.manifests.sensor import (
    ContextFilter,
    DataFilter,
    Dependency,
    ExpressionFilter,
    Filters,
    TimeFilter,
)

_OPERATORS = ("and", "or")
_COMPARATORS = (">=", ">", "=", "!=", "<", "<=")
_STATE_KEY = re.compile(r"[-/_=.a-zA-Z0-9]+")


def check(scope: Scope, dependencies: list[Dependency], *, stan: bool) -> None:
    """Report what is wrong with dependencies; *stan*: the bus is NATS Streaming."""
    if not dependencies:
        scope.refuse("no event dependencies found")
    names: dict[str, int] = {}
    pairs: set[tuple[str, str]] = set()
    for index, dependency in enumerate(dependencies):
        at = scope.at(index)
        _check_names(at, dependency, pairs if stan else set())
        if dependency.name in names:
            at.at("name").warn(
                "duplicate",
                f"dependency {names[dependency.name]} has the name `{dependency.name}` too; "
                "only the last one counts",
            )
        if dependency.name:
            names.setdefault(dependency.name, index)
        if dependency.filters is not None:
            _check_filters(at.at("filters"), dependency.filters)
        _check_operator(at.at("filtersLogicalOperator"), dependency.filters_logical_operator)
        _check_transform(at, dependency)
        flow.check_dependency(at, dependency)


def _check_names(scope: Scope, dependency: Dependency, pairs: set[tuple[str, str]]) -> None:
    if not dependency.name:
        scope.at("name").refuse("event dependency must define a name")
    else:
        check_state_key(scope.at("name"), "dependency", dependency.name)
    if not dependency.event_source_name:
        scope.at("eventSourceName").refuse("event dependency must define the EventSourceName")
    if not dependency.event_name:
        scope.at("eventName").refuse("event dependency must define the EventName")
    pair = (dependency.event_source_name, dependency.event_name)
    if pair in pairs:
        scope.refuse(
            f"event '{pair[1]}' from EventSource '{pair[0]}' is referenced for more than one "
            "dependency in this Sensor object"
        )
    pairs.add(pair)


def check_state_key(scope: Scope, what: str, name: str) -> None:
    """Names of triggers and dependencies are keys in a bucket of JetStream (control plane 2.4)."""
    if not _STATE_KEY.fullmatch(name):
        scope.broken(
            "name",
            f"the {what} name `{name}` holds other characters than letters, digits and `-/_=.`",
        )


def _check_operator(scope: Scope, operator: str) -> None:
    if not is_one_of(operator, _OPERATORS):
        scope.refuse(f"logical operator {operator} not supported", hint="`and` or `or`")


def _check_filters(scope: Scope, filters: Filters) -> None:
    _check_operator(scope.at("exprLogicalOperator"), filters.expr_logical_operator)
    _check_operator(scope.at("dataLogicalOperator"), filters.data_logical_operator)
    for index, expression in enumerate(filters.exprs):
        _check_expression(scope.at("exprs", index), expression)
    for index, data in enumerate(filters.data):
        _check_data(scope.at("data", index), data)
    if filters.context is not None:
        _check_context(scope.at("context"), filters.context)
    if filters.time is not None:
        _check_time(scope.at("time"), filters.time)
    expressions.check(scope.at("script"), "lua", filters.script)


def _check_expression(scope: Scope, entry: ExpressionFilter) -> None:
    if not entry.expr or not entry.fields:
        scope.refuse("one of expr filters is not valid (expr and fields must be not empty)")
    for index, field in enumerate(entry.fields):
        if not field.path or not field.name:
            scope.at("fields", index).refuse(
                "one of expr filters is not valid (path and name in a field must be not empty)"
            )
        expressions.check(scope.at("fields", index, "path"), "paths", field.path)
    expressions.check_expression(scope.at("expr"), entry)


def _check_data(scope: Scope, entry: DataFilter) -> None:
    if not is_one_of(entry.comparator, _COMPARATORS):
        scope.at("comparator").refuse(f"comparator {entry.comparator} not supported")
    if not entry.type or not entry.path or not entry.value:
        scope.refuse("one of data filters is not valid (type, path and value must be not empty)")
    for index, value in enumerate(entry.value):
        if not value:
            scope.at("value", index).refuse(
                "one of data filters is not valid (value must be not empty)"
            )
            continue
        _check_value(scope.at("value", index), entry.type, value)
    if entry.type and entry.type not in ("string", "number", "bool"):
        scope.at("type").broken(
            "filter", f"there is no type `{entry.type}`; `string`, `number` or `bool`"
        )
    _check_comparator(scope.at("comparator"), entry)
    expressions.check(scope.at("path"), "paths", entry.path)
    expressions.check(scope.at("template"), "template", entry.template)


def _check_value(scope: Scope, kind: str, value: str) -> None:
    """Can the value be compared as what the filter says it is?"""
    try:
        if kind == "number":
            numbers.parse_float(value)
        elif kind == "bool":
            numbers.parse_bool(value)
    except LanguageError:
        word = "number" if kind == "number" else "boolean"
        scope.broken("filter", f"`{value}` is not a {word}")
    if kind == "string":
        expressions.check(scope, "regexp", value)


def _check_comparator(scope: Scope, entry: DataFilter) -> None:
    """Comparators that their type does not heed (spec: sensors 5.5)."""
    if entry.type == "string" and entry.comparator in (">=", ">", "<", "<="):
        scope.broken("filter", f"no text passes `{entry.comparator}`; only `=` and `!=` do here")
    if entry.type == "bool" and entry.comparator not in ("", "="):
        scope.warn("filter", f"`{entry.comparator}` has no effect on booleans")


def _check_context(scope: Scope, context: ContextFilter) -> None:
    if not (context.type or context.subject or context.source or context.datacontenttype):
        scope.refuse("no fields specified in ctx filter (aka all events will be discarded)")


def _check_time(scope: Scope, window: TimeFilter) -> None:
    try:
        zones.load_zone(window.timezone)
    except LanguageError as error:
        scope.at("timezone").refuse(f"invalid timezone '{window.timezone}': {error}")
    moments = []
    for key, clock in (("start", window.start), ("stop", window.stop)):
        try:
            moments.append(layouts.parse("15:04:05", clock))
        except LanguageError as error:
            scope.at(key).refuse(str(error), hint="`HH:MM:SS`, such as `09:30:00`")
    if len(moments) == 2 and moments[0] == moments[1]:
        scope.refuse(
            f"invalid event time filter: stop '{window.stop}' is equal to start '{window.start}"
        )


def _check_transform(scope: Scope, dependency: Dependency) -> None:
    transform = dependency.transform
    if transform is None:
        return
    at = scope.at("transform")
    expressions.check(at.at("jq"), "jq", transform.jq)
    expressions.check(at.at("script"), "lua", transform.script)
    if transform.jq and transform.script:
        at.at("script").warn("transform", "`script` is never run, because there is a `jq`")


def names_of(dependencies: Collection[Dependency]) -> list[str]:
    """The names that conditions and parameters may use."""
    return [dependency.name for dependency in dependencies if dependency.name]
