"""Runs one Sensor object: its triggers beside each other, each on its own subscriptions."""

from __future__ import annotations

import asyncio
import dataclasses
import ssl
from contextlib import AsyncExitStack
from typing import Any, Literal, Protocol

import structlog

from tiphys.aio import Clock, SystemClock, capped_backoff, stop
from tiphys.bus import Bus, State, Subscription, insist
from tiphys.errors import TiphysError
from tiphys.languages import LanguageError
from tiphys.languages.lua import WorkerPool
from tiphys.manifests.common import TLS, ConfigMapRef, SecretRef
from tiphys.manifests.sensor import SensorSpec
from tiphys.observe.history import History, Step
from tiphys.observe.metrics import Metrics
from tiphys.sensors.actions import ActionRunner
from tiphys.sensors.dead_letters import DeadLetters
from tiphys.sensors.decisions import Note, TriggerDecisions
from tiphys.sensors.delivery import TriggerDelivery
from tiphys.sensors.execution import Execution
from tiphys.sensors.plan import ActionPlan, TriggerPlan, plan_dependencies, plan_trigger
from tiphys.sensors.reconcile import reconcile
from tiphys.sensors.resets import compile_schedules, run_resets
from tiphys.sensors.state import ConditionState
from tiphys.triggers import TriggerContext

log = structlog.get_logger("argo-events.sensor")


class Secrets(Protocol):
    """What triggers read secrets through; see :class:`tiphys.triggers.TriggerContext`."""

    async def secret(self, ref: SecretRef) -> str:
        """The value of a key of a Secret."""
        ...

    async def config_map(self, ref: ConfigMapRef) -> str:
        """The value of a key of a ConfigMap."""
        ...

    async def tls(self, tls: TLS) -> ssl.SSLContext:
        """The client context that *tls* describes."""
        ...


@dataclasses.dataclass
class TriggerStatus:
    """
    How a trigger fares.

    *phase* ``broken`` means that it cannot run before its manifest is changed; *error* says why.
    """

    name: str
    type: str = ""
    events: list[str] = dataclasses.field(default_factory=list)
    phase: Literal["starting", "running", "broken", "stopped"] = "starting"
    error: str = ""


@dataclasses.dataclass(frozen=True)
class SensorServices:
    """What a sensor is given by whoever runs it."""

    bus: Bus
    secrets: Secrets
    metrics: Metrics
    history: History
    scripts: WorkerPool
    clock: Clock = dataclasses.field(default_factory=SystemClock)
    strict: bool = False
    allow_exec: bool = False


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
        self.statuses: dict[str, TriggerStatus] = {}
        self._spec = spec
        self._services = services
        self._plans = self._planned()
        self._deliveries: list[TriggerDelivery] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._stack = AsyncExitStack()
        self._log = log.bind(sensorName=name, **spec.logging_fields)

    @property
    def ready(self) -> bool:
        """Whether every trigger that can run has its subscriptions."""
        return all(status.phase in ("running", "broken") for status in self.statuses.values())

    def delivery(self, trigger: str) -> TriggerDelivery | None:
        """The running trigger of that name; None where there is none, or it is broken."""
        return next((d for d in self._deliveries if d.plan.name == trigger), None)

    async def start(self) -> None:
        """Begin; returns at once, :attr:`statuses` tell when the subscriptions are there."""
        self._tasks.append(asyncio.create_task(self._run(), name=f"sensor {self.name}"))
        self._log.info("Sensor started.")

    async def stop(self, grace: float = 10.0) -> None:
        """Stop fetching, let running actions end within *grace* seconds, release everything."""
        await asyncio.gather(*(stop(task) for task in self._tasks))
        await asyncio.gather(*(delivery.close(grace) for delivery in self._deliveries))
        await self._stack.aclose()
        for status in self.statuses.values():
            status.phase = "stopped"

    def _planned(self) -> list[TriggerPlan]:
        spec = self._spec
        dependencies = plan_dependencies(spec)
        names = [dependency.name for dependency in spec.dependencies]
        plans = []
        for index, manifest in enumerate(spec.triggers):
            template = manifest.template
            name = template.name if template and template.name else f"triggers[{index}]"
            status = self.statuses[name] = TriggerStatus(name)
            try:
                plan = plan_trigger(manifest, dependencies, names, strict=self._services.strict)
            except (TiphysError, LanguageError) as error:
                self._break(status, error)
                continue
            status.type = plan.action.key
            status.events = [f"{source}/{event}" for source, event in plan.subjects]
            plans.append(plan)
        return plans

    def _break(self, status: TriggerStatus, error: Exception) -> None:
        status.phase, status.error = "broken", str(error)
        log.error(
            "A trigger cannot run",
            sensorName=self.name,
            triggerName=status.name,
            error=status.error,
        )

    async def _run(self) -> None:
        bus = self._services.bus
        state, dead_letters = await insist(self._prepared, self._services.clock)
        async with asyncio.TaskGroup() as group:
            for plan in self._plans:
                group.create_task(self._supervised(plan, bus, state, dead_letters))

    async def _prepared(self) -> tuple[State, DeadLetters]:
        bus = self._services.bus
        state = await bus.state(self.name)
        await reconcile(bus, state, self.name, self._spec.dependencies, self._plans)
        return state, await DeadLetters.open(bus)

    async def _supervised(
        self, plan: TriggerPlan, bus: Bus, state: State, dead_letters: DeadLetters
    ) -> None:
        """Run a trigger for ever; a bug in one must not stop the others, nor itself for good."""
        for pause in capped_backoff(first=1.0, cap=30.0):
            try:
                await self._run_trigger(plan, bus, state, dead_letters)
                return
            except Exception as error:  # noqa: BLE001  the supervisor is where unforeseen errors end
                status = self.statuses[plan.name]
                status.phase, status.error = "starting", f"{type(error).__name__}: {error}"
                self._log.exception("A trigger stopped and starts again", triggerName=plan.name)
            await self._services.clock.sleep(pause)

    async def _run_trigger(
        self, plan: TriggerPlan, bus: Bus, state: State, dead_letters: DeadLetters
    ) -> None:
        status = self.statuses[plan.name]
        try:
            schedules = compile_schedules(plan.manifest.template.conditions_reset)  # type: ignore[union-attr]  # a plan has one
            delivery = await self._delivery(plan, state, dead_letters)
        except (TiphysError, LanguageError) as error:
            self._break(status, error)
            return
        self._deliveries.append(delivery)
        subscriptions = await insist(lambda: self._subscribed(plan, bus), self._services.clock)
        status.phase = "running"
        try:
            async with asyncio.TaskGroup() as group:
                for subscription in subscriptions:
                    group.create_task(delivery.consume(subscription))
                group.create_task(delivery.keep_alive())
                if schedules and plan.condition.needs_state:
                    group.create_task(
                        run_resets(schedules, delivery.decisions.reset, self._services.clock)
                    )
        finally:
            for subscription in subscriptions:
                await subscription.close()

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
        decisions = TriggerDecisions(
            plan,
            sensor=self.name,
            state=ConditionState(state, plan.name, plan.dependencies),
            scripts=services.scripts,
            note=note,
            clock=clock,
        )
        return TriggerDelivery(
            plan,
            decisions,
            execution,
            sensor=self.name,
            pending=services.metrics.pending.labels(*labels),
            note=note,
            clock=clock,
        )

    def _note(self, trigger: str) -> Note:
        """Takes down steps in the history, and counts what did not pass."""
        history, metrics = self._services.history, self._services.metrics
        filtered = {
            reason: metrics.filtered.labels(self.namespace, self.name, trigger, reason)
            for reason in ("filter", "error")
        }

        def note(step: Step, *events: str, **details: Any) -> None:
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
                clock=services.clock,
            )
        )
        return runner

    async def _subscribed(self, plan: TriggerPlan, bus: Bus) -> list[Subscription]:
        """The subscriptions of a trigger, one for each event it needs."""
        return [
            await bus.subscribe(self.name, plan.name, dependency, source, event)
            for (source, event), dependency in plan.subjects.items()
        ]
