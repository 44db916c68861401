"""robfig/cron's parsers and schedules, and the previous time of Argo Events."""

from __future__ import annotations

import datetime
import zoneinfo
from typing import Any

from tiphys.languages import CompileError, cron, durations

ZERO = "0001-01-01T00:00:00Z"


def judge(case: dict[str, Any]) -> str | None:
    question, expected = case["in"], case["go"]
    name = question.get("tz") or "UTC"
    zone = zoneinfo.ZoneInfo(name)
    start = datetime.datetime.fromisoformat(question["from"]).astimezone(zone)
    if "interval" in question:
        schedule: cron.Schedule = cron.Interval(durations.parse(question["interval"]))
        answer: Any = _text(schedule.next(start))
        return None if answer == expected["next"] else f"{answer}"
    try:
        parser = question.get("parser")
        schedule = cron.parse(
            question["spec"], descriptors=parser is not None, seconds=parser == "seconds"
        )
    except CompileError as error:
        return None if "err" in expected else f"error: {error}"
    if question.get("prev"):
        previous = schedule.previous(start)
        if previous is None:
            return None if "err" in expected else "no previous time"
        return None if _text(previous) == expected.get("prev") else _text(previous)
    answer = _following(schedule, start, question["n"])
    return None if answer == expected.get("next") else f"{answer}"


def _following(schedule: cron.Schedule, start: datetime.datetime, count: int) -> list[str]:
    times: list[str] = []
    moment: datetime.datetime | None = start
    while moment is not None and len(times) < count:
        moment = schedule.next(moment)
        times.append(_text(moment))
    return times


def _text(moment: datetime.datetime | None) -> str:
    if moment is None:
        return ZERO
    text = moment.isoformat().replace("+00:00", "Z")
    if moment.microsecond:
        whole, _, rest = text.partition(".")
        text = f"{whole}.{rest[:6].rstrip('0')}{rest[6:]}"
    return text
