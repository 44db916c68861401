"""One trigger in one run: it decides and renders like a running one, by virtual time."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tiphys.aio import Clock
from tiphys.languages.lua import WorkerPool
from tiphys.observe.history import Step as HistoryStep
from tiphys.sensors.actions import Action as DecidedAction
from tiphys.sensors.event import Event
from tiphys.sensors.state import Position
from tiphys.sensors.virtual import Decided, VirtualTrigger
from tiphys.testing.pipelines._actions import Action, DryTrigger
from tiphys.testing.pipelines._sensors import PlannedTrigger
from tiphys.testing.pipelines._verdicts import Step, Verdict

# What a step of the history is called here, and its reason, filled in with the step's details.
_STEPS: dict[str, tuple[Step, str]] = {
    "superseded": ("superseded", "by {by}"),
    "disarmed": ("disarmed", "the event came that was waited for"),
    "expired": ("expired", "no event came in time to be joined with it as {dependency}"),
    "batched": ("batched", "one action stands for several events"),
    "duplicate": ("dropped", "an event with the key {key!r} came already for {dependency}"),
    "dropped": ("dropped", "{reason}"),
}


class TriggerRun:
    """A trigger with a memory of its own; verdicts and actions go to the lists that it is given."""

    def __init__(
        self,
        sensor: str,
        trigger: PlannedTrigger,
        *,
        scripts: WorkerPool,
        clock: Clock,
        verdicts: list[Verdict],
        actions: list[Action],
    ) -> None:
        plan = trigger.plan
        self.name = plan.name
        self.subjects = plan.subjects
        self._sensor = sensor
        self._trigger = trigger
        self._clock = clock
        self._verdicts = verdicts
        self._actions = actions
        self._numbers: dict[str, int] = {}
        self._decider = VirtualTrigger(
            plan, trigger.schedules, sensor=sensor, scripts=scripts, note=self._note, clock=clock
        )

    async def open(self) -> None:
        """Get ready."""
        await self._decider.open()

    async def receive(self, event: Event, position: Position) -> None:
        """An event comes that the trigger depends on."""
        self._numbers[event.id] = position.sequence
        if self._trigger.plan.manifest.suspend:
            self._add(position.sequence, "held", reason="the trigger is suspended")
            return
        await self._act(await self._decider.receive(event, position))

    async def forget(self, number: int, now: datetime) -> None:
        """Do the resets whose time has come; *number* is that of the event that comes next."""
        if forgotten := await self._decider.reset(now):
            names = ", ".join(forgotten)
            reason = f"the conditions were reset, {names} must come again"
            self._add(number, "forgotten", reason=reason)

    def next_due(self) -> datetime | None:
        """The earliest time at which something waits no longer."""
        return self._decider.next_due()

    async def ripen(self) -> None:
        """Let go what is due by now."""
        await self._act(await self._decider.ripen())

    async def _act(self, decided: Decided) -> None:
        fallback = self._trigger.fallback
        for number, action in decided:
            succeeded = await self._attempt(self._trigger.action, number, action)
            if not succeeded and fallback is not None:
                # What the running sensor does once the attempts are used up.
                await self._attempt(fallback, number, action)

    async def _attempt(self, trigger: DryTrigger, number: int, decided: DecidedAction) -> bool:
        action = await trigger.act(decided, number, self._clock.now())
        self._actions.append(action)
        step: Step = "failed" if action.error else "acted"
        self._verdicts.append(
            Verdict(number, self._sensor, action.trigger, step, reason=action.error, at=action.at)
        )
        return not action.error

    def _note(self, step: HistoryStep, /, *events: str, **details: Any) -> None:
        """Translate what the engine tells of some events."""
        if step == "forgotten":
            return  # told once for all of them, see `forget`
        word, reason = self._translated(step, details)
        for id in events:
            self._add(self._numbers.get(id, 0), word, details.get("dependency", ""), reason)

    def _translated(self, step: HistoryStep, details: dict[str, Any]) -> tuple[Step, str]:
        if step == "filtered":
            return "filtered", details.get("error") or details.get("reason", "")
        if step == "held" and "missing" in details:
            missing = ", ".join(details["missing"])
            condition = self._trigger.plan.condition.expression
            return "held", f"the condition {condition} still needs {missing}"
        if step == "held":
            return "held", f"it waits for {details['by']}"
        word, reason = _STEPS[step]
        return word, reason.format_map(details)

    def _add(self, number: int, step: Step, dependency: str = "", reason: str = "") -> None:
        self._verdicts.append(
            Verdict(number, self._sensor, self.name, step, dependency, reason, self._clock.now())
        )
