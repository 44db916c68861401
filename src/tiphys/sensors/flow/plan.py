"""What the flow control of a trigger's manifest means, worked out once when it is loaded."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from tiphys.errors import ManifestError
from tiphys.languages import LanguageError
from tiphys.manifests.conditions import Condition
from tiphys.manifests.flow import MOST_THROTTLED, Absence, Batch, Debounce, Throttle
from tiphys.manifests.sensor import Dependency, Trigger
from tiphys.sensors.flow.blackout import Blackout, compile_blackout
from tiphys.sensors.flow.keys import KeyPath


@dataclasses.dataclass(frozen=True)
class DedupePlan:
    """Which events of a dependency are the same; *window* in seconds."""

    key: KeyPath
    text: str
    window: float


@dataclasses.dataclass(frozen=True)
class JoinPlan:
    """The keys of a condition's dependencies; *window* in seconds."""

    keys: Mapping[str, KeyPath]
    window: float


@dataclasses.dataclass(frozen=True)
class FlowPlan:
    """
    The mechanisms of a trigger, those that it has.

    *keys* are the paths of keys by mechanism.  *shape* is a text that changes whenever what is
    remembered for joins loses its meaning.
    """

    keys: Mapping[str, KeyPath] = dataclasses.field(default_factory=dict)
    order_by: KeyPath | None = None
    debounce: Debounce | None = None
    batch: Batch | None = None
    throttle: Throttle | None = None
    absence: Absence | None = None
    blackout: Blackout | None = None
    join: JoinPlan | None = None
    dedupe: Mapping[str, DedupePlan] = dataclasses.field(default_factory=dict)
    shape: str = ""

    @property
    def exclusive(self) -> bool:
        """Whether the trigger may run in one place only; a blackout alone is the same anywhere."""
        return self.blackout is None or dataclasses.replace(self, shape="") != FlowPlan(
            blackout=self.blackout
        )


def awaited(trigger: Trigger) -> str:
    """The dependency whose absence a trigger acts on, and that its condition does not name."""
    return "" if trigger.absence is None else trigger.absence.dependency


def plan_flow(
    trigger: Trigger, condition: Condition, dependencies: Sequence[Dependency]
) -> FlowPlan | None:
    """
    Work out the flow control of a trigger; None without any.

    *dependencies* are those of the sensor.  Raises :exc:`ManifestError`.
    """
    _check(trigger, condition, [dependency.name for dependency in dependencies])
    used = {*condition.names, awaited(trigger)}
    declared = {d.name: d for d in dependencies if d.name in used}
    plan = FlowPlan(
        keys=_keys(trigger),
        order_by=_path(trigger.order_by, "orderBy") if trigger.order_by else None,
        debounce=trigger.debounce,
        batch=trigger.batch,
        throttle=trigger.throttle,
        absence=trigger.absence,
        blackout=compile_blackout(trigger.blackout),
        join=_join(trigger, [*condition.names, awaited(trigger)]),
        dedupe={name: dedupe for name, d in declared.items() if (dedupe := _dedupe(d))},
    )
    if plan == FlowPlan():
        return None
    shape = [condition.expression, repr(trigger.conditions_join)]
    shape += [repr(dependency) for dependency in declared.values()]
    return dataclasses.replace(plan, shape="\n".join(shape))


def _check(trigger: Trigger, condition: Condition, declared: Sequence[str]) -> None:
    """What the mechanisms cannot work with; lint says the same and more."""
    for path, seconds in _spans(trigger):
        if seconds <= 0:
            raise ManifestError("must be longer than 0", path=path)
    if trigger.concurrency is not None and trigger.concurrency < 1:
        raise ManifestError("must be 1 or more", path="concurrency")
    if trigger.batch is not None and trigger.batch.count < 1:
        raise ManifestError("must be 1 or more", path="batch.count")
    if trigger.throttle is not None and not 1 <= trigger.throttle.count <= MOST_THROTTLED:
        raise ManifestError(f"must be 1 to {MOST_THROTTLED}", path="throttle.count")
    if trigger.batch is not None and trigger.debounce is not None:
        raise ManifestError("`debounce` leaves nothing to batch", path="batch")
    if name := awaited(trigger):
        if name not in declared:
            raise ManifestError(f"there is no dependency `{name}`", path="absence.dependency")
        if name in condition.names:
            message = f"the condition needs `{name}`, so it cannot act on its absence"
            raise ManifestError(message, path="absence.dependency")


def _spans(trigger: Trigger) -> Iterator[tuple[str, float]]:
    """The lengths of time that the mechanisms need, in seconds."""
    if trigger.debounce is not None:
        yield "debounce.period", trigger.debounce.period
    if trigger.batch is not None:
        yield "batch.period", trigger.batch.period
    if trigger.throttle is not None:
        yield "throttle.period", trigger.throttle.period
    if trigger.conditions_join is not None:
        yield "conditionsJoin.window", trigger.conditions_join.window
    if trigger.absence is not None:
        yield "absence.after", trigger.absence.after


def _keys(trigger: Trigger) -> dict[str, KeyPath]:
    """The paths of the mechanisms that tell events apart."""
    given = {"debounce": trigger.debounce, "batch": trigger.batch, "throttle": trigger.throttle}
    return {
        name: _path(block.key, f"{name}.key") for name, block in given.items() if block is not None
    }


def _join(trigger: Trigger, names: Sequence[str]) -> JoinPlan | None:
    block = trigger.conditions_join
    if block is None:
        return None
    keys = block.key if isinstance(block.key, dict) else dict.fromkeys(names, block.key)
    for name in names:
        if name and not keys.get(name):
            raise ManifestError(f"there is no path for `{name}`", path="conditionsJoin.key")
    paths = {n: _path(keys[n], "conditionsJoin.key") for n in names if n}
    return JoinPlan(paths, block.window)


def _dedupe(dependency: Dependency) -> DedupePlan | None:
    block = dependency.dedupe
    if block is None:
        return None
    if not block.key or block.window <= 0:
        message = f"the `dedupe` of `{dependency.name}` needs a `key` and a `window`"
        raise ManifestError(message, path="dependencies")
    return DedupePlan(_path(block.key, "dedupe.key"), block.key, block.window)


def _path(text: str, path: str) -> KeyPath:
    try:
        return KeyPath(text)
    except LanguageError as error:
        raise ManifestError(str(error), path=path) from error
