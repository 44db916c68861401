"""Journals: bounded streams, and the stream of events read as one."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

from tiphys.bus._base import Journal, Limits, Record
from tiphys.bus.jetstream import names, stream
from tiphys.bus.jetstream.api import (
    MESSAGE_DELETE_FAILED,
    MESSAGE_NOT_FOUND,
    JetStreamApi,
    Refusal,
)
from tiphys.bus.jetstream.publisher import publish
from tiphys.bus.jetstream.reader import StreamMessage, StreamReader
from tiphys.bus.jetstream.wire import parse_headers
from tiphys.events import parse_time

_WRITE_TIMEOUT = 10.0
_UNDER_WAY = 256  # records of append_many that are not confirmed yet
_DUPLICATES = 120_000_000_000  # nanoseconds
_SECOND = 1_000_000_000


class JetStreamJournal(Journal):
    """
    A stream read as a list; see :class:`tiphys.bus.Journal`.

    *prefix* comes before every subject on the wire and is not part of those in records.
    """

    def __init__(self, api: JetStreamApi, stream_name: str, prefix: str) -> None:
        self._api = api
        self._stream = stream_name
        self._prefix = prefix

    @classmethod
    async def open(
        cls, api: JetStreamApi, name: str, limits: Limits, replicas: int
    ) -> JetStreamJournal:
        """Find the journal or create it with *limits*.  Raises :exc:`BusError`."""
        bucket = names.bucket(name)
        age = int(limits.age * _SECOND)
        config: dict[str, Any] = {
            "name": f"tiphys-{bucket}",
            "subjects": [f"tiphys.{bucket}.>"],
            "storage": "file",
            "discard": "old",
            "max_age": age,
            "max_msgs": limits.messages,
            "max_bytes": limits.size,
            "duplicate_window": min(_DUPLICATES, age) if age else _DUPLICATES,
            "num_replicas": replicas,
        }
        await stream.ensure(api, config)
        return cls(api, config["name"], f"tiphys.{bucket}.")

    async def append(self, subject: str, body: bytes, *, id: str | None = None) -> int:
        """Add a record and return its sequence."""
        return await publish(
            self._api.link,
            self._prefix + names.subject(subject),
            body,
            id=id,
            timeout=_WRITE_TIMEOUT,
        )

    async def append_many(self, records: Sequence[tuple[str, bytes]]) -> None:
        """Add records, pipelined; returns when all are stored."""
        rest = iter(records)

        async def writer() -> None:
            for subject, body in rest:
                await self.append(subject, body)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(_UNDER_WAY, len(records))):
                group.create_task(writer())

    async def read(
        self, subject: str = ">", *, since: datetime | None = None, until: datetime | None = None
    ) -> AsyncIterator[Record]:
        """The records whose subject matches the filter, oldest first."""
        start: dict[str, Any] = {"deliver_policy": "all"}
        if since is not None:
            moment = since.astimezone(UTC).isoformat().replace("+00:00", "Z")
            start = {"deliver_policy": "by_start_time", "opt_start_time": moment}
        messages = self._reader(subject, start).stored()
        try:
            async for message in messages:
                if until is not None and message.stored >= until:
                    return
                yield self._record(message)
        finally:
            await messages.aclose()

    async def follow(self, subject: str = ">") -> AsyncIterator[Record]:
        """The records that come from now on, until cancelled."""
        messages = self._reader(subject, {"deliver_policy": "new"}).coming()
        try:
            async for message in messages:
                yield self._record(message)
        finally:
            await messages.aclose()

    async def get(self, sequence: int) -> Record | None:
        """One record."""
        if sequence < 1:
            return None
        try:
            answer = await self._api.call(f"STREAM.MSG.GET.{self._stream}", {"seq": sequence})
        except Refusal as refusal:
            if refusal.code == MESSAGE_NOT_FOUND:
                return None
            raise
        message = answer["message"]
        stored = parse_time(message["time"])
        assert stored is not None
        return self._record(
            StreamMessage(
                message["seq"],
                stored,
                message["subject"],
                parse_headers(base64.b64decode(message.get("hdrs", ""))),
                base64.b64decode(message.get("data", "")),
            )
        )

    async def delete(self, sequence: int) -> None:
        """Remove one record."""
        if sequence < 1:
            return
        try:
            await self._api.call(
                f"STREAM.MSG.DELETE.{self._stream}", {"seq": sequence, "no_erase": True}
            )
        except Refusal as refusal:
            # The server has one code for "no such message" and for faults of its disk.
            if refusal.code != MESSAGE_DELETE_FAILED or await self.get(sequence) is not None:
                raise

    def _reader(self, subject: str, start: dict[str, Any]) -> StreamReader:
        return StreamReader(self._api, self._stream, self._prefix + names.subject(subject), start)

    def _record(self, message: StreamMessage) -> Record:
        tokens = message.subject[len(self._prefix) :].split(".")
        return Record(
            message.sequence,
            message.stored,
            ".".join(names.unescape(token) for token in tokens),
            message.headers,
            message.body,
        )
