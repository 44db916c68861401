"""What became of each event, in words."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from tiphys.events import CloudEvent, parse_time, timestamp

Step = Literal[
    "dropped",
    "filtered",
    "held",
    "acted",
    "failed",
    "forgotten",
    "superseded",
    "disarmed",
    "expired",
    "batched",
]


@dataclasses.dataclass(frozen=True)
class Verdict:
    """
    One thing that happened to an event.

    *number* counts the events of the run from 1.  *sensor* and *trigger* are empty for what its
    event source did.  *step*: ``dropped``, ``filtered`` out for *dependency*, ``held`` until the
    condition is complete or flow control lets it pass, ``acted``, ``failed`` to be turned into an
    action, or ``forgotten``: before this event the trigger forgot what it held.  The others are
    those of flow control.  *reason* says why, *at* when.
    """

    number: int
    sensor: str
    trigger: str
    step: Step
    dependency: str = ""
    reason: str = ""
    at: datetime | None = None

    @property
    def place(self) -> str:
        """``sensor/trigger``; empty for the event source."""
        return f"{self.sensor}/{self.trigger}" if self.sensor else ""

    @property
    def sentence(self) -> str:
        """The verdict for people."""
        match self.step:
            case "filtered":
                return f"filtered out for {self.dependency}: {self.reason}"
            case "held" if self.dependency:
                return f"kept as {self.dependency}; {self.reason}"
            case "held":
                return f"kept; {self.reason}"
            case "failed":
                return f"the action fails: {self.reason}"
            case "acted":
                return "acted"
            case _:
                return f"{self.step}: {self.reason}"


def trace(events: Sequence[CloudEvent], verdicts: Iterable[Verdict]) -> str:
    """Each event of a run with what became of it."""
    found = list(verdicts)
    lines = []
    for number, event in enumerate(events, 1):
        lines.append(f"{number}. {event.source}/{event.subject} at {event.time} (id {event.id})")
        moment = parse_time(event.time)
        mine = [verdict for verdict in found if verdict.number == number]
        for verdict in mine:
            later = "" if verdict.at in (None, moment) else f" at {timestamp(verdict.at)}"
            place = verdict.place or event.source
            lines.append(f"     {place}: {verdict.sentence}{later}")
        if not mine:
            lines.append("     no sensor has a dependency on it")
    return "\n".join(lines)
