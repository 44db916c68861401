"""Runs actions: attempts, rate limit, retries, policy, dead letters (spec: sensors 14)."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import time
from collections.abc import Mapping
from typing import Any

import structlog

from tiphys.aio import Clock, LeakyBucket
from tiphys.errors import ActionError, PolicyError, TiphysError
from tiphys.events import parse_time
from tiphys.observe.history import History, Step
from tiphys.observe.metrics import Metrics
from tiphys.sensors.dead_letters import DeadLetter
from tiphys.sensors.event import Event
from tiphys.sensors.plan import ActionPlan
from tiphys.sensors.policies import judge
from tiphys.sensors.rendering import Renderer
from tiphys.triggers import Firing, Outcome, Trigger, TriggerContext, triggers

SHOWN = 200  # characters of an outcome that are kept

log = structlog.get_logger("argo-events.sensor")


@dataclasses.dataclass(frozen=True, slots=True)
class Action:
    """
    One firing of a trigger: the events by dependency, and an id that any repetition shares.

    *origins* are the ids of the events on the bus where *events* are made of several of them;
    *refused* counts the outcomes that the trigger's policy refused before.
    """

    id: str
    events: Mapping[str, Event]
    origins: tuple[str, ...] = ()
    refused: int = 0

    @property
    def event_ids(self) -> tuple[str, ...]:
        """The ids of the events on the bus."""
        return self.origins or tuple(event.id for event in self.events.values())


def action_id(sensor: str, trigger: str, events: Mapping[str, Event]) -> str:
    """The id of the action that these events set in motion: 32 hex digits."""
    parts = [sensor, trigger, *(f"{name}={event.id}" for name, event in sorted(events.items()))]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def action_of(letter: DeadLetter, data: Mapping[str, bytes]) -> Action:
    """The action of a dead letter once more; *data* replaces payloads of events, by dependency."""
    events = {
        name: Event(dataclasses.replace(event, data=data.get(name, event.data)))
        for name, event in letter.events.items()
    }
    return Action(letter.id, events, letter.origins, refused=letter.refused)


class ActionFailed(TiphysError):
    """
    All attempts failed; *firing* is what the last one tried, as far as it got.

    *refused* counts the outcomes that the policy refused, as in :class:`Action`.
    """

    def __init__(
        self, error: str, attempts: int, firing: Firing[Any] | None, refused: int = 0
    ) -> None:
        super().__init__(error)
        self.attempts = attempts
        self.firing = firing
        self.refused = refused


class Interrupted(asyncio.CancelledError):
    """The runner was cancelled between two attempts, of which the first certainly failed."""


class ActionRunner:
    """Runs the actions of one plan; several at a time."""

    def __init__(
        self,
        plan: ActionPlan,
        *,
        namespace: str,
        sensor: str,
        metrics: Metrics,
        history: History,
        clock: Clock,
        rate_limited: bool = True,
    ) -> None:
        self.plan = plan
        self._namespace = namespace
        self._sensor = sensor
        self._clock = clock
        self._history = history
        self._trigger: Trigger[Any] = triggers.get(plan.key)()
        self._renderer = Renderer(plan, self._trigger)
        self._bucket = None
        if rate_limited and plan.interval is not None:
            self._bucket = LeakyBucket(plan.interval, clock)
        labels = (namespace, sensor, plan.name)
        self._triggered = metrics.action_triggered.labels(*labels)
        self._failed = metrics.action_failed.labels(*labels)
        self._exhausted = metrics.action_retries_failed.labels(*labels)
        self._milliseconds = metrics.action_milliseconds.labels(*labels)
        self._seconds = metrics.action_seconds.labels(*labels)
        self._end_to_end = metrics.end_to_end_seconds.labels(*labels)

    async def start(self, context: TriggerContext) -> None:
        """Open what the trigger needs; closed with the stack of *context*."""
        await self._trigger.start(context)

    @property
    def limited(self) -> bool:
        """Whether attempts wait for a rate limit."""
        return self._bucket is not None

    async def permit(self) -> None:
        """Wait until the rate limit lets an attempt begin."""
        if self._bucket is not None:
            await self._bucket.acquire()

    async def run(self, action: Action) -> Outcome:
        """
        Try until it succeeds or the attempts are used up; the first attempt has its permit.

        Raises :exc:`ActionFailed`, and :exc:`Interrupted` when cancelled between two attempts.
        """
        pauses = self.plan.backoff.pauses()
        attempt, refused = 0, action.refused
        while True:
            attempt += 1
            firing: Firing[Any] | None = None
            started = time.perf_counter()
            try:
                firing = await self._renderer.render(
                    self._namespace, self._sensor, action.id, action.events, refused
                )
                outcome = await self._trigger.fire(firing)
                await judge(self.plan.policy, self._trigger, outcome, self._clock)
            except ActionError as error:
                refused += isinstance(error, PolicyError)
                self._observe(started, action, succeeded=False)
                self._note("attempt failed", action, attempt=attempt, error=str(error))
                self._log_failure(error, action, attempt)
                pause = next(pauses, None) if error.retryable else None
                if pause is None:
                    self._exhausted.inc()
                    raise ActionFailed(str(error), attempt, firing, refused) from error
                await self._rest(max(pause, error.retry_after))
            else:
                self._observe(started, action, succeeded=True)
                self._note(
                    "succeeded",
                    action,
                    attempt=attempt,
                    milliseconds=round((time.perf_counter() - started) * 1000, 1),
                    status=outcome.status,
                    detail=outcome.detail[:SHOWN],
                )
                self._log_success(action)
                return outcome

    async def _rest(self, seconds: float) -> None:
        """Wait before another attempt.  Raises :exc:`Interrupted`."""
        try:
            await self._clock.sleep(seconds)
            await self.permit()
        except asyncio.CancelledError:
            raise Interrupted from None

    def dead_letter(self, action: Action, failure: ActionFailed) -> DeadLetter:
        """The record of an action that failed for good."""
        firing = failure.firing
        block = self.plan.block
        payload = None
        if firing is not None:
            block = firing.config.model_dump(mode="json", by_alias=True, exclude_unset=True)
            payload = None if firing.payload is None else firing.payload.decode("utf-8", "replace")
        return DeadLetter(
            id=action.id,
            namespace=self._namespace,
            sensor=self._sensor,
            trigger=self.plan.name,
            trigger_type=self.plan.key,
            error=str(failure),
            attempts=failure.attempts,
            events={name: event.cloud_event for name, event in action.events.items()},
            block=block,
            payload=payload,
            refused=failure.refused,
            origins=action.origins,
        )

    def _observe(self, started: float, action: Action, *, succeeded: bool) -> None:
        took = time.perf_counter() - started
        self._milliseconds.observe(int(took * 1000))
        self._seconds.observe(took)
        (self._triggered if succeeded else self._failed).inc()
        if succeeded:
            moments = (parse_time(event.cloud_event.time) for event in action.events.values())
            latest = max((m for m in moments if m is not None), default=None)
            if latest is not None:
                self._end_to_end.observe(max(0.0, (self._clock.now() - latest).total_seconds()))

    def _note(self, step: Step, action: Action, **details: Any) -> None:
        self._history.add(
            step, action.event_ids, self._sensor, self.plan.name, action=action.id, **details
        )

    def _fields(self, action: Action) -> dict[str, Any]:
        return {
            "sensorName": self._sensor,
            "triggerName": self.plan.name,
            "triggerType": self._trigger.log_name,
            "triggeredBy": list(action.events),
            "triggeredByEvents": list(action.event_ids),
        }

    def _log_success(self, action: Action) -> None:
        log.info(f"Successfully processed trigger '{self.plan.name}'", **self._fields(action))

    def _log_failure(self, error: ActionError, action: Action, attempt: int) -> None:
        # One line per action at error level; attempts that will be repeated lose nothing yet.
        last = attempt >= self.plan.backoff.steps or not error.retryable
        emit = log.error if last else log.warning
        emit(
            "Failed to execute a trigger",
            error=str(error),
            attempt=attempt,
            **self._fields(action),
        )
