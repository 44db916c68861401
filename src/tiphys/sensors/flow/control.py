"""
Takes decided actions through the mechanisms of a trigger, one after the other.

Absence comes first, then debounce or batch, then throttle.  The mechanisms say what happens; here
it is made to last: what they remember is saved, what waits is put into the bucket, what is done is
removed.  Everything that must be durable is so before the caller may acknowledge a message.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol

from tiphys.aio import Clock
from tiphys.bus import State, insist
from tiphys.sensors.decisions import Note
from tiphys.sensors.flow.absence import Absence
from tiphys.sensors.flow.batch import Batch
from tiphys.sensors.flow.debounce import Debounce, LeadingDebounce
from tiphys.sensors.flow.item import Dropped, Effects, Item
from tiphys.sensors.flow.memory import Memory
from tiphys.sensors.flow.plan import FlowPlan
from tiphys.sensors.flow.throttle import Throttle
from tiphys.sensors.flow.waiting import WaitingActions
from tiphys.sensors.state import moment_of


class Stage(Protocol):
    """One mechanism: told what comes and what time it is, it says what passes and what ends."""

    @property
    def name(self) -> str:
        """Its key in manifests."""
        ...

    @property
    def memory(self) -> Memory | None:
        """What it remembers beyond the items that wait at it."""
        ...

    def offer(self, item: Item, now: datetime) -> Effects:
        """An item comes; it waits unless the answer names it."""
        ...

    def next_due(self) -> datetime | None:
        """When to call :meth:`ripen`."""
        ...

    def ripen(self, upto: datetime, now: datetime) -> Effects:
        """What is due by *upto* goes on."""
        ...


def place(trigger: str, *parts: str) -> str:
    """The key in a sensor's bucket below which a trigger keeps something of flow control."""
    return "/".join((trigger, "=flow", *parts))


def make_stages(plan: FlowPlan, trigger: str, state: State) -> list[Stage]:
    """The mechanisms of a plan, in their order, with empty hands."""

    def memory(name: str, shape: str) -> Memory:
        return Memory(state, place(trigger, name), shape)

    stages: list[Stage] = []
    if (absence := plan.absence) is not None:
        own = not absence.dependency
        shape = f"{plan.shape}\n{absence.after}"
        stages.append(Absence(absence.after, memory("absence", shape), own=own))
    if (debounce := plan.debounce) is not None:
        shape = f"{debounce.key}\n{debounce.period}"
        if debounce.leading:
            stages.append(LeadingDebounce(debounce.period, memory("debounce", shape)))
        else:
            # When the past comes back, because of another `startFrom`, it may act again.
            shape = f"{plan.shape}\n{shape}"
            stages.append(Debounce(debounce.period, memory("debounce", shape)))
    if (batch := plan.batch) is not None:
        stages.append(Batch(batch.count, batch.period))
    if (throttle := plan.throttle) is not None:
        latest = throttle.strategy == "latest"
        remembered = memory("throttle", throttle.key)
        stages.append(Throttle(throttle.count, throttle.period, remembered, latest=latest))
    return stages


@dataclasses.dataclass(slots=True)
class _Outcome:
    """What happened to items in all mechanisms together."""

    passed: list[Item] = dataclasses.field(default_factory=list)
    held: list[Item] = dataclasses.field(default_factory=list)
    merged: list[Item] = dataclasses.field(default_factory=list)
    dropped: list[Dropped] = dataclasses.field(default_factory=list)

    def staying(self) -> list[Item]:
        """The held items that nothing happened to afterwards."""
        gone = {dropped.item.id for dropped in self.dropped}
        gone.update(member for item in self.merged for member in item.members)
        return [item for item in self.held if item.id not in gone]


class FlowControl:
    """
    The mechanisms of one trigger at work.

    *release* is given what waited and may act now; it calls :meth:`done` in the end.
    """

    def __init__(
        self,
        stages: Callable[[], Sequence[Stage]],
        waiting: WaitingActions,
        *,
        release: Callable[[Item], None],
        note: Note,
        clock: Clock,
    ) -> None:
        self._make_stages = stages
        self._stages: Sequence[Stage] = ()
        self._waiting = waiting
        self._release = release
        self._note = note
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._read = moment_of(0)  # what came until then has been read, in all subscriptions

    async def open(self, acting: frozenset[str]) -> None:
        """
        Take up what lies in the bucket, as at a start.

        *acting* are the ids of items that are acting at this moment.
        """
        async with self._one_at_a_time:
            self._stages = self._make_stages()
            for stage in self._stages:
                if stage.memory is not None:
                    await self._insist(stage.memory.load)
            for item in await insist(self._waiting.load, self._clock):
                if item.id not in acting:
                    outcome = self._advanced([item], self._stage_of(item))
                    outcome.held = [held for held in outcome.held if held.stage != item.stage]
                    await self._apply(outcome, None)

    async def offer(self, item: Item) -> bool:
        """
        A message decided on *item*: true when it is to act now, before the message is acknowledged.

        Otherwise it waits, or ended, or is known already: the message may be acknowledged, and
        :meth:`settled` is to be told.
        """
        async with self._one_at_a_time:
            if self._waiting.knows(item.id):
                return False
            outcome = self._advanced([item], 0)
            await self._apply(outcome, item)
            return any(passed.id == item.id for passed in outcome.passed)

    async def came(self, key: str, moment: datetime, sequence: int) -> None:
        """The event came whose absence is acted on."""
        async with self._one_at_a_time:
            for stage in self._stages:
                if isinstance(stage, Absence):
                    effects = stage.came(key, moment, sequence, self._clock.now())
                    await self._apply(_Outcome(dropped=effects.dropped), None)

    def settled(self, item_id: str) -> None:
        """The acknowledgement of the message of an item is confirmed."""
        self._waiting.settled(item_id)

    async def done(self, item: Item) -> None:
        """A released item has acted; never tell it twice."""
        await self._remove(item.id)

    def next_due(self) -> datetime | None:
        """The earliest time at which something waits no longer, or can be forgotten."""
        dues = [stage.next_due() for stage in self._stages]
        dues += [stage.memory.next_expiry() for stage in self._stages if stage.memory is not None]
        return min((due for due in dues if due is not None), default=None)

    async def ripen(self, upto: datetime) -> None:
        """Let go what is due by *upto*; everything that came until then has been read."""
        async with self._one_at_a_time:
            now = self._clock.now()
            self._read = upto
            for number, stage in enumerate(self._stages):
                effects = stage.ripen(upto, now)
                outcome = self._advanced(effects.passed, number + 1)
                outcome.merged += [item for item in effects.passed if item.members]
                outcome.dropped += effects.dropped
                await self._apply(outcome, None)

    def _stage_of(self, item: Item) -> int:
        """Where a stored item waits; where that mechanism is gone, it passes."""
        names = [stage.name for stage in self._stages]
        return names.index(item.stage) if item.stage in names else len(names)

    def _advanced(self, items: Sequence[Item], number: int) -> _Outcome:
        """Offer *items* to a stage, and what passes to the next ones."""
        outcome = _Outcome()
        now = self._clock.now()
        for stage in self._stages[number:]:
            onward: list[Item] = []
            for item in items:
                effects = stage.offer(item, now)
                if not _is_named(item, effects):
                    outcome.held.append(dataclasses.replace(item, stage=stage.name))
                outcome.dropped += effects.dropped
                outcome.merged += [passed for passed in effects.passed if passed.members]
                onward += effects.passed
            items = onward
        outcome.passed += items
        return outcome

    async def _apply(self, outcome: _Outcome, fresh: Item | None) -> None:
        """Make *outcome* last; *fresh* is the item of a message that is not acknowledged yet."""
        for stage in self._stages:
            if stage.memory is not None:
                await self._save(stage.memory, self._read)
        passed_by = {item.id for item in outcome.passed}
        for item in outcome.merged:
            reason = f"one action stands for {len(item.members)} events"
            self._note("batched", *item.event_ids, batch=_batch_ids(item), reason=reason)
            if item.id in passed_by:
                await self._put(dataclasses.replace(item, stage=""))
        for item in outcome.staying():
            await self._put(item)
            reason = f"it waits for {item.stage}"
            self._note("held", *item.event_ids, by=item.stage, reason=reason)
        for dropped in outcome.dropped:
            self._note(dropped.step, *dropped.item.event_ids, **dropped.details)
            for item_id in (dropped.item.id, *dropped.item.members):
                await self._remove(item_id)
        for item in outcome.passed:
            if fresh is None or item.id != fresh.id:
                self._release(item)

    async def _save(self, memory: Memory, before: datetime) -> None:
        await self._insist(lambda: memory.save(before))

    async def _put(self, item: Item) -> None:
        await self._insist(lambda: self._waiting.put(item))

    async def _remove(self, item_id: str) -> None:
        await self._insist(lambda: self._waiting.remove(item_id))

    async def _insist(self, call: Callable[[], Awaitable[None]]) -> None:
        await insist(call, self._clock)


def _is_named(item: Item, effects: Effects) -> bool:
    """Did *item* pass, alone or as a part of another one, or end?"""
    passed = any(item.id == one.id or item.id in one.members for one in effects.passed)
    return passed or any(item.id == dropped.item.id for dropped in effects.dropped)


def _batch_ids(item: Item) -> list[str]:
    return [event.id for event in item.events.values()]
