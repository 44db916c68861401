"""
Carries one trigger's messages from the bus to its actions (design: delivery, rules 2 to 4 and 7).

Messages of a subscription are decided on one after the other, in stream order: decode, transform,
filter, condition.  Only actions run concurrently, up to a bound.  A message is acknowledged when
nothing depends on it any more: its actions are done or dead-lettered, or its event is held for a
condition, or it did not pass.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import structlog

from tiphys.aio import Clock, capped_backoff, stop
from tiphys.bus import Delivery, Subscription
from tiphys.errors import BusError, Conflict, EventDecodeError
from tiphys.events import CloudEvent
from tiphys.languages import LanguageError
from tiphys.languages.lua import WorkerPool
from tiphys.observe.history import History, Step
from tiphys.observe.metrics import Metrics
from tiphys.sensors.actions import Action, ActionFailed, ActionRunner, action_id
from tiphys.sensors.dead_letters import DeadLetters
from tiphys.sensors.event import Event
from tiphys.sensors.plan import Acknowledgement, DependencyPlan, TriggerPlan
from tiphys.sensors.state import ConditionState, Held, Position

log = structlog.get_logger("argo-events.sensor")
T = TypeVar("T")

KEEP_ALIVE = 10.0  # seconds between signs of life for a message at work; the bus waits 30
IN_ORDER_AHEAD = 16  # messages fetched at once where they are handled one at a time
REMEMBERED = 60.0  # seconds for which the id of a handled event is known (spec: sensors 12.1)


@dataclasses.dataclass(slots=True)
class _Work:
    """A message at work.  *delivery* is its newest copy, because only that can be acknowledged."""

    delivery: Delivery
    started: float
    event_id: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class _Firing:
    """An action that a message decided; *dependency*: the one that completed a kept condition."""

    action: Action
    dependency: str | None


class TriggerDelivery:
    """Everything between the subscriptions of one trigger and its actions."""

    def __init__(
        self,
        plan: TriggerPlan,
        *,
        sensor: str,
        namespace: str,
        runner: ActionRunner,
        dead_letter_runner: ActionRunner | None,
        state: ConditionState,
        dead_letters: DeadLetters,
        scripts: WorkerPool,
        metrics: Metrics,
        history: History,
        clock: Clock,
    ) -> None:
        self.plan = plan
        self._sensor = sensor
        self._runner = runner
        self._dead_letter_runner = dead_letter_runner
        self._state = state
        self._dead_letters = dead_letters
        self._scripts = scripts
        self._history = history
        self._clock = clock
        self._in_order = asyncio.Lock()
        self._state_lock = asyncio.Lock()
        self._slots = asyncio.Semaphore(plan.concurrency)
        self._work: dict[int, _Work] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._recent = _RecentIds()
        labels = (namespace, sensor, plan.name)
        self._log = log.bind(sensorName=sensor, triggerName=plan.name)
        self._dead = metrics.dead_letters.labels(*labels)
        self._pending = metrics.pending.labels(*labels)
        self._filtered = {
            reason: metrics.filtered.labels(*labels, reason)
            for reason in ("filter", "filter error", "transform error")
        }
        self._by_event: dict[tuple[str, str], list[DependencyPlan]] = {}
        for dependency in plan.dependencies.values():
            key = (dependency.event_source, dependency.event_name)
            self._by_event.setdefault(key, []).append(dependency)

    async def consume(self, subscription: Subscription) -> None:
        """Handle the messages of *subscription* until cancelled."""
        in_order = self.plan.acknowledgement is Acknowledgement.AFTER_IN_ORDER
        while True:
            await self._slots.acquire()  # there is no point in fetching what cannot be worked on
            self._slots.release()
            room = IN_ORDER_AHEAD if in_order else self.plan.concurrency - len(self._work)
            deliveries = await subscription.fetch(max(1, room))
            for work in [work for d in deliveries if (work := self._registered(d))]:
                if in_order:
                    async with self._in_order:
                        await self._finish(work, await self._decided(work))
                else:
                    await self._admit(work)

    async def keep_alive(self) -> None:
        """Tell the bus of messages at work, so that long actions are not delivered again."""
        while True:
            await asyncio.sleep(KEEP_ALIVE)
            for work in list(self._work.values()):
                if time.monotonic() - work.started >= KEEP_ALIVE / 2:
                    await work.delivery.in_progress()

    async def reset(self, before: datetime | None = None) -> None:
        """Forget held events (spec: sensors 13.6); only older ones if a moment is given."""
        async with self._state_lock:
            await self._answered(lambda: self._state.reset(before))

    async def close(self, grace: float) -> None:
        """Wait for running actions, at most *grace* seconds; the rest is delivered again later."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        await asyncio.gather(*(stop(task) for task in list(self._tasks)))

    def _registered(self, delivery: Delivery) -> _Work | None:
        """*delivery* as work; None when it is one more copy of a message that is at work."""
        if (work := self._work.get(delivery.sequence)) is not None:
            work.delivery = delivery
            return None
        work = self._work[delivery.sequence] = _Work(delivery, time.monotonic())
        self._pending.set(len(self._work))
        return work

    async def _admit(self, work: _Work) -> None:
        """Decide on a message, and let its actions run beside those of others."""
        firings = await self._decided(work)
        if self.plan.acknowledgement is Acknowledgement.BEFORE and not await self._settle(work):
            firings = []  # they follow when the message comes again
            self._recent.discard(work.event_id)
        await self._slots.acquire()
        task = asyncio.create_task(self._finish_in_slot(work, firings))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _finish_in_slot(self, work: _Work, firings: list[_Firing]) -> None:
        try:
            await self._finish(work, firings)
        finally:
            self._slots.release()

    async def _finish(self, work: _Work, firings: list[_Firing]) -> None:
        """Run the actions of a message, then acknowledge it."""
        sequence = work.delivery.sequence
        try:
            for firing in firings:
                await self._act(firing.action)
                if firing.dependency is not None:
                    await self._answered(partial(self._state.done, sequence, firing.dependency))
            if self.plan.acknowledgement is not Acknowledgement.BEFORE:
                await self._settle(work)
        finally:
            self._work.pop(sequence, None)
            self._pending.set(len(self._work))

    async def _settle(self, work: _Work) -> bool:
        """Acknowledge; false when the bus did not confirm, and the message will come again."""
        try:
            await work.delivery.ack()
        except BusError as error:
            self._log.warning(
                "The bus did not confirm an acknowledgement; the message comes again",
                error=str(error),
            )
            return False
        return True

    async def _decided(self, work: _Work) -> list[_Firing]:
        """The actions that a message sets in motion."""
        try:
            cloud_event = CloudEvent.decode(work.delivery.body)
        except EventDecodeError as error:
            self._log.error("Failed to convert to a cloudevent, discarding it", error=str(error))
            return []
        work.event_id = cloud_event.id
        if not self._recent.add(cloud_event.id, self._clock.monotonic()):
            self._log.debug("Event was handled already", eventID=cloud_event.id)
            self._note("duplicate", cloud_event.id)
            return []
        event = Event(cloud_event)
        key = (cloud_event.source, cloud_event.subject)
        dependencies = self._by_event.get(key, [])
        if not dependencies:
            self._log.error(
                "Failed to get the dependency names, discarding it", eventID=cloud_event.id
            )
        firings: list[_Firing] = []
        for dependency in dependencies:
            passed = await self._passed(dependency, event)
            if passed is None:
                continue
            if self.plan.condition.needs_state:
                firing = await self._with_state(work.delivery, dependency.name, passed)
            else:
                firing = _Firing(self._action({dependency.name: passed}), None)
            if firing is not None:
                firings.append(firing)
        return firings

    async def _passed(self, dependency: DependencyPlan, event: Event) -> Event | None:
        """The transformed event, if it passes the filters."""
        if dependency.transform is not None:
            try:
                data = await dependency.transform.apply(self._scripts, event.data)
            except LanguageError as error:
                self._count_filtered("transform error")
                self._note("filtered", event.id, dependency=dependency.name, error=str(error))
                self._log.error(
                    "failed to apply event transformation", eventID=event.id, error=str(error)
                )
                return None
            if data is not event.data:
                event = event.with_data(data)
        if dependency.filter is None:
            return event
        verdict = await dependency.filter.evaluate(event, self._scripts)
        if verdict.passed:
            return event
        self._count_filtered("filter error" if verdict.error else "filter")
        self._note(
            "filtered",
            event.id,
            dependency=dependency.name,
            **({"error": verdict.error} if verdict.error else {"reason": verdict.reason}),
        )
        emit = self._log.warning if verdict.error else self._log.debug
        emit(
            "Event discarded due to filtering" + (" error" if verdict.error else ""),
            eventID=event.id,
            dependencyName=dependency.name,
            reason=verdict.error or verdict.reason,
        )
        return None

    async def _with_state(
        self, delivery: Delivery, dependency: str, event: Event
    ) -> _Firing | None:
        """The action that an event of a condition with ``&&`` completes, if it does."""
        position = Position(delivery.sequence, delivery.published)
        async with self._state_lock:
            events = await self._answered(
                lambda: self._completed(position, dependency, event.cloud_event)
            )
        if events is None:
            return None
        return _Firing(self._action({name: Event(e) for name, e in events.items()}), dependency)

    async def _completed(
        self, position: Position, dependency: str, event: CloudEvent
    ) -> Mapping[str, CloudEvent] | None:
        memory = await self._state.read()
        if not position.is_after(memory.through.get(dependency)):
            # This message was used up before; what it decided is either pending or done.
            return await self._state.pending(position.sequence, dependency)
        held = memory.held.get(dependency)
        if held is not None and held.position.is_after(position):
            return None  # it comes again, and a newer one waits
        if not self.plan.condition.holds({*memory.held, dependency}):
            await self._state.hold(dependency, Held(event, position))
            present = {*memory.held, dependency}
            missing = [name for name in self.plan.condition.names if name not in present]
            self._note("held", event.id, dependency=dependency, missing=missing)
            return None
        events = {name: held.event for name, held in memory.held.items()} | {dependency: event}
        await self._state.decide(memory, position, dependency, events)
        return events

    async def _act(self, action: Action) -> None:
        """Run one action to its end: success, or a dead letter."""
        try:
            await self._runner.run(action)
            return
        except ActionFailed as error:
            failure = error
        except Exception as error:  # noqa: BLE001  a bug must neither lose the event nor repeat it for ever
            self._log.exception("An action failed for an unexpected reason")
            failure = ActionFailed(f"unexpected {type(error).__name__}: {error}", 1, None)
        if self._dead_letter_runner is not None:
            try:
                await self._dead_letter_runner.run(action)
            except ActionFailed as error:
                self._log.error("failed to trigger dlqTrigger", error=str(error))
        letter = self._runner.dead_letter(action, failure)
        await self._answered(lambda: self._dead_letters.store(letter))
        self._dead.inc()
        self._note(
            "dead-lettered",
            *(event.id for event in action.events.values()),
            deadLetter=letter.id,
            error=letter.error,
        )
        self._log.error(
            "An action failed for good and is kept as a dead letter",
            deadLetter=letter.id,
            attempts=letter.attempts,
            error=letter.error,
        )

    def _note(self, step: Step, *events: str, **details: Any) -> None:
        self._history.add(step, events, self._sensor, self.plan.name, **details)

    def _action(self, events: Mapping[str, Event]) -> Action:
        return Action(action_id(self._sensor, self.plan.name, events), events)

    def _count_filtered(self, reason: str) -> None:
        self._filtered[reason].inc()

    async def _answered(self, call: Callable[[], Awaitable[T]]) -> T:
        """The answer of the bus, however long it is away; a message in hand is never given up."""
        for pause in capped_backoff(first=0.1, cap=5.0):
            try:
                return await call()
            except Conflict:
                continue  # another replica was first; what it wrote is read anew
            except BusError as error:
                self._log.debug("The bus does not answer", error=str(error))
            await self._clock.sleep(pause)
        raise AssertionError("capped_backoff never ends")


class _RecentIds:
    """The ids of events that were handled in the last minute or so."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, float] = OrderedDict()

    def add(self, event_id: str, now: float) -> bool:
        """Remember an id; false when it is known already.  An empty id is never known."""
        while self._ids and next(iter(self._ids.values())) < now - REMEMBERED:
            self._ids.popitem(last=False)
        if event_id in self._ids:
            return False
        if event_id:
            self._ids[event_id] = now
        return True

    def discard(self, event_id: str) -> None:
        """Forget an id."""
        self._ids.pop(event_id, None)
