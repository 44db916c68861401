"""What makes an executed action a success."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from tests.unit.sensors.conftest import Recording, Sensors, dependency, recorder, until
from tiphys.errors import PolicyError, TriggerError
from tiphys.manifests.sensor import Policy
from tiphys.sensors.policies import judge
from tiphys.testing.clock import VirtualClock
from tiphys.triggers import Outcome, Trigger, triggers

LABELS = {"labels": {"state": "done", "by": "me"}}
DONE = {"metadata": {"labels": {"state": "done", "by": "me", "more": "x"}}}
OPEN = {"metadata": {"labels": {"state": "done", "by": "you"}}}


def observing(*states: Any) -> Trigger[Any]:
    """A k8s trigger whose object goes through *states*, of which the last one stays."""
    trigger = triggers.get("k8s")()
    left = list(states)

    async def observe(_outcome: Outcome) -> Any:
        state = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(state, Exception):
            raise state
        return state

    monkeypatched: Any = trigger
    monkeypatched.observe = observe
    return trigger


async def judged(policy: dict[str, Any], states: Iterable[Any], outcome: Outcome) -> float:
    """Judge while time is virtual; returns the seconds that it took."""
    clock = VirtualClock()
    before = clock.now()
    judging = asyncio.create_task(
        judge(Policy.model_validate(policy), observing(*states), outcome, clock)
    )
    while not judging.done():
        await asyncio.sleep(0)
        await clock.advance(1)
    judging.result()
    return (clock.now() - before).total_seconds()


async def test_labels_that_are_there_are_a_success_at_once() -> None:
    assert await judged({"k8s": LABELS}, [DONE], Outcome(resource=DONE)) <= 1


async def test_labels_are_waited_for() -> None:
    backoff = {"duration": "10s", "jitter": 0.0}

    took = await judged(
        {"k8s": {**LABELS, "backoff": backoff}}, [OPEN, OPEN, DONE], Outcome(resource=OPEN)
    )

    assert took >= 20


@pytest.mark.parametrize("labels", [None, {}, {"state": "done"}])
async def test_labels_that_never_come_are_a_failure_only_where_the_policy_says_so(
    labels: Any,
) -> None:
    state = {"metadata": {"labels": labels}}
    policy = {**LABELS, "backoff": {"steps": 2, "jitter": 0.0}}
    await judged({"k8s": policy}, [state], Outcome(resource=state))

    with pytest.raises(PolicyError, match="failed to determine status of the triggered") as caught:
        await judged(
            {"k8s": {**policy, "errorOnBackoffTimeout": True}}, [state], Outcome(resource=state)
        )

    assert caught.value.retryable


async def test_the_schedule_has_as_many_looks_as_steps() -> None:
    policy = {**LABELS, "backoff": {"steps": 2}, "errorOnBackoffTimeout": True}

    with pytest.raises(PolicyError):
        await judged({"k8s": policy}, [OPEN, OPEN, DONE], Outcome(resource=OPEN))


async def test_an_object_that_is_gone_fails_at_once() -> None:
    with pytest.raises(TriggerError, match="not found"):
        await judged({"k8s": LABELS}, [TriggerError("not found")], Outcome(resource=OPEN))


async def test_a_label_policy_without_an_object_is_a_failure() -> None:
    with pytest.raises(PolicyError, match="failed to interpret the trigger resource"):
        await judged({"k8s": LABELS}, [None], Outcome())


async def test_a_label_policy_has_no_effect_on_triggers_without_objects() -> None:
    policy = Policy.model_validate({"k8s": LABELS})

    await judge(policy, triggers.get("http")(), Outcome(status=200), VirtualClock())


@pytest.mark.parametrize("status", [None, 200, 201])
async def test_a_status_that_is_allowed_or_absent_is_a_success(status: int | None) -> None:
    policy = Policy.model_validate({"status": {"allow": [200, 201]}})

    await judge(policy, triggers.get("http")(), Outcome(status=status), VirtualClock())


@pytest.mark.parametrize("key", ["http", "awsLambda", "openWhisk"])
async def test_a_status_that_is_not_allowed_is_a_failure(key: str) -> None:
    policy = Policy.model_validate({"status": {"allow": [200]}})

    with pytest.raises(PolicyError, match="http response status 500 is not allowed"):
        await judge(policy, triggers.get(key)(), Outcome(status=500), VirtualClock())


@pytest.mark.parametrize("key", ["slack", "exec", "python"])
async def test_a_status_policy_has_no_effect_on_other_triggers_that_tell_a_status(key: str) -> None:
    policy = Policy.model_validate({"status": {"allow": [201]}})

    await judge(policy, triggers.get(key)(), Outcome(status=200), VirtualClock())


async def test_an_attempt_knows_how_many_outcomes_the_policy_has_refused(
    sensors: Sensors, recording: Recording
) -> None:
    trigger = recorder(
        block={"status": 500},
        policy={"status": {"allow": [200]}},
        retryStrategy={"steps": 3, "duration": "1ms"},
    )
    async with sensors.running({"dependencies": [dependency("a")], "triggers": [trigger]}):
        await sensors.publish("a", {"n": 1})
        await recording.wait(3)
        await until(lambda: sensors.bus.unsettled("sn", "t", "a") == 0)

    assert [firing.refused for firing in recording.firings] == [0, 1, 2]
    (letter,) = await sensors.dead_letters()
    assert letter["refused"] == 3  # so that trying it again makes something new
