"""What became of each event, in words."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Literal

from tiphys.events import CloudEvent

Step = Literal["dropped", "filtered", "held", "acted", "failed", "forgotten"]


@dataclasses.dataclass(frozen=True)
class Verdict:
    """
    One thing that happened to an event.

    *number* counts the events of the run from 1.  *sensor* and *trigger* are empty for what its
    event source did.  *step*: ``dropped`` by the event source, ``filtered`` out for *dependency*,
    ``held`` until the condition is complete, ``acted``, ``failed`` to be turned into an action, or
    ``forgotten``: before this event the trigger forgot what it held.  *reason* says why.
    """

    number: int
    sensor: str
    trigger: str
    step: Step
    dependency: str = ""
    reason: str = ""

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
            case "held":
                return f"kept as {self.dependency}; {self.reason}"
            case "failed":
                return f"the action fails: {self.reason}"
            case "dropped" | "forgotten":
                return f"{self.step}: {self.reason}"
            case "acted":
                return "acted"


def trace(events: Sequence[CloudEvent], verdicts: Iterable[Verdict]) -> str:
    """Each event of a run with what became of it."""
    found = list(verdicts)
    lines = []
    for number, event in enumerate(events, 1):
        lines.append(f"{number}. {event.source}/{event.subject} at {event.time} (id {event.id})")
        mine = [verdict for verdict in found if verdict.number == number]
        for verdict in mine:
            lines.append(f"     {verdict.place or event.source}: {verdict.sentence}")
        if not mine:
            lines.append("     no sensor has a dependency on it")
    return "\n".join(lines)
