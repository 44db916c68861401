"""
Carries one trigger's messages from the bus to its actions (design: delivery, rules 2, 3 and 7).

Messages of a subscription are decided on one after the other, in stream order; only actions run
concurrently, up to a bound.  A message is acknowledged when nothing depends on it any more: its
actions are done or dead-lettered, or its event is held for a condition, or it did not pass.

With ``atLeastOnce: false`` a message whose actions had begun may come again as well: after a crash,
or because the bus lost an acknowledgement.  Their claims tell; then nothing is done, and said so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

import structlog
from prometheus_client import Gauge

from tiphys.aio import Clock, Recent, finish, stop
from tiphys.bus import Delivery, Subscription
from tiphys.errors import BusError, EventDecodeError, TiphysError
from tiphys.events import CloudEvent
from tiphys.sensors.actions import Action, ActionFailed, Interrupted
from tiphys.sensors.claims import Claims
from tiphys.sensors.decisions import Decision, Note, TriggerDecisions
from tiphys.sensors.event import Event
from tiphys.sensors.execution import Execution
from tiphys.sensors.plan import Acknowledgement, TriggerPlan
from tiphys.sensors.state import Position
from tiphys.sensors.work import Work

REPEATED = "its action had begun before; with `atLeastOnce: false` nothing is repeated"
STOPPED = "the sensor stopped before everything was done that was asked for"

T = TypeVar("T")

log = structlog.get_logger("argo-events.sensor")

KEEP_ALIVE = 10.0  # seconds between signs of life for a message at work; the bus waits 30
IN_ORDER_AHEAD = 16  # messages fetched at once where they are handled one at a time
FAULTS = 5  # errors nobody has foreseen after which an event is decided on no more
REMEMBERED = 60.0  # seconds for which the id of a handled event is known (spec: sensors 12.1)


class TriggerDelivery:
    """
    Everything between the subscriptions of one trigger and its actions.

    *claims* are those of a trigger whose actions must not be repeated.
    """

    def __init__(
        self,
        plan: TriggerPlan,
        decisions: TriggerDecisions,
        execution: Execution,
        *,
        sensor: str,
        pending: Gauge,
        note: Note,
        clock: Clock,
        claims: Claims | None = None,
    ) -> None:
        self.plan = plan
        self.decisions = decisions
        self.execution = execution
        self._sensor = sensor
        self._clock = clock
        self._note = note
        self._pending = pending
        self._claims = claims
        self._in_order = asyncio.Lock()
        self._slots = asyncio.Semaphore(plan.concurrency)
        self._work: dict[int, Work] = {}
        self._aside: list[Work] = []
        self._failure: Exception | None = None  # since which nothing begins, to keep the order
        self._faults: dict[str, int] = {}  # how often deciding on a message has failed
        self._session = 0  # counts how often consuming has ended
        self._tasks: set[asyncio.Task[None]] = set()
        self._permits: set[asyncio.Future[None]] = set()  # of the rate limit, that are waited for
        self._asked: set[asyncio.Task[Any]] = set()  # by a person
        self._closed = False
        self._recent = Recent(REMEMBERED)
        self._log = log.bind(sensorName=sensor, triggerName=plan.name)

    async def open(self, subscriptions: int) -> None:
        """Get ready to consume from so many subscriptions."""
        if self._claims is not None:
            await self._claims.open()

    def background(self) -> list[Coroutine[Any, Any, None]]:
        """What must run beside consuming, until cancelled; :meth:`keep_alive` also after it."""
        return [] if self._claims is None else [self._claims.tidy()]

    async def in_turn(
        self, events: Mapping[str, Event], act: Callable[[], Coroutine[Any, Any, T]]
    ) -> T:
        """
        Do what a person asked for about *events*, paused or not, in its turn among the actions.

        Returns what *act* returns, and raises what it raises; :exc:`TiphysError` when the sensor
        stops before.
        """
        in_order = self.plan.acknowledgement is Acknowledgement.AFTER_IN_ORDER
        async with self._in_order if in_order else self._slots:
            if self._closed:
                raise TiphysError(STOPPED)
            task = asyncio.create_task(self._with_permit(act))
            self._asked.add(task)
            try:
                return await task
            except asyncio.CancelledError:
                if self._closed and task.cancelled():
                    raise TiphysError(STOPPED) from None
                raise
            finally:
                self._asked.discard(task)

    async def _with_permit(self, act: Callable[[], Coroutine[Any, Any, T]]) -> T:
        await self.execution.runner.permit()
        return await act()

    async def consume(self, subscription: Subscription, number: int = 0) -> None:
        """
        Handle the messages of *subscription*, of several the one *number*, until cancelled.

        Raises what nobody has foreseen: then close the subscriptions, and all that is not done
        comes again, in its order.
        """
        await self._take(self._taken_up(number))
        while True:
            deliveries = await subscription.fetch(await self._room())
            await self._take([w for d in deliveries if (w := self._registered(d, number))])

    async def keep_alive(self) -> None:
        """Tell the bus of messages at work, so that long actions are not delivered again."""
        while True:
            await self._clock.sleep(KEEP_ALIVE)
            now = self._clock.monotonic()
            for work in [*self._work.values(), *self._aside]:
                if now - work.started >= KEEP_ALIVE / 2:
                    await work.delivery.in_progress()

    def put_aside(self) -> None:
        """Leave the messages alone whose actions have not begun; nothing is consumed any more."""
        self._session += 1
        for sequence, work in list(self._work.items()):
            if not work.begun:
                del self._work[sequence]
                self._recent.discard(work.event_id)
                self._aside.append(work)
        self._pending.set(len(self._work))
        for permit in self._permits:
            permit.cancel()
        self._permits.clear()

    def give_up(self) -> None:
        """Forget what was put aside: its subscriptions are being closed, so it comes again."""
        self._aside.clear()
        self._failure = None

    async def finish(self) -> None:
        """Wait for the actions that have begun, and for their acknowledgement."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self, grace: float) -> None:
        """Wait for running actions, at most *grace* seconds; the rest is delivered again later."""
        self._closed = True
        if running := {*self._tasks, *self._asked}:
            await asyncio.wait(running, timeout=grace)
        await stop(*self._tasks, *self._asked)

    async def _room(self) -> int:
        """How many messages to fetch; waits, as there is no point in fetching more than fits."""
        if self.plan.acknowledgement is Acknowledgement.AFTER_IN_ORDER:
            return IN_ORDER_AHEAD
        await self._slots.acquire()
        self._slots.release()
        return max(1, self.plan.concurrency - len(self._work))

    def _taken_up(self, number: int) -> list[Work]:
        """What was put aside of a subscription is at work again, in the order of the stream."""
        taken = [work for work in self._aside if work.subscription == number]
        self._aside = [work for work in self._aside if work.subscription != number]
        taken.sort(key=lambda work: work.delivery.sequence)
        self._work.update((work.delivery.sequence, work) for work in taken)
        return taken

    def _registered(self, delivery: Delivery, number: int) -> Work | None:
        """*delivery* as work; None when it is one more copy of a message that is at work."""
        if (work := self._work.get(delivery.sequence)) is not None:
            work.delivery = delivery
            return None
        work = Work(delivery, self._clock.monotonic(), subscription=number)
        self._work[delivery.sequence] = work
        self._pending.set(len(self._work))
        return work

    async def _take(self, works: list[Work]) -> None:
        """Handle messages that came together, in their order."""
        if self.plan.acknowledgement is Acknowledgement.AFTER_IN_ORDER:
            # A task, because what has begun also ends when consuming is cancelled.
            await asyncio.wait([self._begin(None, self._one_by_one(works))])
            if (error := self._failure) is not None:
                text = f"a message failed: {type(error).__name__}: {error}"
                raise RuntimeError(text) from error
            return
        for work in works:
            await self._handle(work)

    async def _one_by_one(self, works: list[Work]) -> None:
        session = self._session
        try:
            for work in works:
                async with self._in_order:
                    if session != self._session or self._failure is not None:
                        return  # it was put aside, or must not overtake what failed
                    decisions = await self._guarded(work, self._decided(work), [])
                    if decisions and session == self._session:
                        await self._permitted()
                    if session != self._session:
                        return
                    work.begun = True
                    await self._finish(work, decisions)
        except Exception as error:
            self._failure = error
            raise

    async def _handle(self, work: Work) -> None:
        """Decide on a message; its actions run beside those of others."""
        decisions = await self._guarded(work, self._decided(work), [])
        await self._slots.acquire()
        begins = False
        try:
            begins = not decisions or await self._permitted()
        finally:
            if not begins:
                self._slots.release()
        if begins:
            self._begin(work, self._finish_in_slot(work, decisions))

    async def _permitted(self) -> bool:
        """
        Wait until the rate limit lets an action begin; false when all was put aside meanwhile.

        The action has not begun before, so that it neither acts in a pause nor needs a claim.
        """
        if not self.execution.runner.limited:
            return True
        permit = asyncio.ensure_future(self.execution.runner.permit())
        self._permits.add(permit)
        try:
            await asyncio.wait([permit])
            return not permit.cancelled()
        finally:
            self._permits.discard(permit)
            permit.cancel()

    def _begin(self, work: Work | None, ending: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        if work is not None:
            work.begun = True
        task = asyncio.create_task(ending)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._log.error("A message failed and comes again", exc_info=error)

    async def _finish_in_slot(self, work: Work, decisions: list[Decision]) -> None:
        try:
            await self._finish(work, decisions)
        finally:
            self._slots.release()

    async def _finish(
        self, work: Work, decisions: list[Decision], settled: Callable[[], None] | None = None
    ) -> None:
        """
        Run the actions of a message, the first with its permit, and acknowledge it afterwards.

        *settled* is called once that is confirmed.
        """
        position = work.position
        try:
            for number, decision in enumerate(decisions):
                if number:
                    await self.execution.runner.permit()
                await self._carry_out(position, decision.action)
                await self.decisions.done(position, decision)
            if await self._settle(work) and settled is not None:
                settled()
            for decision in decisions:
                self._end(position, decision.action)
        except Exception:
            self._recent.discard(work.event_id)  # it comes again, and is no duplicate then
            raise
        finally:
            self._work.pop(work.delivery.sequence, None)
            self._pending.set(len(self._work))

    async def _carry_out(self, position: Position, action: Action) -> None:
        """Run what the message at *position* set in motion, unless it must not be repeated."""
        if self._claims is None:
            await self.execution.carry_out(action)
            return
        if not await self._claims.lay(claim := _claim(position, action)):
            events = action.event_ids
            self._note("duplicate", *events, reason=REPEATED)
            self._log.warning("An action is not repeated", eventIDs=list(events), reason=REPEATED)
            return
        try:
            await self.execution.carry_out(action)
        except Interrupted:
            await finish(self._claims.withdraw(claim))
            raise

    def _end(self, position: Position, action: Action) -> None:
        """What led to *action* is settled."""
        if self._claims is not None:
            self._claims.settled(_claim(position, action))

    async def _settle(self, work: Work) -> bool:
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

    async def _guarded(self, work: Work, deciding: Coroutine[Any, Any, T], otherwise: T) -> T:
        """
        What *deciding* on a message answers; its errors let the trigger start again.

        One that fails each time is *otherwise* decided on, and kept as a dead letter: it must not
        hold up for ever what comes behind it.
        """
        try:
            decided = await deciding
        except Exception as error:
            self._recent.discard(work.event_id)
            name = work.position.name
            self._faults[name] = faults = self._faults.get(name, 0) + 1
            if faults < FAULTS:
                raise
            self._log.exception("An event cannot be decided on, and becomes a dead letter")
            failure = ActionFailed(f"unforeseen {type(error).__name__}: {error}", faults, None)
            action = self.decisions.undecided(Event(CloudEvent.decode(work.delivery.body)))
            await self.execution.keep(action, failure)
            decided = otherwise
        if self._faults:
            self._faults.pop(work.position.name, None)
        return decided

    async def _decided(self, work: Work) -> list[Decision]:
        """The actions that a message sets in motion."""
        try:
            event = CloudEvent.decode(work.delivery.body)
        except EventDecodeError as error:
            self._log.error("Failed to convert to a cloudevent, discarding it", error=str(error))
            return []
        work.event_id = event.id
        if event.id and not self._recent.add(event.id, self._clock.monotonic()):
            self._note("duplicate", event.id)
            return []
        return await self.decisions.decide(Event(event), work.position)


def _claim(position: Position, action: Action) -> str:
    """The name of an action's claim, the same whenever its message comes again."""
    return f"{position.name}.{action.id}"
