"""The events that a bus keeps: those of a source and name, those to come, and one by its id."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Collection, Iterable
from datetime import datetime

import orjson

from tiphys.aio import stop
from tiphys.bus import Bus, Record
from tiphys.errors import BusError, EventDecodeError, ManifestError, TiphysError
from tiphys.events import CloudEvent

ANY = "*"
AHEAD = 100  # events that wait for who follows
NAMED = 5  # ids that are named when a beginning fits several


@dataclasses.dataclass(frozen=True)
class Wanted:
    """Events of one source and name; :data:`ANY` or no text stands for any."""

    event_source: str = ANY
    event_name: str = ANY

    @property
    def subject(self) -> str:
        """What the bus is asked for: all that is wanted, and no more than it can tell apart."""
        return f"default.{_token(self.event_source)}.{_token(self.event_name)}"

    def event(self, record: Record) -> CloudEvent | None:
        """The event of *record*, if it can be read and is wanted."""
        try:
            event = CloudEvent.decode(record.body)
        except EventDecodeError:
            return None
        fits = _fits(self.event_source, event.source) and _fits(self.event_name, event.subject)
        return event if fits else None


async def read(
    bus: Bus, wanted: Wanted, *, since: datetime | None = None, until: datetime | None = None
) -> AsyncIterator[tuple[datetime, CloudEvent]]:
    """The events that are wanted, oldest first, each after the moment at which it was stored."""
    async for record in bus.events().read(wanted.subject, since=since, until=until):
        if (event := wanted.event(record)) is not None:
            yield record.stored, event


async def follow(buses: Iterable[Bus], wanted: Wanted) -> AsyncIterator[CloudEvent]:
    """The events that come from now on, until cancelled.  Raises :exc:`BusError`."""
    coming: asyncio.Queue[CloudEvent | BusError] = asyncio.Queue(AHEAD)
    following = [asyncio.create_task(_forward(bus, wanted, coming)) for bus in buses]
    try:
        while True:
            event = await coming.get()
            if isinstance(event, BusError):
                raise event
            yield event
    finally:
        await stop(*following)


async def _forward(bus: Bus, wanted: Wanted, coming: asyncio.Queue[CloudEvent | BusError]) -> None:
    try:
        async for record in bus.events().follow(wanted.subject):
            if (event := wanted.event(record)) is not None:
                await coming.put(event)
    except BusError as error:
        await coming.put(error)


async def find(buses: Iterable[Bus], event_id: str) -> CloudEvent:
    """
    The event with that id, or the only one whose id begins like that.

    Raises :exc:`ManifestError` when there is none, :exc:`TiphysError` when there are several.
    """
    if not event_id:  # every id begins like that
        raise ManifestError("the id of the event is empty")
    everything = Wanted()
    text = orjson.dumps(event_id)[1:-1]
    found: dict[str, CloudEvent] = {}
    for bus in buses:
        async for record in bus.events().read(everything.subject):
            # Looking for the bytes is far cheaper than decoding.
            event = everything.event(record) if text in record.body else None
            if event is None or not event.id.startswith(event_id):
                continue
            if event.id == event_id:
                return event
            found.setdefault(event.id, event)
    if not found:
        raise ManifestError(f"there is no event {event_id!r} in the archive")
    return found[only(event_id, found)]


def only(beginning: str, ids: Collection[str]) -> str:
    """
    Which of *ids*, all with that *beginning*, is meant: the one that is no longer, or the only one.

    Raises :exc:`TiphysError` for several.
    """
    if beginning in ids:
        return beginning
    if len(ids) == 1:
        return next(iter(ids))
    named = ", ".join(sorted(ids)[:NAMED])
    more = f" and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
    raise TiphysError(f"the ids of several events begin with {beginning!r}: {named}{more}")


def _fits(wanted: str, name: str) -> bool:
    return wanted in ("", ANY, name)


def _token(name: str) -> str:
    # A dot divides a subject, so a name with one can only be compared with that of the event.
    return ANY if not name or name == ">" or "." in name else name
