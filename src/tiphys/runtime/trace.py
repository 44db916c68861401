"""What happened to events: time lines and lists, from the history and the archive."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

from tiphys.bus import Limits, Record
from tiphys.errors import EventDecodeError, ManifestError
from tiphys.events import CloudEvent
from tiphys.observe.history import JOURNAL, SUBJECT, Step, decode
from tiphys.observe.history import Record as HistoryRecord
from tiphys.runtime.buses import OpenBus
from tiphys.runtime.standalone import Standalone

# The step that says most about an event, first.
WEIGHT: list[Step] = [
    *("dead-lettered", "attempt failed", "succeeded"),
    *("superseded", "disarmed", "expired", "batched", "held", "filtered"),
]
WORDS: dict[Step | None, str] = {
    "dead-lettered": "dead-lettered",
    "attempt failed": "failing",
    "succeeded": "acted on",
    "superseded": "set aside",
    "disarmed": "set aside",
    "expired": "set aside",
    "batched": "waiting",
    "held": "waiting",
    "filtered": "filtered",
    None: "pending",
}
BEFORE = timedelta(seconds=5)  # a history record may be older than its message by that much


@dataclasses.dataclass(frozen=True)
class Listed:
    """An event in a list."""

    id: str
    time: str
    event_source: str
    event_name: str
    size: int
    status: str


async def trace(instance: Standalone, event_id: str) -> list[HistoryRecord]:
    """
    All steps of the event with that id, or whose id begins like that, in order of time.

    Raises :exc:`ManifestError` when nothing is known of it.
    """
    records: list[HistoryRecord] = []
    for opened in list(instance.buses.values()):
        await _flushed(opened)
        journal = await opened.bus.journal(JOURNAL, Limits())
        async for message in journal.read():
            records += decode(message.body, event_id)
    if not records:
        raise ManifestError(
            f"nothing is known of event {event_id!r}: no history of the last days names it"
        )
    return sorted(records, key=lambda record: record.time)


async def events(
    instance: Standalone,
    *,
    event_source: str = "*",
    event_name: str = "*",
    since: datetime,
    status: str = "",
) -> list[Listed]:
    """The events on all buses since a moment, oldest first, with what became of them."""
    listed = []
    for opened in list(instance.buses.values()):
        steps = await _steps(opened, since)
        subject = f"default.{event_source or '*'}.{event_name or '*'}"
        async for record in opened.bus.events().read(subject, since=since):
            event = _decoded(record)
            if event is None:
                continue
            seen = steps.get(event.id, set())
            word = WORDS[next((step for step in WEIGHT if step in seen), None)]
            if status in ("", word):
                size = len(event.data or b"")
                listed.append(Listed(event.id, event.time, event.source, event.subject, size, word))
    return listed


async def archived(
    instance: Standalone, event_source: str, event_name: str, since: datetime
) -> AsyncIterator[CloudEvent]:
    """The events themselves, on all buses since a moment, oldest first on each."""
    subject = f"default.{event_source or '*'}.{event_name or '*'}"
    for opened in list(instance.buses.values()):
        async for record in opened.bus.events().read(subject, since=since):
            if (event := _decoded(record)) is not None:
                yield event


async def follow(
    instance: Standalone, event_source: str = "*", event_name: str = "*"
) -> AsyncIterator[CloudEvent]:
    """The events that come from now on, on the first bus, until cancelled."""
    opened = next(iter(instance.buses.values()), None)
    if opened is None:
        raise ManifestError("there is no bus in use")
    subject = f"default.{event_source or '*'}.{event_name or '*'}"
    async for record in opened.bus.events().follow(subject):
        if (event := _decoded(record)) is not None:
            yield event


async def find(instance: Standalone, event_id: str) -> CloudEvent:
    """
    The archived event with that id, or whose id begins like that.

    Raises :exc:`ManifestError` when there is none.
    """
    for opened in list(instance.buses.values()):
        async for record in opened.bus.events().read("default.*.*"):
            if event_id.encode() in record.body:
                event = _decoded(record)
                if event is not None and event.id.startswith(event_id):
                    return event
    raise ManifestError(f"there is no event {event_id!r} in the archive")


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


def now() -> datetime:
    """This moment."""
    return datetime.now(UTC)


async def _steps(opened: OpenBus, since: datetime) -> dict[str, set[Step]]:
    """The steps of each event since a moment."""
    await _flushed(opened)
    journal = await opened.bus.journal(JOURNAL, Limits())
    steps: dict[str, set[Step]] = {}
    async for message in journal.read(since=since - BEFORE):
        for record in decode(message.body):
            for event in record.events:
                steps.setdefault(event, set()).add(record.step)
    return steps


async def _flushed(opened: OpenBus) -> None:
    """Write what the history has collected, so that it can be read at once."""
    journal = await opened.bus.journal(JOURNAL, Limits())
    await opened.history.flush(lambda body: journal.append(SUBJECT, body))


def _decoded(record: Record) -> CloudEvent | None:
    try:
        return CloudEvent.decode(record.body)
    except EventDecodeError:
        return None
