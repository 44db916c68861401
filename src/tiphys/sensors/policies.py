"""What makes an executed action a success (spec: triggers 2)."""

from __future__ import annotations

from typing import Any

from tiphys.aio import Backoff, Clock
from tiphys.errors import PolicyError
from tiphys.manifests.sensor import LabelPolicy, Policy, StatusPolicy
from tiphys.sensors.plan import backoff
from tiphys.triggers import Outcome, Trigger


async def judge(
    policy: Policy | None, trigger: Trigger[Any], outcome: Outcome, clock: Clock
) -> None:
    """
    Apply the policy of a trigger to an outcome of it.

    A part that does not fit the kind of trigger is without effect.  Raises :exc:`PolicyError`,
    and what :meth:`Trigger.observe` raises.
    """
    if policy is None:
        return
    if policy.status is not None and policy.status.allow and trigger.has_status:
        _judge_status(policy.status, outcome)
    if policy.k8s is not None and policy.k8s.labels and trigger.fetches_objects:
        await _judge_labels(policy.k8s, trigger, outcome, clock)


def _judge_status(policy: StatusPolicy, outcome: Outcome) -> None:
    if outcome.status is not None and outcome.status not in policy.allow:
        raise PolicyError(
            "policy application resulted in failure. "
            f"http response status {outcome.status} is not allowed",
            retry_after=outcome.retry_after,
        )


async def _judge_labels(
    policy: LabelPolicy, trigger: Trigger[Any], outcome: Outcome, clock: Clock
) -> None:
    """Look at the object until it has all labels, as often as the backoff has steps."""
    pauses = (Backoff() if policy.backoff is None else backoff(policy.backoff)).pauses()
    while True:
        observed = await trigger.observe(outcome)
        if observed is None:
            raise PolicyError("failed to interpret the trigger resource", retryable=False)
        labels = observed.get("metadata", {}).get("labels") or {}
        if policy.labels.items() <= labels.items():
            return
        pause = next(pauses, None)
        if pause is None:
            break
        await clock.sleep(pause)
    if policy.error_on_backoff_timeout:
        raise PolicyError(
            "failed to determine status of the triggered resource. setting trigger state as failed"
        )
