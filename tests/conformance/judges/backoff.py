"""The back-off object of ``retryStrategy``."""

from __future__ import annotations

import itertools
from typing import Any

from pydantic import ValidationError

from tiphys.manifests.common import BackoffBlock
from tiphys.sensors.plan import backoff


def judge(case: dict[str, Any]) -> str | None:
    """Compare settings and the waits before jitter."""
    answer = case["go"]
    try:
        plan = backoff(BackoffBlock.model_validate(case["in"]["backoff"]))
    except ValidationError as error:
        return None if "err" in answer else f"unexpected error: {error}"
    if "err" in answer:
        return f"no error, but {answer['err']!r} was expected"
    without_jitter = type(plan)(plan.duration, plan.factor, 0.0, plan.steps)
    sleeps = [str(round(p * 1e9)) for p in itertools.islice(without_jitter.pauses(), 12)]
    found = (str(round(plan.duration * 1e9)), plan.factor, plan.jitter, plan.steps, sleeps)
    wanted = (
        answer["duration_ns"],
        answer["factor"],
        answer["jitter"],
        answer["steps"],
        answer["sleeps_ns"] or [],
    )
    return None if found == wanted else f"{found} instead of {wanted}"
