"""Flow control of triggers and dependencies; Argo Events has none of it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Literal

from pydantic import Field

from tiphys.languages import LanguageError, durations
from tiphys.manifests.common import Block, Span

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MOST_THROTTLED = 1000  # actions in one period, because each is remembered
_TIME = re.compile(r"([0-9]{1,2}):([0-5][0-9])(?::([0-5][0-9]))?")


class Debounce(Block):
    """Acts once for a burst of events."""

    period: Span = Field(0.0, description="Quiet time that ends a burst, such as `30s`.")
    key: str = Field("", description="Path into the event's data; each value has its own bursts.")
    leading: bool = Field(
        False, description="Act at once on the first event of a burst instead of on its last."
    )


class Batch(Block):
    """Acts once for several events."""

    count: int = Field(0, description="Events that make a batch full.")
    period: Span = Field(
        0.0, description="Time after the first event at which a batch is complete though not full."
    )
    key: str = Field("", description="Path into the event's data; each value has its own batches.")


class Throttle(Block):
    """Lets so many actions begin in any span of time of a given length."""

    count: int = Field(1, description="Actions in one period.")
    period: Span = Field(0.0, description="Length of the period, such as `1m`.")
    key: str = Field("", description="Path into the event's data; each value counts for itself.")
    strategy: Literal["drop", "latest"] = Field(
        "drop",
        description="What becomes of further events: `drop` them, or keep the `latest` and act on "
        "it as soon as the period allows.",
    )


class BlackoutWindow(Block):
    """A span of time in which no action begins: `start` and `stop`, or `cron` and `duration`."""

    start: str = Field("", description="Time of day at which it begins, `HH:MM` or `HH:MM:SS`.")
    stop: str = Field(
        "", description="Time of day at which it ends; on the next day when not after `start`."
    )
    timezone: str = Field("", description="IANA zone; UTC when empty.")
    days: list[Day] = Field([], description="Days on which it begins; every day when empty.")
    cron: str = Field("", description="Cron expression of the times at which it begins.")
    duration: Span = Field(0.0, description="How long it lasts after each time of `cron`.")


class ConditionsJoin(Block):
    """Which events of a condition belong together."""

    key: str | dict[str, str] = Field(
        "",
        description="Path into the events' data, one for all dependencies or one for each by name; "
        "only events with the same value are joined.",
    )
    window: Span = Field(
        0.0, description="Greatest distance in time of two events that are joined."
    )


class Absence(Block):
    """Acts when an event does not come."""

    after: Span = Field(0.0, description="How long the event is waited for, such as `10m`.")
    dependency: str = Field(
        "",
        description="The dependency whose event is waited for; when empty, the next event of the "
        "condition itself.",
    )


class Dedupe(Block):
    """Drops events that came already."""

    key: str = Field("", description="Path into the event's data of what makes it unique.")
    window: Span = Field(
        0.0, description="For how long after an event further ones with the same key are dropped."
    )


def start_moment(text: str, now: datetime) -> datetime | None:
    """
    The moment that a `startFrom` means; None for events from now on.

    Raises :exc:`ValueError`.
    """
    if text in ("", "new"):
        return None
    if text == "all":
        return datetime.fromtimestamp(0, UTC)
    try:
        ago = durations.parse(text)
    except LanguageError:
        pass
    else:
        if ago <= 0:
            raise ValueError(f"`{text}` is not in the past")
        return now - timedelta(microseconds=ago // 1000)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"`{text}` is neither `new`, `all`, an RFC 3339 time, nor a duration such as `24h`"
        ) from None
    if moment.tzinfo is None:
        raise ValueError(f"the time `{text}` has no zone; write `{moment.isoformat()}Z` for UTC")
    return moment


def time_of_day(text: str) -> timedelta:
    """
    Time since midnight of a text such as `09:30`, `09:30:15` or `24:00`.

    Raises :exc:`ValueError`.
    """
    found = _TIME.fullmatch(text)
    if found is not None:
        hours, minutes, seconds = (int(part or 0) for part in found.groups())
        if hours < 24 or (hours, minutes, seconds) == (24, 0, 0):
            return timedelta(hours=hours, minutes=minutes, seconds=seconds)
    raise ValueError(f"`{text}` is no time of day such as `09:30` or `09:30:15`")
