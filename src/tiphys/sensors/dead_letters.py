"""
Dead letters: actions that failed for good, kept until a person decides (design: delivery, rule 4).

The record holds what is needed to see what happened and to try again; the block of the trigger is
the manifest's, so it refers to Secrets and never holds their values.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import orjson

from tiphys.bus import Bus, Journal, Limits, Record
from tiphys.errors import EventTooLarge, ManifestError
from tiphys.events import CloudEvent, any_json, timestamp
from tiphys.languages import gjson

JOURNAL = "dead-letters"
LIMITS = Limits(age=90 * 86_400.0, size=4 * 1024**3)
NAMED = 5  # ids in the error about an id that could mean several letters


@dataclasses.dataclass(frozen=True)
class DeadLetter:
    """
    One action that failed for good.

    *id* is the action's id; *time* RFC 3339; *trigger_type* the manifest key; *block* what the
    trigger would have run with, parameters applied where that still worked; *refused* counts the
    outcomes that the trigger's policy refused.  *origins* are as in an
    :class:`~tiphys.sensors.actions.Action`.
    """

    id: str
    namespace: str
    sensor: str
    trigger: str
    trigger_type: str
    error: str
    attempts: int
    events: Mapping[str, CloudEvent]
    block: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    payload: str | None = None
    refused: int = 0
    origins: tuple[str, ...] = ()
    time: str = dataclasses.field(default_factory=timestamp)

    def summary(self) -> dict[str, Any]:
        """Everything but the events, as JSON data."""
        return {
            "id": self.id,
            "time": self.time,
            "namespace": self.namespace,
            "sensor": self.sensor,
            "trigger": self.trigger,
            "triggerType": self.trigger_type,
            "error": self.error,
            "attempts": self.attempts,
            "block": self.block,
            "payload": self.payload,
            "refused": self.refused,
            "origins": self.origins,
        }

    def encode(self) -> bytes:
        """JSON; the events as on the bus."""
        head = any_json(self.summary())
        events = b",".join(
            orjson.dumps(name) + b":" + event.encode() for name, event in self.events.items()
        )
        return head[:-1] + b',"events":{' + events + b"}}"

    @classmethod
    def decode(cls, body: bytes) -> DeadLetter:
        """Read what :meth:`encode` wrote."""
        members = orjson.loads(body)
        events = gjson.get(body, "events").raw
        return cls(
            id=members["id"],
            namespace=members["namespace"],
            sensor=members["sensor"],
            trigger=members["trigger"],
            trigger_type=members["triggerType"],
            error=members["error"],
            attempts=members["attempts"],
            block=members["block"],
            payload=members["payload"],
            refused=members.get("refused", 0),
            origins=tuple(members.get("origins", ())),
            time=members["time"],
            events={
                name: CloudEvent.decode(json.dumps(event).encode())
                for name, event in json.loads(events).items()
            },
        )


class DeadLetters:
    """
    The journal of dead letters, which has one letter of each id.

    The records lie under ``<sensor>.<trigger>.<id>``.  A crash may leave two of one id, of which
    the newest counts, until the letter is stored again or discarded.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    @classmethod
    async def open(cls, bus: Bus) -> DeadLetters:
        """The dead letters of *bus*.  Raises :exc:`BusError`."""
        return cls(await bus.journal(JOURNAL, LIMITS))

    @property
    def journal(self) -> Journal:
        """The records as they lie on the bus."""
        return self._journal

    async def find(
        self, matches: Callable[[DeadLetter], bool], *, since: datetime | None = None
    ) -> AsyncIterator[tuple[int, DeadLetter]]:
        """The letters that match, oldest first, each with its number in the journal."""
        async for record in self._journal.read(since=since):
            letter = DeadLetter.decode(record.body)
            if matches(letter):
                yield record.sequence, letter

    async def get(self, letter_id: str) -> tuple[int, DeadLetter] | None:
        """
        The letter with that id, or the only one whose id begins like that, and its number.

        Raises :exc:`ManifestError` when several begin like that.
        """
        found: dict[str, tuple[int, DeadLetter]] = {}
        async for entry in self.find(lambda letter: letter.id.startswith(letter_id)):
            found[entry[1].id] = entry
        if letter_id in found or len(found) < 2:
            return found.get(letter_id) or next(iter(found.values()), None)
        named = ", ".join(sorted(found)[:NAMED]) + (", ..." if len(found) > NAMED else "")
        raise ManifestError(
            f"{len(found)} dead letters begin with {letter_id!r}; write more of the id: {named}"
        )

    async def discard(self, sequence: int) -> None:
        """Remove a letter for good; does nothing when a newer one has taken its place."""
        record = await self._journal.get(sequence)
        if record is not None:
            await self._remove(await self._records(record.subject, _id_of(record)))

    async def store(self, letter: DeadLetter) -> None:
        """
        Keep *letter* in place of an older one of the same id; durable when this returns.

        The older one goes when the new one is stored.  Raises :exc:`BusError`.

        Of a letter that is bigger than the bus takes, first what was sent is left out, then the
        events, which are on the bus as long as it keeps them.
        """
        slim = dataclasses.replace(letter, block={}, payload=None)
        for kept in (letter, slim):
            with contextlib.suppress(EventTooLarge):
                await self._append(kept)
                return
        await self._append(dataclasses.replace(slim, events={}))

    async def _append(self, letter: DeadLetter) -> None:
        names = (letter.sensor, letter.trigger, letter.id)
        subject = ".".join(name.replace(".", "_") for name in names)
        # The time makes a later letter of the same id another one, and is the same when a call that
        # had no answer is made again.
        known_by = f"{letter.id}.{letter.time}"
        await self._journal.append(subject, letter.encode(), id=known_by)
        await self._remove((await self._records(subject, letter.id))[:-1])

    async def _records(self, subject: str, letter_id: str) -> list[Record]:
        """All records of a letter, oldest first."""
        return [r async for r in self._journal.read(subject) if _id_of(r) == letter_id]

    async def _remove(self, records: Iterable[Record]) -> None:
        for record in records:
            await self._journal.delete(record.sequence)


def _id_of(record: Record) -> str:
    letter_id: str = orjson.loads(record.body)["id"]
    return letter_id
