"""Flow control: what the mechanisms cannot work with, and what has no effect."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from tiphys.languages import CompileError, LanguageError, cron, zones
from tiphys.manifests import conditions
from tiphys.manifests.findings import nearest
from tiphys.manifests.flow import (
    MOST_THROTTLED,
    BlackoutWindow,
    ConditionsJoin,
    start_moment,
    time_of_day,
)
from tiphys.manifests.rules import expressions
from tiphys.manifests.rules._report import Scope
from tiphys.manifests.rules.walk import key_of
from tiphys.manifests.sensor import Dependency, Trigger

RULE = "flow-control"
_FIELDS = (
    *("concurrency", "order_by", "debounce", "batch", "throttle", "suspend", "blackout"),
    *("conditions_join", "absence"),
)


def awaited(trigger: Trigger) -> str:
    """The dependency whose absence a trigger acts on, and which its condition does not name."""
    return "" if trigger.absence is None else trigger.absence.dependency


def check_dependency(scope: Scope, dependency: Dependency) -> None:
    """The mechanisms of a dependency."""
    try:
        start_moment(dependency.start_from, datetime.now(UTC))
    except ValueError as error:
        scope.at("startFrom").refuse(str(error), rule=RULE)
    if dependency.dedupe is None:
        return
    at = scope.at("dedupe")
    if not dependency.dedupe.key:
        at.at("key").refuse("`key` is missing", rule=RULE, hint="a path into the event's data")
    expressions.check(at.at("key"), "paths", dependency.dedupe.key)
    _check_span(at.at("window"), "window", dependency.dedupe.window)


def check_trigger(scope: Scope, trigger: Trigger, declared: Sequence[str]) -> None:
    """The mechanisms of a trigger; *declared* are the names of the sensor's dependencies."""
    _check_spans(scope, trigger)
    _check_counts(scope, trigger)
    _check_order(scope, trigger)
    for index, window in enumerate(trigger.blackout):
        _check_window(scope.at("blackout", index), window)
    used = _used(trigger, declared)
    if used is None:
        return
    if trigger.absence is not None:
        _check_absence(scope.at("absence", "dependency"), awaited(trigger), used, declared)
    if trigger.conditions_join is not None:
        at = scope.at("conditionsJoin")
        _check_join(at, trigger.conditions_join, {*used, *filter(None, [awaited(trigger)])})
        if len(used) < 2 and not awaited(trigger):
            at.warn(RULE, "`conditionsJoin` has no effect on a condition without `&&`")


def check_dead_letter_trigger(scope: Scope, trigger: Trigger) -> None:
    """Flow control of a ``dlqTrigger``, which has none."""
    for name in _FIELDS:
        if name in trigger.model_fields_set:
            key = key_of(name, type(trigger).model_fields[name])
            scope.at(key).warn(RULE, f"`{key}` has no effect in a `dlqTrigger`")


def _check_spans(scope: Scope, trigger: Trigger) -> None:
    for key, block in (
        ("debounce", trigger.debounce),
        ("batch", trigger.batch),
        ("throttle", trigger.throttle),
    ):
        if block is not None:
            _check_span(scope.at(key, "period"), "period", block.period)
            expressions.check(scope.at(key, "key"), "paths", block.key)
    if trigger.absence is not None:
        _check_span(scope.at("absence", "after"), "after", trigger.absence.after)
    if trigger.batch is not None and trigger.debounce is not None:
        scope.at("batch").refuse(
            "`debounce` leaves one event of a burst, so there is nothing to batch", rule=RULE
        )


def _check_span(scope: Scope, key: str, seconds: float) -> None:
    if seconds <= 0:
        message = f"`{key}` is missing, or not longer than 0"
        scope.refuse(message, rule=RULE, hint=f"a duration such as `{key}: 30s`")


def _check_counts(scope: Scope, trigger: Trigger) -> None:
    if trigger.concurrency is not None and trigger.concurrency < 1:
        scope.at("concurrency").refuse("`concurrency` must be at least 1", rule=RULE)
    if trigger.batch is not None and trigger.batch.count < 1:
        scope.at("batch", "count").refuse("`count` must be at least 1", rule=RULE)
    if trigger.throttle is not None and not 1 <= trigger.throttle.count <= MOST_THROTTLED:
        message = f"`count` must be 1 to {MOST_THROTTLED}"
        hint = "`rateLimit` spreads any number of actions evenly"
        scope.at("throttle", "count").refuse(message, rule=RULE, hint=hint)


def _check_order(scope: Scope, trigger: Trigger) -> None:
    expressions.check(scope.at("orderBy"), "paths", trigger.order_by)
    if trigger.at_least_once and (trigger.concurrency or 1) > 1 and not trigger.order_by:
        scope.at("concurrency").note(
            RULE, "actions side by side have no order, in spite of `atLeastOnce: true`"
        )
    if trigger.order_by and trigger.concurrency == 1:
        scope.at("orderBy").warn(RULE, "`orderBy` has no effect with `concurrency: 1`")


def _check_window(scope: Scope, window: BlackoutWindow) -> None:
    try:
        zones.load_zone(window.timezone)
    except LanguageError:
        scope.at("timezone").refuse(f'invalid timezone "{window.timezone}"', rule=RULE)
    if not window.cron:
        _check_times(scope, window)
        return
    try:
        cron.parse(window.cron)
    except LanguageError as error:
        message = f'invalid cron expression "{window.cron}"'
        scope.at("cron").refuse(message, rule=RULE, hint=expressions.explained(error))
    _check_span(scope.at("duration"), "duration", window.duration)
    for key in ("start", "stop", "days"):
        if getattr(window, key):
            scope.at(key).warn(RULE, f"`{key}` has no effect beside `cron`")


def _check_times(scope: Scope, window: BlackoutWindow) -> None:
    times = []
    for key, text in (("start", window.start), ("stop", window.stop)):
        try:
            times.append(time_of_day(text))
        except ValueError as error:
            scope.at(key).refuse(str(error), rule=RULE)
    if len(times) == 2 and times[0] == times[1]:
        hint = "a whole day is `start: 00:00`, `stop: 24:00`"
        scope.refuse("`start` and `stop` are equal", rule=RULE, hint=hint)
    if window.duration:
        scope.at("duration").warn(RULE, "`duration` has no effect without `cron`")


def _check_absence(scope: Scope, name: str, used: Collection[str], declared: Sequence[str]) -> None:
    if name and name not in declared:
        hint = nearest(name, declared)
        scope.refuse(f"there is no dependency `{name}`{hint}", rule=RULE)
    elif name in used:
        scope.refuse(f"the condition needs `{name}`, so it cannot act on its absence", rule=RULE)
    elif name and not used:
        scope.refuse("there is no other dependency that could be followed by it", rule=RULE)


def _check_join(scope: Scope, join: ConditionsJoin, names: Collection[str]) -> None:
    _check_span(scope.at("window"), "window", join.window)
    at = scope.at("key")
    if isinstance(join.key, str):
        if not join.key:
            at.refuse("`key` is missing", rule=RULE, hint="a path into the events' data")
        expressions.check(at, "paths", join.key)
        return
    for name, path in join.key.items():
        expressions.check(at.at(name), "paths", path)
        if name not in names:
            at.at(name).warn(RULE, f"the condition does not use `{name}`{nearest(name, names)}")
    for name in sorted(set(names) - join.key.keys()):
        at.refuse(f"there is no path for `{name}`", rule=RULE)


def _used(trigger: Trigger, declared: Sequence[str]) -> tuple[str, ...] | None:
    """The dependencies of the condition; None where it cannot be read."""
    text = trigger.template.conditions if trigger.template else ""
    if not text:
        return tuple(name for name in declared if name != awaited(trigger))
    try:
        return conditions.parse(text, declared).names
    except CompileError:
        return None
