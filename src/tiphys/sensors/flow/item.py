"""An action on its way through flow control, and its form in the bucket."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from tiphys.errors import EventDecodeError
from tiphys.events import CloudEvent
from tiphys.languages import gjson
from tiphys.observe.history import Step
from tiphys.sensors.flow.memory import Mark
from tiphys.sensors.state import microseconds, moment_of


@dataclasses.dataclass(frozen=True, slots=True)
class Item:
    """
    A decided action.

    *id* is the same whenever its message comes again.  *moment* is when the bus stored the event
    that decided it and *sequence* that event's number in the stream.  *keys* are the keys of
    mechanisms by their names, *stage* the mechanism at which it waits.  An item that takes the
    place of others names them in *members*, and their events in *origins*.
    """

    id: str
    moment: datetime
    sequence: int
    events: Mapping[str, CloudEvent]
    keys: Mapping[str, str] = dataclasses.field(default_factory=dict)
    stage: str = ""
    members: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()

    @property
    def order(self) -> tuple[datetime, int, str]:
        """Compares as the events do in the stream."""
        return self.moment, self.sequence, self.id

    @property
    def mark(self) -> Mark:
        """The same, for memories."""
        return microseconds(self.moment), self.sequence, self.id

    @property
    def event_ids(self) -> tuple[str, ...]:
        """The ids of the events on the bus that the action stands for."""
        return self.origins or tuple(event.id for event in self.events.values())

    def encode(self) -> bytes:
        """JSON; the events as on the bus."""
        head = orjson.dumps(
            {
                "id": self.id,
                "moment": microseconds(self.moment),
                "sequence": self.sequence,
                "keys": self.keys,
                "stage": self.stage,
                "members": self.members,
                "origins": self.origins,
                "names": list(self.events),
            }
        )
        events = b",".join(event.encode() for event in self.events.values())
        return b"".join((head[:-1], b',"events":[', events, b"]}"))

    @classmethod
    def decode(cls, body: bytes) -> Item | None:
        """Read what :meth:`encode` wrote; None for anything else."""
        try:
            members = orjson.loads(body)
            document = gjson.Document(body)
            return cls(
                id=members["id"],
                moment=moment_of(members["moment"]),
                sequence=members["sequence"],
                keys=members["keys"],
                stage=members["stage"],
                members=tuple(members["members"]),
                origins=tuple(members["origins"]),
                events={
                    name: CloudEvent.decode(_element(document, number))
                    for number, name in enumerate(members["names"])
                },
            )
        except (orjson.JSONDecodeError, EventDecodeError, KeyError, TypeError, ValueError):
            return None


def _element(document: gjson.Document, number: int) -> bytes:
    return gjson.compile(f"events.{number}").get(document).raw.encode()


@dataclasses.dataclass(frozen=True, slots=True)
class Dropped:
    """An item that will not act: the step for the history, and why."""

    item: Item
    step: Step
    details: Mapping[str, Any]


@dataclasses.dataclass(slots=True)
class Effects:
    """What a mechanism answers: items that go on, and items that end here; all others wait."""

    passed: list[Item] = dataclasses.field(default_factory=list)
    dropped: list[Dropped] = dataclasses.field(default_factory=list)

    def drop(self, item: Item, step: Step, **details: Any) -> None:
        """Let *item* end."""
        self.dropped.append(Dropped(item, step, details))

    def supersede(self, item: Item, by: str) -> None:
        """Let *item* end because of something newer, or earlier in its burst."""
        self.drop(item, "superseded", by=by, reason=f"by {by}")
