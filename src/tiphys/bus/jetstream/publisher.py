"""Publishing: any number of messages under way at once, each confirmed."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator

from tiphys.aio import capped_backoff
from tiphys.bus.jetstream.api import STORE_FAILED, Refusal, parse
from tiphys.bus.jetstream.connection import Link, NoAnswer
from tiphys.errors import PublishError

MESSAGE_ID = "Nats-Msg-Id"


async def publish(
    link: Link,
    subject: str,
    body: bytes,
    *,
    id: str | None = None,
    expected: int | None = None,
    timeout: float,
) -> int:
    """
    Store a message and return its sequence.

    The stream keeps messages of one *id* once; without one, the message gets an id of its own,
    because it may have to be sent twice.  *expected* is the sequence of
    the last message under this subject, without which the message is refused.  Raises
    :exc:`BusUnavailable` without a link within *timeout* seconds, :exc:`Refusal` when *expected* is
    wrong, and :exc:`PublishError` for everything else.
    """
    headers = {MESSAGE_ID: id or secrets.token_hex(12)}
    if expected is not None:
        headers["Nats-Expected-Last-Subject-Sequence"] = str(expected)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    pauses: Iterator[float] | None = None
    while True:
        try:
            reply = await link.request(subject, body, headers, timeout=deadline - loop.time())
            sequence: int = parse(reply.data)["seq"]
            return sequence
        except NoAnswer as error:
            raise PublishError(f"the event bus did not confirm the message: {error}") from error
        except Refusal as refusal:
            if expected is not None and refusal.status == 400:
                raise
            pauses = pauses or capped_backoff(0.05, 1.0)
            pause = next(pauses)
            full = refusal.code == STORE_FAILED  # and discards new messages, not old ones
            if full or refusal.status != 503 or loop.time() + pause >= deadline:
                raise PublishError(str(refusal)) from refusal
        await asyncio.sleep(pause)
