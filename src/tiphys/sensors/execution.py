"""Carries an action to its end: success, or a dead letter (design: delivery, rule 4)."""

from __future__ import annotations

import structlog
from prometheus_client import Counter

from tiphys.aio import Clock
from tiphys.bus import insist
from tiphys.sensors.actions import Action, ActionFailed, ActionRunner
from tiphys.sensors.dead_letters import DeadLetters
from tiphys.sensors.decisions import Note

log = structlog.get_logger("argo-events.sensor")


class Execution:
    """
    Runs the actions of one trigger.

    *fallback* runs the ``dlqTrigger``; *count* counts dead letters.
    """

    def __init__(
        self,
        sensor: str,
        runner: ActionRunner,
        fallback: ActionRunner | None,
        dead_letters: DeadLetters,
        *,
        count: Counter,
        note: Note,
        clock: Clock,
    ) -> None:
        self.runner = runner
        self._fallback = fallback
        self._dead_letters = dead_letters
        self._count = count
        self._note = note
        self._clock = clock
        self._log = log.bind(sensorName=sensor, triggerName=runner.plan.name)

    async def carry_out(self, action: Action) -> bool:
        """Act; returns when the action succeeded (true) or its dead letter is stored (false)."""
        try:
            await self.runner.run(action)
            return True
        except ActionFailed as error:
            failure = error
        except Exception as error:  # noqa: BLE001  a bug must neither lose the event nor repeat it for ever
            self._log.exception("An action failed for an unexpected reason")
            failure = ActionFailed(f"unexpected {type(error).__name__}: {error}", 1, None)
        if self._fallback is not None:
            await self._fall_back(self._fallback, action)
        await self.keep(action, failure)
        return False

    async def _fall_back(self, fallback: ActionRunner, action: Action) -> None:
        """Run the ``dlqTrigger``; whatever comes of it, the action becomes a dead letter."""
        try:
            await fallback.run(action)
        except ActionFailed as error:
            self._log.error("failed to trigger dlqTrigger", error=str(error))
        except Exception:  # noqa: BLE001  a bug in it must not cost the dead letter
            self._log.exception("The dlqTrigger failed for an unexpected reason")

    async def keep(self, action: Action, failure: ActionFailed) -> None:
        """Store the dead letter of *action*."""
        letter = self.runner.dead_letter(action, failure)
        await insist(lambda: self._dead_letters.store(letter), self._clock)
        self._count.inc()
        self._note("dead-lettered", *action.event_ids, deadLetter=letter.id, error=letter.error)
        self._log.error(
            "An action failed for good and is kept as a dead letter",
            deadLetter=letter.id,
            attempts=letter.attempts,
            error=letter.error,
        )
