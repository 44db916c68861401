"""Requests to the JetStream API, in its own JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson

from tiphys.aio import capped_backoff
from tiphys.bus.jetstream.connection import Link
from tiphys.errors import BusError

# The server's numbers for its errors.
CONSUMER_NOT_FOUND = 10014
MESSAGE_NOT_FOUND = 10037
INVALID_STREAM = 10052
MESSAGE_DELETE_FAILED = 10057
STREAM_NAME_IN_USE = 10058
STREAM_NOT_FOUND = 10059
WRONG_LAST_SEQUENCE = 10071
REPLICAS_NOT_SUPPORTED = 10074
STORE_FAILED = 10077
CONSUMER_EXISTS = 10148

API_TIMEOUT = 5.0  # seconds


class Refusal(BusError):
    """JetStream answered with an error: *status* as in HTTP, *code* its own number for it."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        self.status = int(error.get("code", 0))
        self.code = int(error.get("err_code", 0))
        self.description = str(error.get("description", "unknown error"))
        super().__init__(f"the event bus refused: {self.description}")


def parse(body: bytes) -> dict[str, Any]:
    """Read an answer.  Raises :exc:`Refusal` for an error, :exc:`BusError` for nonsense."""
    try:
        answer = orjson.loads(body)
        error = answer.get("error")
    except (orjson.JSONDecodeError, AttributeError) as problem:
        raise BusError(f"the event bus answered with {body[:80]!r}") from problem
    if error:
        raise Refusal(error)
    members: dict[str, Any] = answer
    return members


class JetStreamApi:
    """The management side of JetStream.  All methods raise :exc:`BusError`."""

    def __init__(self, link: Link) -> None:
        self.link = link

    async def call(
        self, operation: str, body: Mapping[str, Any] | None = None, *, timeout: float = API_TIMEOUT
    ) -> dict[str, Any]:
        """
        Do ``$JS.API.<operation>`` and return the answer.

        Repeated for the time that a cluster needs to find a leader.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        payload = b"" if body is None else orjson.dumps(body)
        for pause in capped_backoff(0.05, 1.0):
            left = deadline - loop.time()
            reply = await self.link.request(f"$JS.API.{operation}", payload, timeout=left)
            try:
                return parse(reply.data)
            except Refusal as refusal:
                if refusal.status != 503 or loop.time() + pause >= deadline:
                    raise
            await asyncio.sleep(pause)
        raise AssertionError("the pauses never end")

    async def find(self, operation: str, missing: int) -> dict[str, Any] | None:
        """The answer to an INFO request; None for the error *missing*."""
        try:
            return await self.call(operation)
        except Refusal as refusal:
            if refusal.code == missing:
                return None
            raise
