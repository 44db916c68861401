"""
History: what happened to each event (design: history).

Whoever does something with an event says so in one cheap call; records are written to the bus in
batches, beside the path of the events.  History never slows that path: when its buffer is full it
drops its own records and counts them.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from time import time
from typing import Any, Literal, NamedTuple

import orjson

from tiphys.errors import TiphysError
from tiphys.events import any_json
from tiphys.observe.metrics import Metrics

JOURNAL = "history"
SUBJECT = "steps"
CAPACITY = 50_000  # records that wait to be written
BATCH = 500  # records in one message
INTERVAL = 0.2  # seconds between two writings

Step = Literal[
    "published",
    "filtered",
    "held",
    "superseded",
    "disarmed",
    "expired",
    "forgotten",
    "batched",
    "duplicate",
    "attempt failed",
    "succeeded",
    "dead-lettered",
    "dropped",
]
Write = Callable[[bytes], Awaitable[object]]
_Plain = tuple[float, Step, tuple[str, ...], str, str, dict[str, Any]]


class Record(NamedTuple):
    """
    One step of an event's way.

    *time* in Unix seconds; *owner* is the event source or sensor, *part* the event name or trigger;
    *details* depend on the step.
    """

    time: float
    step: Step
    events: tuple[str, ...]
    owner: str
    part: str
    details: dict[str, Any]

    @property
    def moment(self) -> datetime:
        """When it happened."""
        return datetime.fromtimestamp(self.time, UTC)


class History:
    """Collects records and writes them in batches."""

    def __init__(self, metrics: Metrics, capacity: int = CAPACITY, *, enabled: bool = True) -> None:
        self._enabled = enabled
        self._waiting: deque[_Plain] = deque()  # plain tuples cost the path least
        self._capacity = capacity
        self._one_at_a_time = asyncio.Lock()  # whoever reads the history flushes as well
        self._dropped = metrics.history_dropped

    def add(
        self, step: Step, events: tuple[str, ...], owner: str, part: str, **details: Any
    ) -> None:
        """Remember a step; returns at once."""
        if not self._enabled:
            return
        if len(self._waiting) >= self._capacity:
            self._dropped.inc()
            return
        self._waiting.append((time(), step, events, owner, part, details))

    async def write_to(self, write: Write) -> None:
        """
        Write what is collected, every :data:`INTERVAL` seconds, until cancelled.
        """
        while True:
            await asyncio.sleep(INTERVAL)
            await self.flush(write)

    async def flush(self, write: Write) -> None:
        """Write all that is collected; what the bus does not take stays."""
        async with self._one_at_a_time:
            while self._waiting:
                batch = list(itertools.islice(self._waiting, BATCH))
                try:
                    await write(encode(batch))
                except TiphysError:
                    return
                for _ in batch:
                    self._waiting.popleft()


def encode(records: Sequence[_Plain]) -> bytes:
    """Records as one JSON list; a single call for all of them is the cheapest."""
    return any_json(records)


def decode(body: bytes, event_id: str = "") -> Iterator[Record]:
    """The records of a message, or only those of events whose id begins with *event_id*."""
    # Most messages name other events; looking for the bytes is far cheaper than parsing.
    if event_id and orjson.dumps(event_id)[:-1] not in body:
        return
    for moment, step, events, owner, part, details in orjson.loads(body):
        if not event_id or any(known.startswith(event_id) for known in events):
            yield Record(moment, step, tuple(events), owner, part, details)
