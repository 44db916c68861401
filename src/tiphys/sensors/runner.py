"""Runs one Sensor object: its triggers beside each other, each on its own subscriptions."""

from __future__ import annotations

import asyncio
import dataclasses
from contextlib import AsyncExitStack
from typing import Any

import structlog

from tiphys.aio import Clock, capped_backoff, stop
from tiphys.bus import State, Subscription, insist
from tiphys.errors import ManifestError, TiphysError
from tiphys.languages import LanguageError
from tiphys.manifests.sensor import SensorSpec
from tiphys.observe.history import Step
from tiphys.sensors.actions import ActionRunner
from tiphys.sensors.claims import Claims, bucket, sweep
from tiphys.sensors.dead_letters import DeadLetters
from tiphys.sensors.decisions import Note, TriggerDecisions, unnoted
from tiphys.sensors.delivery import TriggerDelivery
from tiphys.sensors.execution import Execution
from tiphys.sensors.flow.control import place
from tiphys.sensors.flow.decisions import FlowDecisions
from tiphys.sensors.flow.delivery import FlowDelivery
from tiphys.sensors.flow.lease import Lease
from tiphys.sensors.flow.register import registered
from tiphys.sensors.flow.start import subscribe
from tiphys.sensors.gate import Gate
from tiphys.sensors.pauses import Pauses
from tiphys.sensors.plan import (
    Acknowledgement,
    ActionPlan,
    TriggerPlan,
    plan_dependencies,
    plan_trigger,
)
from tiphys.sensors.reconcile import reconcile
from tiphys.sensors.resets import reset_schedules
from tiphys.sensors.services import SensorServices
from tiphys.sensors.state import ConditionState
from tiphys.sensors.trigger_run import TriggerRun, TriggerStatus
from tiphys.sensors.virtual import VirtualTrigger
from tiphys.triggers import TriggerContext

MAX_PENDING = 1000  # messages that a trigger may have at once, the default of NATS
# What makes a log line, in structlog, in logging and on the line: no place for ``loggingFields``.
RESERVED = {
    *("event", "level", "timestamp", "logger", "ts", "msg", "exception", "stacktrace", "exc_info"),
    *("stack", "stack_info", "positional_args", "_record", "_from_structlog", "self"),
}

log = structlog.get_logger("argo-events.sensor")


class SensorRunner:
    """
    One running sensor.

    A trigger that cannot run is reported in :attr:`statuses`, and the others run.
    """

    def __init__(
        self, name: str, namespace: str, spec: SensorSpec, services: SensorServices
    ) -> None:
        self.name = name
        self.namespace = namespace
        self.bus = services.bus
        self.statuses: dict[str, TriggerStatus] = {}
        self._spec = spec
        self._services = services
        fields = spec.logging_fields.items()
        self._fields = {key: value for key, value in fields if key not in RESERVED}
        self._log = log.bind(**{**self._fields, "sensorName": name})
        self._plans = self._planned()
        self._pauses = Pauses(services.bus, name, services.clock)
        self._runs: dict[str, TriggerRun] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._stack = AsyncExitStack()

    @property
    def ready(self) -> bool:
        """Whether every trigger that can run has its subscriptions, or waits for a reason."""
        return all(
            status.phase in ("running", "paused", "standby", "broken")
            for status in self.statuses.values()
        )

    def delivery(self, trigger: str) -> TriggerDelivery | None:
        """The running trigger of that name; None where there is none, or it is broken."""
        run = self._runs.get(trigger)
        return None if run is None else run.delivery

    def virtual(self, trigger: str, clock: Clock, *, noted: bool) -> VirtualTrigger:
        """
        A running trigger that decides by *clock* and acts on nothing.

        It knows no blackouts.  *noted*: what it decides goes into the history.
        """
        plan = self._runs[trigger].delivery.plan
        if plan.flow is not None:
            flow = dataclasses.replace(plan.flow, blackout=None)
            plan = dataclasses.replace(plan, flow=flow)
        return VirtualTrigger(
            plan,
            reset_schedules(plan),
            sensor=self.name,
            scripts=self._services.scripts,
            note=self._note(trigger) if noted else unnoted,
            clock=clock,
        )

    async def start(self) -> None:
        """Begin; returns at once, :attr:`statuses` tell when the subscriptions are there."""
        self._tasks.append(asyncio.create_task(self._run(), name=f"sensor {self.name}"))
        self._log.info("Sensor started.")

    async def stop(self, grace: float = 10.0) -> None:
        """Stop fetching, let running actions end within *grace* seconds, release everything."""
        await stop(*self._tasks)
        await asyncio.gather(*(run.close(grace) for run in self._runs.values()))
        await self._stack.aclose()
        for status in self.statuses.values():
            status.phase = "stopped"

    async def pause(self, trigger: str | None = None) -> None:
        """
        Let a trigger, or all, take no more events; they wait on the bus, also over a restart.

        Returns when no further action begins; what has begun ends.  Raises :exc:`ManifestError`
        when there is no such trigger, and :exc:`BusError`.
        """
        self._require(trigger)
        await self._pauses.pause(trigger)
        runs = [run for name, run in self._runs.items() if trigger in (None, name)]
        await asyncio.gather(*(run.halted() for run in runs))
        self._log.info("Paused", triggerName=trigger or "all")

    async def resume(self, trigger: str | None = None) -> None:
        """
        Let a paused trigger, or all, go on with their backlog.

        Raises :exc:`ManifestError` when there is no such trigger or its manifest suspends it, and
        :exc:`BusError`.
        """
        self._require(trigger)
        if any(plan.name == trigger and plan.manifest.suspend for plan in self._plans):
            raise ManifestError(
                f"the trigger {self.name}/{trigger} is suspended in its manifest; remove `suspend`"
            )
        await self._pauses.resume(trigger)
        for name, run in self._runs.items():
            if trigger in (None, name):
                run.expect_open()
        self._log.info("Resumed", triggerName=trigger or "all")

    def _require(self, trigger: str | None) -> None:
        if trigger is not None and trigger not in self.statuses:
            raise ManifestError(f"the sensor {self.name!r} has no trigger {trigger!r}")

    def _planned(self) -> list[TriggerPlan]:
        spec = self._spec
        dependencies = plan_dependencies(spec)
        plans = []
        for index, manifest in enumerate(spec.triggers):
            template = manifest.template
            name = template.name if template and template.name else f"triggers[{index}]"
            status = self.statuses[name] = TriggerStatus(name)
            try:
                plan = plan_trigger(
                    manifest, dependencies, spec.dependencies, strict=self._services.strict
                )
            except (TiphysError, LanguageError) as error:
                self._break(status, error)
                continue
            status.type = plan.action.key
            status.events = [f"{source}/{event}" for source, event in plan.subjects]
            plans.append(plan)
        return plans

    def _break(self, status: TriggerStatus, error: Exception) -> None:
        status.phase, status.error = "broken", str(error)
        self._log.error("A trigger cannot run", triggerName=status.name, error=status.error)

    async def _run(self) -> None:
        # Every task below inherits these, and so does every line that they log.
        structlog.contextvars.bind_contextvars(**self._fields)
        clock = self._services.clock
        state, dead_letters = await insist(self._prepared, clock)
        async with asyncio.TaskGroup() as group:
            if self._replicas > 1:
                group.create_task(self._pauses.follow())
            for plan in self._plans:
                group.create_task(self._supervised(plan, state, dead_letters))

    async def _prepared(self) -> tuple[State, DeadLetters]:
        bus = self._services.bus
        state = await bus.state(self.name)
        broken = self.statuses.keys() - {plan.name for plan in self._plans}
        await reconcile(bus, state, self.name, self._spec.dependencies, self._plans, broken)
        claiming = {p.name for p in self._plans if p.acknowledgement is Acknowledgement.CLAIMED}
        await sweep(bus, state, self.name, claiming, broken)
        self._plans = await registered(state, self.name, self._plans, broken)
        await self._pauses.load()
        await self._pauses.keep(self.statuses)
        return state, await DeadLetters.open(bus)

    async def _supervised(self, plan: TriggerPlan, state: State, dead_letters: DeadLetters) -> None:
        """Run a trigger for ever; a bug in one must not stop the others, nor itself for good."""
        status = self.statuses[plan.name]
        for pause in capped_backoff(first=1.0, cap=30.0):
            try:
                run = self._runs.get(plan.name)
                if run is None:
                    run = self._runs[plan.name] = await self._made(plan, state, dead_letters)
                await run.run()
                return
            except (TiphysError, LanguageError) as error:
                self._break(status, error)
                return
            except Exception as error:  # noqa: BLE001  the supervisor is where unforeseen errors end
                status.phase, status.error = "starting", f"{type(error).__name__}: {error}"
                self._log.exception("A trigger stopped and starts again", triggerName=plan.name)
            await self._services.clock.sleep(pause)

    async def _made(self, plan: TriggerPlan, state: State, letters: DeadLetters) -> TriggerRun:
        """A trigger, ready to run.  Raises :exc:`TiphysError` and the errors of the languages."""
        clock, flow = self._services.clock, plan.flow
        lease = None
        if flow is not None and flow.exclusive:
            lease = Lease(state, place(plan.name, "lease"), clock)
        gate = Gate(
            plan.name,
            self._pauses,
            clock,
            suspended=plan.manifest.suspend,
            blackout=None if flow is None else flow.blackout,
            lease=lease,
        )
        return TriggerRun(
            await self._delivery(plan, state, letters),
            gate,
            lambda: self._subscribed(plan, state),
            reset_schedules(plan),
            self.statuses[plan.name],
            clock,
        )

    async def _delivery(
        self, plan: TriggerPlan, state: State, dead_letters: DeadLetters
    ) -> TriggerDelivery:
        services, clock = self._services, self._services.clock
        labels = (self.namespace, self.name, plan.name)
        note = self._note(plan.name)
        fallback = None
        if plan.dead_letter_action is not None:
            fallback = await self._action_runner(plan.dead_letter_action, rate_limited=False)
        execution = Execution(
            self.name,
            await self._action_runner(plan.action),
            fallback,
            dead_letters,
            count=services.metrics.dead_letters.labels(*labels),
            note=note,
            clock=clock,
        )
        deciding: dict[str, Any] = {
            "sensor": self.name,
            "state": ConditionState(state, plan.name, plan.dependencies),
            "scripts": services.scripts,
            "note": note,
            "clock": clock,
        }
        delivering: dict[str, Any] = {
            "sensor": self.name,
            "claims": await self._claims(plan),
            "pending": services.metrics.pending.labels(*labels),
            "note": note,
            "clock": clock,
        }
        if plan.flow is None:
            return TriggerDelivery(
                plan, TriggerDecisions(plan, **deciding), execution, **delivering
            )
        decisions = FlowDecisions(plan, bucket=state, **deciding)
        return FlowDelivery(plan, decisions, bucket=state, execution=execution, **delivering)

    async def _claims(self, plan: TriggerPlan) -> Claims | None:
        """The claims of a trigger whose actions must not be repeated."""
        if plan.acknowledgement is not Acknowledgement.CLAIMED:
            return None
        bus, clock = self._services.bus, self._services.clock
        state = await insist(lambda: bus.state(bucket(self.name)), clock)
        return Claims(bus, state, plan.name, clock)

    def _note(self, trigger: str) -> Note:
        """Takes down steps in the history, and counts what did not pass."""
        history, metrics = self._services.history, self._services.metrics
        filtered = {
            reason: metrics.filtered.labels(self.namespace, self.name, trigger, reason)
            for reason in ("filter", "error")
        }

        def note(step: Step, /, *events: str, **details: Any) -> None:
            history.add(step, events, self.name, trigger, **details)
            if step == "filtered":
                filtered["error" if "error" in details else "filter"].inc()

        return note

    async def _action_runner(self, plan: ActionPlan, *, rate_limited: bool = True) -> ActionRunner:
        services = self._services
        runner = ActionRunner(
            plan,
            namespace=self.namespace,
            sensor=self.name,
            metrics=services.metrics,
            history=services.history,
            clock=services.clock,
            rate_limited=rate_limited,
        )
        await runner.start(
            TriggerContext(
                namespace=self.namespace,
                sensor=self.name,
                trigger=plan.name,
                secret=services.secrets.secret,
                config_map=services.secrets.config_map,
                tls=services.secrets.tls,
                stack=self._stack,
                allow_exec=services.allow_exec,
                egress=services.egress,
                clock=services.clock,
            )
        )
        return runner

    async def _subscribed(self, plan: TriggerPlan, state: State) -> list[Subscription]:
        """The subscriptions of a trigger, one for each event it needs."""
        bus = self._services.bus
        options: dict[str, Any] = {
            "max_pending": max(MAX_PENDING, plan.concurrency),
            "in_order": self._is_in_order(plan),
        }
        subscriptions = []
        for event, dependency in plan.subjects.items():
            start_from = plan.starts.get(event)
            if start_from is None:
                opened = bus.subscribe(self.name, plan.name, dependency, *event, **options)
            else:
                opened = subscribe(
                    bus,
                    state,
                    self._services.clock,
                    sensor=self.name,
                    trigger=plan.name,
                    dependency=dependency,
                    event=event,
                    start_from=start_from,
                    **options,
                )
            subscriptions.append(await opened)
        return subscriptions

    @property
    def _replicas(self) -> int:
        """How many processes run the sensor (spec: sensors 1.1)."""
        return max(1, self._spec.replicas or 1)

    def _is_in_order(self, plan: TriggerPlan) -> bool:
        """Whether events act in their order; replicas that share a position cannot keep one."""
        flow = plan.flow
        alone = self._replicas == 1 or (flow is not None and flow.exclusive)
        by_key = flow is not None and flow.order_by is not None
        return alone and (by_key or plan.acknowledgement is Acknowledgement.AFTER_IN_ORDER)
