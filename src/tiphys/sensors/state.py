"""
What a trigger remembers while its condition waits for more events.

Held events lie in the sensor's bucket under the keys of Argo Events (spec: control plane 8.2.4), so
that either can take over from the other.  Beside them lies what makes a firing happen exactly once
per message although the keys cannot be written in one step:

* ``<trigger>/=through``: for each dependency, number and time of the last message whose event was
  used up.  Writing it is the moment at which a firing is decided.
* ``<trigger>/=firing/<message>.<dependency>``: the events of a firing that is not done yet.  It is
  written before the decision and removed after the action.

When no message of a dependency comes again, or all do, :func:`forget_used` removes both.

A message that comes again is thus recognised: its firing is pending (do it), or is done (settle).
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta

import orjson

from tiphys.bus import Entry, State
from tiphys.errors import EventDecodeError
from tiphys.events import CloudEvent, parse_time, timestamp
from tiphys.languages import gjson

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(moment: datetime) -> int:
    """*moment* as microseconds since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment_of(microseconds: int) -> datetime:
    """The reverse of :func:`microseconds`."""
    return _EPOCH + timedelta(microseconds=microseconds)


@dataclasses.dataclass(frozen=True, slots=True)
class Position:
    """
    Where a message stands in the stream.

    Both parts count: numbers start anew when a stream is made anew, and clocks may go back.
    """

    sequence: int
    published: datetime

    @property
    def name(self) -> str:
        """A text that names the message and no other one, whenever it comes."""
        return f"{self.sequence}.{microseconds(self.published)}"

    def is_after(self, other: Position | None) -> bool:
        """Whether this message certainly is no repetition of *other* or of an older one."""
        if other is None:
            return True
        return self.sequence > other.sequence or self.published > other.published


@dataclasses.dataclass(frozen=True, slots=True)
class Held:
    """An event that waits, and the position of its message."""

    event: CloudEvent
    position: Position


@dataclasses.dataclass(frozen=True, slots=True)
class Memory:
    """
    A trigger's memory at one moment.

    *held* are the waiting events, *through* the positions of the last used-up messages, both by
    dependency; *revision* is that of *through*.
    """

    held: Mapping[str, Held]
    through: Mapping[str, Position]
    revision: int


class ConditionState:
    """The memory of one trigger.  All methods raise :exc:`BusError`."""

    def __init__(self, state: State, trigger: str, dependencies: Iterable[str]) -> None:
        self._state = state
        self._trigger = trigger
        self._dependencies = list(dependencies)

    async def read(self) -> Memory:
        """Everything that is remembered."""
        through, *entries = await asyncio.gather(
            self._state.get(self._key("=through")),
            *(self._state.get(self._key(name)) for name in self._dependencies),
        )
        used = {} if through is None else _positions(through.value)
        held = {}
        for name, entry in zip(self._dependencies, entries, strict=True):
            found = None if entry is None else _held(entry)
            if found is not None and found.position.is_after(used.get(name)):
                held[name] = found
        return Memory(held, used, 0 if through is None else through.revision)

    async def hold(self, dependency: str, held: Held) -> None:
        """Keep an event, in place of an older one of the same dependency."""
        body = b"".join(
            [
                b'{"StreamSeq":%d,"ConsumerSeq":0,"Timestamp":' % held.position.sequence,
                orjson.dumps(timestamp(held.position.published)),
                b',"Event":',
                held.event.encode(),
                b"}",
            ]
        )
        await self._state.put(self._key(dependency), body)

    async def pending(self, sequence: int, dependency: str) -> dict[str, CloudEvent] | None:
        """The events of the firing that this message decided and that is not done yet."""
        entry = await self._state.get(self._firing(sequence, dependency))
        if entry is None:
            return None
        members = gjson.Document(entry.value)
        names = orjson.loads(entry.value)
        paths = ((name, gjson.compile(_escaped(name))) for name in names)
        return {name: CloudEvent.decode(path.get(members).raw.encode()) for name, path in paths}

    async def decide(
        self,
        memory: Memory,
        position: Position,
        dependency: str,
        events: Mapping[str, CloudEvent],
    ) -> None:
        """
        Decide that the message fires with *events*, which are then used up.

        Raises :exc:`Conflict` when another replica decided something since *memory* was read.
        """
        body = b",".join(orjson.dumps(n) + b":" + e.encode() for n, e in events.items())
        await self._state.put(self._firing(position.sequence, dependency), b"{" + body + b"}")
        used_up = {name: held.position for name, held in memory.held.items()}
        through = {**memory.through, **used_up, dependency: position}
        text = orjson.dumps({n: (p.sequence, timestamp(p.published)) for n, p in through.items()})
        await self._state.put(self._key("=through"), text, revision=memory.revision)
        # From here on the events count as used up; removing them is tidiness.
        await self.forget(name for name in events if name in memory.held)

    async def done(self, sequence: int, dependency: str) -> None:
        """The firing needs not be repeated."""
        await self._state.delete(self._firing(sequence, dependency))

    async def reset(self, before: datetime | None = None) -> dict[str, Held]:
        """Forget held events (those published before a moment); returns them by dependency."""
        old = await self.older(before)
        await self.forget(old)
        return old

    async def older(self, before: datetime | None) -> dict[str, Held]:
        """The held events by dependency; only those published before a moment if one is given."""
        held = (await self.read()).held.items()
        return {n: h for n, h in held if before is None or h.position.published < before}

    async def forget(self, dependencies: Iterable[str]) -> None:
        """Remove held events."""
        await asyncio.gather(*(self._state.delete(self._key(name)) for name in dependencies))

    def _key(self, name: str) -> str:
        return f"{self._trigger}/{name}"

    def _firing(self, sequence: int, dependency: str) -> str:
        return self._key(f"=firing/{sequence}.{dependency}")


async def forget_used(
    state: State, trigger: str, dependencies: Collection[str] | None = None
) -> None:
    """
    Forget which messages of these *dependencies*, or of all, a trigger has used up, and for what.

    Messages that come again count as new ones then.  Raises :exc:`BusError`.
    """
    place = f"{trigger}/=firing/"
    for key in await state.keys(place):
        if dependencies is None or key.removeprefix(place).partition(".")[2] in dependencies:
            await state.delete(key)
    key = f"{trigger}/=through"
    if dependencies is None:
        await state.delete(key)
    elif (entry := await state.get(key)) is not None:
        through = orjson.loads(entry.value)
        left = {name: position for name, position in through.items() if name not in dependencies}
        if left != through:
            await state.put(key, orjson.dumps(left), revision=entry.revision)


def _held(entry: Entry) -> Held | None:
    """The event in an entry; None where it cannot be read."""
    try:
        members = orjson.loads(entry.value)
        event = CloudEvent.decode(gjson.get(entry.value, "Event").raw.encode())
        return Held(event, _position(members["StreamSeq"], members["Timestamp"]))
    except (orjson.JSONDecodeError, EventDecodeError, KeyError, TypeError, ValueError):
        return None


def _positions(text: bytes) -> dict[str, Position]:
    return {name: _position(*parts) for name, parts in orjson.loads(text).items()}


def _position(sequence: int, published: str) -> Position:
    return Position(int(sequence), parse_time(published) or datetime.fromtimestamp(0, UTC))


def _escaped(name: str) -> str:
    return "".join(f"\\{c}" if not (c.isalnum() or c in "-_") else c for c in name)
