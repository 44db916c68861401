"""What happened to events: time lines and lists, from the history and the archive."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from tiphys.bus import Limits
from tiphys.errors import ManifestError
from tiphys.events import CloudEvent
from tiphys.observe.history import JOURNAL, SUBJECT, decode
from tiphys.observe.history import Record as HistoryRecord
from tiphys.runtime import archive
from tiphys.runtime.archive import Wanted
from tiphys.runtime.buses import OpenBus

STATUSES = (
    *("dead-lettered", "failing", "acted on"),
    *("waiting", "set aside", "filtered", "pending"),
)
"""What may have become of an event; what says most about it comes first."""
WORDS = {
    "dead-lettered": "dead-lettered",
    "attempt failed": "failing",
    "succeeded": "acted on",
    "batched": "waiting",
    "held": "waiting",
    "superseded": "set aside",
    "disarmed": "set aside",
    "expired": "set aside",
    "forgotten": "set aside",
    "dropped": "set aside",
    "duplicate": "set aside",
    "filtered": "filtered",
}
BEFORE = timedelta(seconds=5)  # a history record may be older than its message by that much
_FIRST = datetime.min.replace(tzinfo=UTC) + BEFORE


@dataclasses.dataclass(frozen=True)
class Listed:
    """An event in a list."""

    id: str
    time: str
    event_source: str
    event_name: str
    size: int
    status: str


async def trace(buses: Iterable[OpenBus], event_id: str) -> list[HistoryRecord]:
    """
    All steps of the event with that id, or the only one whose id begins like that, in time order.

    Raises :exc:`ManifestError` when nothing is known of it, and :exc:`TiphysError` when the ids of
    several events begin like that.
    """
    if not event_id:  # every id begins like that
        raise ManifestError("the id of the event is empty")
    records: list[HistoryRecord] = []
    for opened in buses:
        await _flushed(opened)
        journal = await opened.bus.journal(JOURNAL, Limits())
        async for message in journal.read():
            records += decode(message.body, event_id)
    ids = {each for record in records for each in record.events if each.startswith(event_id)}
    if not ids:
        raise ManifestError(
            f"nothing is known of event {event_id!r}: no history of the last days names it"
        )
    meant = archive.only(event_id, ids)
    return sorted((r for r in records if meant in r.events), key=lambda record: record.time)


async def events(
    buses: Iterable[OpenBus], wanted: Wanted, *, since: datetime, status: str = "", limit: int
) -> list[Listed]:
    """The newest *limit* events since a moment, oldest first, and what became of them."""
    listed: list[tuple[datetime, Listed]] = []
    for opened in buses:
        # Without a status to look for, the history of older events does not matter.
        courses = await _courses(opened, since) if status else None
        newest: deque[tuple[datetime, CloudEvent]] = deque(maxlen=limit)
        async for stored, event in archive.read(opened.bus, wanted, since=since):
            if courses is None or courses.status(event.id) == status:
                newest.append((stored, event))
        if not newest:
            continue
        if courses is None:
            courses = await _courses(opened, newest[0][0])
        listed += [(stored, _listed(event, courses)) for stored, event in newest]
    listed.sort(key=lambda entry: entry[0])
    return [entry for _, entry in listed[-limit:]]


def _listed(event: CloudEvent, courses: Courses) -> Listed:
    size, status = len(event.data or b""), courses.status(event.id)
    return Listed(event.id, event.time, event.source, event.subject, size, status)


async def archived(
    buses: Iterable[OpenBus], wanted: Wanted, since: datetime
) -> AsyncIterator[CloudEvent]:
    """The events themselves, on *buses* since a moment, oldest first on each."""
    for opened in buses:
        async for _, event in archive.read(opened.bus, wanted, since=since):
            yield event


def as_json(record: HistoryRecord) -> dict[str, Any]:
    """A record as JSON data."""
    return {
        "time": record.moment.isoformat().replace("+00:00", "Z"),
        "step": record.step,
        "events": list(record.events),
        "owner": record.owner,
        "part": record.part,
        **record.details,
    }


class Courses:
    """What became of events, step by step."""

    def __init__(self) -> None:
        # By the action's id, which its repetitions share: that of a dead letter made of several
        # events does not name them.
        self._actions: dict[str, str] = {}
        self._of: dict[str, _Course] = {}

    def status(self, event_id: str) -> str:
        """Of all that became of an event, in each trigger at last, what says most."""
        course = self._of.get(event_id)
        if course is None:
            return "pending"
        words = {*course.decided.values(), *(self._actions[action] for action in course.actions)}
        return next((word for word in STATUSES if word in words), "pending")

    def step(self, record: HistoryRecord) -> None:
        """One more step."""
        word = WORDS.get(record.step)
        if word is None:
            return
        courses = [self._of.setdefault(event, _Course()) for event in record.events]
        action = record.details.get("action") or record.details.get("deadLetter")
        if action is None:
            for course in courses:
                course.decide(record, word)
            return
        # An attempt at a dead letter that fails, too, leaves it where it is.
        if (self._actions.get(action), word) != ("dead-lettered", "failing"):
            self._actions[action] = word
        for course in courses:
            course.actions.add(action)
            course.waits_no_longer(record)


class _Course:
    """What was decided about one event: by sensor, trigger and dependency; and its actions."""

    def __init__(self) -> None:
        self.actions: set[str] = set()
        self.decided: dict[tuple[str, str, str], str] = {}

    def decide(self, record: HistoryRecord, word: str) -> None:
        """A step other than one of an action."""
        dependency = record.details.get("dependency", "")
        if not dependency:
            if record.step == "duplicate" and (self.actions or self.decided):
                return  # the message came again: nothing new
            self.waits_no_longer(record)
        self.decided[record.owner, record.part, dependency] = word

    def waits_no_longer(self, record: HistoryRecord) -> None:
        """What held the event in that trigger has let it go."""
        for place, word in list(self.decided.items()):
            if word == "waiting" and place[:2] == (record.owner, record.part):
                del self.decided[place]


async def _courses(opened: OpenBus, since: datetime) -> Courses:
    """The courses of events since a moment."""
    await _flushed(opened)
    journal = await opened.bus.journal(JOURNAL, Limits())
    courses = Courses()
    async for message in journal.read(since=max(since, _FIRST) - BEFORE):
        for record in decode(message.body):
            courses.step(record)
    return courses


async def _flushed(opened: OpenBus) -> None:
    """Write what the history has collected, so that it can be read at once."""
    journal = await opened.bus.journal(JOURNAL, Limits())
    await opened.history.flush(lambda body: journal.append(SUBJECT, body))
