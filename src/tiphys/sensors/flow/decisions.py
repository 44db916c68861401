"""Decisions with flow control: events that came already, joins by key, events that are awaited."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

from tiphys.bus import State, insist
from tiphys.sensors.decisions import Decision, TriggerDecisions
from tiphys.sensors.event import Event
from tiphys.sensors.flow import absence
from tiphys.sensors.flow.control import place
from tiphys.sensors.flow.dedupe import Dedupe
from tiphys.sensors.flow.item import Item
from tiphys.sensors.flow.join import Joins
from tiphys.sensors.flow.memory import Memory, digest
from tiphys.sensors.flow.plan import FlowPlan
from tiphys.sensors.plan import TriggerPlan
from tiphys.sensors.state import ConditionState, Held, Position


@dataclasses.dataclass(frozen=True, slots=True)
class Joined(Decision):
    """A decision in the memory of a key."""

    key: str
    state: ConditionState


@dataclasses.dataclass(frozen=True, slots=True)
class Awaited(Decision):
    """No action: the event came whose absence is acted on."""

    key: str


class FlowDecisions(TriggerDecisions):
    """Decides for a trigger with flow control; *bucket* is the sensor's."""

    def __init__(self, plan: TriggerPlan, *, bucket: State, **services: Any):
        super().__init__(plan, **services)
        assert plan.flow is not None
        self._flow: FlowPlan = plan.flow
        self._dedupe = self._dedupes(bucket)
        self._joins: Joins | None = None
        if self._flow.join is not None:
            self._joins = Joins(
                bucket,
                place(plan.name, "join"),
                plan.condition.names,
                self._flow.join.window,
                shape=self._flow.shape,
                clock=self._clock,
            )

    async def open(self) -> None:
        """Take up what lies in the bucket."""
        async with self._one_at_a_time:
            for dedupe in self._dedupe.values():
                await insist(dedupe.memory.load, self._clock)
            if self._joins is not None:
                await insist(self._joins.load, self._clock)

    async def done(self, position: Position, decision: Decision) -> None:
        """The action of *decision* needs not be repeated when the message comes again."""
        if not isinstance(decision, Joined):
            await super().done(position, decision)
            return
        state, name = decision.state, decision.dependency
        assert name is not None
        assert self._joins is not None
        await insist(lambda: state.done(position.sequence, name), self._clock)
        self._joins.done(decision.key, position.sequence, name)

    async def reset(self, before: datetime | None = None) -> list[str]:
        """Forget held events; see the base class."""
        joins = self._joins
        if joins is None:
            return await super().reset(before)
        async with self._one_at_a_time:
            forgotten = await insist(lambda: joins.reset(before), self._clock)
        self._note_forgotten(forgotten)
        return list(dict.fromkeys(dependency for dependency, _ in forgotten))

    def next_due(self) -> datetime | None:
        """When held events can join nothing any more."""
        return None if self._joins is None else self._joins.next_due()

    async def ripen(self, upto: datetime) -> None:
        """Let go of events that could join nothing after *upto*."""
        joins = self._joins
        if joins is None:
            return
        expired: list[tuple[str, Held]] = []

        async def expire() -> None:
            expired.extend(await joins.expire(upto))

        async with self._one_at_a_time:
            await insist(expire, self._clock)
        for dependency, held in expired:
            reason = f"no event came in time to be joined with it as {dependency}"
            self._note("expired", held.event.id, dependency=dependency, reason=reason)

    async def _concluded(
        self, position: Position, dependency: str, event: Event
    ) -> Decision | None:
        if not await self._is_new(position, dependency, event):
            return None
        join = self._flow.join
        key = "" if join is None else join.keys[dependency].of(event)
        if key is None:
            reason = "it has no value to be joined by"
            self._note("dropped", event.id, dependency=dependency, reason=reason)
            return None
        if dependency not in self.plan.condition.names:
            return Awaited(self._action({dependency: event}), None, key)
        if self._joins is None or not self.plan.condition.needs_state:
            return await super()._concluded(position, dependency, event)
        return await self._joined(self._joins, key, position, dependency, event)

    async def _joined(
        self, joins: Joins, key: str, position: Position, dependency: str, event: Event
    ) -> Decision | None:
        state = joins.of(key, position, dependency)
        decision = await self._with_state(state, position, dependency, event)
        joins.decided(key, position)
        if decision is None:
            return None
        joins.fired(key, position.sequence, dependency)
        return Joined(decision.action, dependency, key, state)

    async def _is_new(self, position: Position, dependency: str, event: Event) -> bool:
        """Whether no event with the same key came before; one without a key is always new."""
        dedupe = self._dedupe.get(dependency)
        key = None if dedupe is None else self._flow.dedupe[dependency].key.of(event)
        if dedupe is None or key is None:
            return True
        async with self._one_at_a_time:
            new = dedupe.is_new(key, position.published, position.sequence)
            if new:
                await insist(lambda: dedupe.memory.save(position.published), self._clock)
        if not new:
            reason = f"an event with the key {key!r} came already for {dependency}"
            self._note("duplicate", event.id, dependency=dependency, key=key, reason=reason)
        return new

    def _dedupes(self, bucket: State) -> dict[str, Dedupe]:
        return {
            name: Dedupe(
                plan.window,
                Memory(bucket, place(self.plan.name, "dedupe", digest(name)), plan.text),
            )
            for name, plan in self._flow.dedupe.items()
        }


def item_of(plan: TriggerPlan, position: Position, number: int, decision: Decision) -> Item:
    """What flow control is given: of several decisions on one message, the one *number*."""
    flow, events = plan.flow, decision.action.events
    assert flow is not None
    keys = {name: path.of_first(events, plan.dependencies) for name, path in flow.keys.items()}
    if flow.order_by is not None:
        keys["orderBy"] = flow.order_by.of_first(events, plan.dependencies)
    if flow.join is not None and flow.absence is not None:
        first = next(name for name in plan.dependencies if name in events)
        keys[absence.NAME] = flow.join.keys[first].of(events[first]) or ""
    return Item(
        id=f"{position.name}.{number}",
        moment=position.published,
        sequence=position.sequence,
        events={name: event.cloud_event for name, event in events.items()},
        keys=keys,
    )
