"""
Delivery with flow control: between decision and action stand the mechanisms of the trigger.

A message whose action waits for something is acknowledged as soon as the action lies in the bucket;
one whose action only waits for its turn stays unacknowledged.  So nothing is lost by a crash.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from tiphys.bus import State
from tiphys.errors import TiphysError
from tiphys.sensors.actions import Action, action_id
from tiphys.sensors.decisions import Decision
from tiphys.sensors.delivery import IN_ORDER_AHEAD, STOPPED, T, TriggerDelivery
from tiphys.sensors.event import Event
from tiphys.sensors.flow.control import FlowControl, make_stages, place
from tiphys.sensors.flow.decisions import Awaited, FlowDecisions, item_of
from tiphys.sensors.flow.item import Item
from tiphys.sensors.flow.ordering import KeyedQueue
from tiphys.sensors.flow.plan import FlowPlan
from tiphys.sensors.flow.timers import Timers
from tiphys.sensors.flow.waiting import WaitingActions
from tiphys.sensors.flow.watermark import Watermark
from tiphys.sensors.plan import Acknowledgement, TriggerPlan
from tiphys.sensors.state import Position
from tiphys.sensors.work import Work

AHEAD = 1000  # messages in hand where keys are told apart: as many as the bus hands out


@dataclasses.dataclass(frozen=True, slots=True)
class _Turn:
    """
    What may begin in its turn; *work* is its message.

    What a person *asked* for begins also while the trigger is paused; that person waits for it.
    """

    key: str | None
    run: Callable[[], Coroutine[Any, Any, None]]
    work: Work | None = None
    asked: asyncio.Future[Any] | None = None


class FlowDelivery(TriggerDelivery):
    """The delivery of a trigger with flow control; *bucket* is the sensor's."""

    decisions: FlowDecisions

    def __init__(
        self, plan: TriggerPlan, decisions: FlowDecisions, *, bucket: State, **services: Any
    ) -> None:
        super().__init__(plan, decisions, **services)
        assert plan.flow is not None
        self._plan: FlowPlan = plan.flow
        self._watermark = Watermark(self._clock)
        self._control = FlowControl(
            lambda: make_stages(self._plan, plan.name, bucket),
            WaitingActions(bucket, place(plan.name, "waiting"), self._clock),
            release=self._released,
            note=self._note,
            clock=self._clock,
        )
        self._timers = Timers([self._control, decisions], self._watermark, self._clock)
        self._serial = plan.acknowledgement is Acknowledgement.AFTER_IN_ORDER
        self._queue: KeyedQueue[_Turn] = KeyedQueue(1 if self._serial else plan.concurrency)
        self._acting: set[str] = set()  # items that waited and are at work now
        self._less = asyncio.Event()  # something in hand has ended
        self._open = False

    async def open(self, subscriptions: int) -> None:
        """Take up what waits."""
        await super().open(subscriptions)
        self._open = True
        self._watermark.begin(subscriptions)
        await self.decisions.open()
        await self._control.open(frozenset(self._acting))

    def background(self) -> list[Coroutine[Any, Any, None]]:
        """What must run beside consuming, until cancelled."""
        return [*super().background(), self._timers.run()]

    def put_aside(self) -> None:
        """Leave alone what has not begun: messages, and in the bucket what waits there."""
        self._open = False
        for turn in self._queue.clear():
            if turn.asked is not None:
                self._queue.add(turn.key, turn)
        super().put_aside()
        self._pump()

    async def close(self, grace: float) -> None:
        """Wait for running actions; what has not begun is given up."""
        for turn in self._queue.clear():
            if turn.asked is not None:
                _fail(turn.asked, TiphysError(STOPPED))
        await super().close(grace)

    async def in_turn(
        self, events: Mapping[str, Event], act: Callable[[], Coroutine[Any, Any, T]]
    ) -> T:
        """Do what a person asked for; see the base class."""
        result: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        async def run() -> None:
            if result.done():
                return  # nobody waits for it any more
            if self._closed:
                _fail(result, TiphysError(STOPPED))
                return
            try:
                outcome = await self._with_permit(act)
            except asyncio.CancelledError:
                _fail(result, TiphysError(STOPPED))
                raise
            except Exception as error:  # noqa: BLE001  it is for whoever asked
                _fail(result, error)
            else:
                if not result.done():
                    result.set_result(outcome)

        if self._closed:
            raise TiphysError(STOPPED)
        self._queue.add(order := self._order(events), _Turn(order, run, asked=result))
        self._pump()
        return await result

    async def _room(self) -> int:
        ahead = IN_ORDER_AHEAD if self._serial else self.plan.concurrency
        if self._plan.order_by is not None:
            ahead = max(AHEAD, ahead)
        while (in_hand := max(len(self._work), len(self._queue))) >= ahead:
            self._less.clear()
            await self._less.wait()
        return ahead - in_hand

    async def _take(self, works: list[Work]) -> None:
        for work in works:
            await self._handle(work)

    async def _handle(self, work: Work) -> None:
        """Decide on a message, and take what it sets in motion through the mechanisms."""
        async with self._in_order:
            acting, settled = await self._guarded(work, self._offered(work), ([], []))
            self._watermark.handled(work.subscription, work.delivery.published)
            self._timers.poke()
        if not acting:
            self._begin(work, self._settle_waiting(work, settled))
            return
        order = self._order(acting[0].action.events)
        self._queue.add(order, _Turn(order, lambda: self._act(work, acting, settled), work))
        self._pump()

    async def _offered(self, work: Work) -> tuple[list[Decision], list[str]]:
        """What a message sets in motion now, and the ids of items that wait or have ended."""
        acting: list[Decision] = []
        settled: list[str] = []
        for number, decision in enumerate(await self._decided(work)):
            item = item_of(self.plan, work.position, number, decision)
            if isinstance(decision, Awaited):
                await self._control.came(decision.key, item.moment, item.sequence)
            elif await self._control.offer(item):
                acting.append(decision)
            else:
                settled.append(item.id)
                await self.decisions.done(work.position, decision)
        return acting, settled

    def _order(self, events: Mapping[str, Event]) -> str | None:
        """The key of an action's turn; None where it waits for no other."""
        path = self._plan.order_by
        if path is None:
            return "" if self._serial else None
        return path.of_first(events, self.plan.dependencies)

    def _released(self, item: Item) -> None:
        """An item that waited acts as soon as it may."""
        if item.id in self._acting:
            return
        order = item.keys.get("orderBy", "" if self._serial else None)
        self._queue.add(order, _Turn(order, lambda: self._act_on(item)))
        self._pump()

    def _pump(self, *, permitted: bool = False) -> None:
        """Begin what may; *permitted*: the rate limit lets one action begin."""
        while self._may_begin() and (turn := self._queue.next) is not None:
            # What was asked for waits for its permit in its turn.
            if turn.asked is None and self.execution.runner.limited:
                if not permitted:
                    self._ask_permit()
                    return
                permitted = False
            self._queue.begin()
            self._begin(turn.work, self._in_its_turn(turn))

    def _ask_permit(self) -> None:
        """Have the rate limit let one action begin, unless that is under way."""
        if not self._permits:
            permit = asyncio.ensure_future(self.execution.runner.permit())
            self._permits.add(permit)
            permit.add_done_callback(self._granted)

    def _granted(self, permit: asyncio.Future[None]) -> None:
        self._permits.discard(permit)
        if not permit.cancelled():
            self._pump(permitted=True)

    def _may_begin(self) -> bool:
        if not self._open:
            return True  # nothing is left but what was asked for
        blackout = self._plan.blackout
        return blackout is None or blackout.covering(self._clock.now()) is None

    async def _in_its_turn(self, turn: _Turn) -> None:
        try:
            await turn.run()
        finally:
            self._queue.end(turn.key)
            self._less.set()
            self._pump()

    async def _act(self, work: Work, decisions: list[Decision], settled: list[str]) -> None:
        """The actions of a message, then its acknowledgement."""
        await self._finish(work, decisions, lambda: self._tell(settled))

    async def _settle_waiting(self, work: Work, settled: list[str]) -> None:
        """Acknowledge a message that nothing acts on now."""
        await self._finish(work, [], lambda: self._tell(settled))
        self._less.set()

    def _tell(self, settled: list[str]) -> None:
        if self._claims is not None:
            return  # the bus may forget that it confirmed, and nothing must be repeated
        for item_id in settled:
            self._control.settled(item_id)

    async def _act_on(self, item: Item) -> None:
        """The action of an item that waited."""
        self._acting.add(item.id)
        events = {name: Event(event) for name, event in item.events.items()}
        action = Action(action_id(self._sensor, self.plan.name, events), events, item.origins)
        position = Position(item.sequence, item.moment)
        try:
            await self._carry_out(position, action)
            await self._control.done(item)
            self._end(position, action)
        finally:
            self._acting.discard(item.id)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    """Let whoever waits for *future* have *error*, unless nobody does any more."""
    if not future.done():
        future.set_exception(error)
