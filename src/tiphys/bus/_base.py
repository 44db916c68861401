"""
The contract between a bus and everything that uses one.

A bus carries events durably from event sources to sensors.  Besides, it holds the sensors' state
and the journals (dead letters, history), so that one durable thing is enough to run a pipeline.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime

from tiphys.events import CloudEvent


class Delivery(abc.ABC):
    """
    One message handed to one trigger; it comes again until :meth:`ack` has returned.

    *body* is the undecoded message; *sequence* its number in the stream; *published* when the
    bus stored it; *attempt* counts deliveries from 1.
    """

    body: bytes
    sequence: int
    published: datetime
    attempt: int

    @abc.abstractmethod
    async def ack(self) -> None:
        """Settle the message; returns when the bus has confirmed.  Raises :exc:`BusError`."""

    @abc.abstractmethod
    async def nak(self, delay: float = 0.0) -> None:
        """Ask for the message again after *delay* seconds; best effort."""

    @abc.abstractmethod
    async def in_progress(self) -> None:
        """Say that the message is still being worked on; best effort."""


class Subscription(abc.ABC):
    """The durable position of one trigger in the events of one source and name."""

    @abc.abstractmethod
    async def fetch(self, limit: int) -> Sequence[Delivery]:
        """
        Wait for messages and return 1 to *limit* of them, in stream order.

        Survives lost links: it waits until the bus is back.
        """

    @abc.abstractmethod
    async def close(self) -> None:
        """Stop fetching; the position stays on the bus."""


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """A value in a :class:`State`; *revision* changes with every write."""

    value: bytes
    revision: int


class State(abc.ABC):
    """
    A durable map from keys to small values: a sensor's memory.

    Writes are durable when they return.  All methods raise :exc:`BusError`.
    """

    @abc.abstractmethod
    async def get(self, key: str) -> Entry | None:
        """The value of *key*."""

    @abc.abstractmethod
    async def put(self, key: str, value: bytes, *, revision: int | None = None) -> int:
        """
        Set *key* and return its new revision.

        With *revision* (0: there must be none yet) only if that is still the current one;
        otherwise raises :exc:`Conflict`.
        """

    @abc.abstractmethod
    async def delete(self, key: str) -> None:
        """Remove *key*; removing what is not there is no error."""

    @abc.abstractmethod
    async def keys(self, prefix: str = "") -> list[str]:
        """The keys that begin with *prefix*, sorted."""


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """One message of a :class:`Journal`."""

    sequence: int
    stored: datetime
    subject: str
    headers: Mapping[str, str]
    body: bytes


class Journal(abc.ABC):
    """
    A durable, bounded, append-only list of records under dotted subjects.

    All methods raise :exc:`BusError`.
    """

    @abc.abstractmethod
    async def append(self, subject: str, body: bytes, *, id: str | None = None) -> int:
        """Add a record and return its sequence; the same *id* is stored once (within minutes)."""

    @abc.abstractmethod
    async def append_many(self, records: Sequence[tuple[str, bytes]]) -> None:
        """Add records, pipelined; returns when all are stored."""

    @abc.abstractmethod
    def read(
        self, subject: str = ">", *, since: datetime | None = None, until: datetime | None = None
    ) -> AsyncIterator[Record]:
        """
        The records whose subject matches the filter (``*``, ``>``), oldest first.

        *since* is the first moment at which they may have been stored, *until* the first not.
        """

    @abc.abstractmethod
    def follow(self, subject: str = ">") -> AsyncIterator[Record]:
        """The records that come from now on, until cancelled."""

    @abc.abstractmethod
    async def get(self, sequence: int) -> Record | None:
        """One record."""

    @abc.abstractmethod
    async def delete(self, sequence: int) -> None:
        """Remove one record; removing what is not there is no error."""


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a journal; 0 means none.  *age* in seconds, *size* in bytes."""

    age: float = 0.0
    messages: int = 0
    size: int = 0


class Bus(abc.ABC):
    """
    A durable bus.

    Links that break are mended for ever, with capped back-off and one log line a state change.
    """

    @abc.abstractmethod
    async def start(self) -> None:
        """
        Connect and create what is missing.

        Raises :exc:`BusUnavailable` when the bus cannot be reached within a bounded time, and
        :exc:`ManifestError` for settings that the bus refuses.
        """

    @abc.abstractmethod
    async def close(self) -> None:
        """Flush and disconnect."""

    @property
    @abc.abstractmethod
    def connected(self) -> bool:
        """Whether the link is up at this moment; readiness follows it."""

    @abc.abstractmethod
    def on_link_change(self, listener: Callable[[bool], None]) -> None:
        """Call *listener* whenever :attr:`connected` changes."""

    @abc.abstractmethod
    async def publish(self, event: CloudEvent, *, timeout: float = 5.0) -> None:
        """
        Store *event*; concurrent calls are pipelined.

        Returns when the bus has it for certain.  The bus recognises an id that it has seen
        within its duplicate window and stores it once.  Raises :exc:`BusUnavailable` when the link
        is not up within *timeout* seconds and :exc:`PublishError` when the bus refuses.
        """

    @abc.abstractmethod
    async def subscribe(
        self,
        sensor: str,
        trigger: str,
        dependency: str,
        event_source: str,
        event_name: str,
        *,
        start: datetime | None = None,
        max_pending: int = 1000,
        in_order: bool = False,
    ) -> Subscription:
        """
        Open the durable subscription of a trigger's dependency, creating it if need be.

        A new one sees events published from now on, or from *start*.  *max_pending* bounds how many
        messages may be delivered and not yet acknowledged.  With *in_order* no message overtakes an
        older one that was on its way, or at work, when a link broke or a process was killed, and
        that is to come again; only for a subscription that one process has for itself.
        """

    @abc.abstractmethod
    async def unsubscribe(self, sensor: str, trigger: str, dependency: str) -> None:
        """Delete the durable subscription; deleting what is not there is no error."""

    @abc.abstractmethod
    async def state(self, name: str) -> State:
        """The durable map *name*, created if need be."""

    @abc.abstractmethod
    async def journal(self, name: str, limits: Limits) -> Journal:
        """The journal *name*, created if need be; *limits* apply when it is created."""

    @abc.abstractmethod
    def events(self) -> Journal:
        """The event stream itself, for reading: subjects are ``default.<source>.<name>``."""
