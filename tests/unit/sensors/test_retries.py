"""How often a failed action is tried, and how long it waits in between (spec: sensors 14.3)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.unit.sensors.conftest import NoSecrets, Recording, recorder
from tiphys.aio import stop
from tiphys.manifests.sensor import Trigger
from tiphys.observe.history import History
from tiphys.observe.metrics import Metrics
from tiphys.sensors.actions import Action, ActionFailed, ActionRunner
from tiphys.sensors.plan import plan_action
from tiphys.testing.clock import VirtualClock
from tiphys.triggers import Outcome, TriggerContext


class Attempts:
    """An action that is under way, in virtual time."""

    def __init__(self, clock: VirtualClock, task: asyncio.Task[Outcome]) -> None:
        self.clock = clock
        self.task = task

    async def at(self, seconds: float) -> bool:
        """Let time pass until so many seconds after the beginning; has the action ended then?"""
        await self.clock.advance(seconds - self.clock.monotonic())
        return self.task.done()


@contextlib.asynccontextmanager
async def acting(failures: int, strategy: dict[str, Any]) -> AsyncIterator[Attempts]:
    """An action whose first attempts fail."""
    clock, secrets, metrics = VirtualClock(), NoSecrets(), Metrics()
    manifest = recorder(block={"fail": failures}, retryStrategy=strategy, atLeastOnce=True)
    runner = ActionRunner(
        plan_action(Trigger.model_validate(manifest)),
        namespace="ns",
        sensor="sn",
        metrics=metrics,
        history=History(metrics),
        clock=clock,
    )
    async with contextlib.AsyncExitStack() as stack:
        await runner.start(
            TriggerContext(
                "ns", "sn", "t", secrets.secret, secrets.config_map, secrets.tls, stack, clock=clock
            )
        )
        task = asyncio.create_task(runner.run(Action("id", {})))
        yield Attempts(clock, task)
        await stop(task)


async def test_the_default_strategy_waits_a_second_or_two_after_each_failure(
    recording: Recording,
) -> None:
    async with acting(2, {}) as action:
        assert not await action.at(0.999)
        assert recording.attempts == 1
        assert not await action.at(1.999)
        assert await action.at(4.001)
        assert action.task.result().status == 200

    assert recording.attempts == 3


async def test_an_empty_strategy_means_five_attempts(recording: Recording) -> None:
    async with acting(9, {}) as action:
        assert await action.at(60)
        with pytest.raises(ActionFailed):
            action.task.result()

    assert recording.attempts == 5


async def test_an_action_that_always_fails_tells_its_attempts_and_the_cause(
    recording: Recording,
) -> None:
    async with acting(9, {"steps": 2}) as action:
        assert await action.at(60)
        with pytest.raises(ActionFailed, match="failure number 2") as failure:
            action.task.result()

    assert failure.value.attempts == recording.attempts == 2
