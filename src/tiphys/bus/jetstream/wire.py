"""Small texts of the protocol: a block of headers, a delivered message's reply subject."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """
    Where a delivered message stands.

    *number* counts the deliveries of the consumer; *time* is when the message was stored, in
    nanoseconds; *pending* how many messages follow it.
    """

    attempt: int
    sequence: int
    number: int
    time: int
    pending: int

    @property
    def stored(self) -> datetime:
        """*time* as a moment, cut to microseconds."""
        return _EPOCH + timedelta(microseconds=self.time // 1000)


def parse_place(reply: str) -> Place:
    """
    Read the reply subject of a delivered message.

    ``$JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<attempt>.<sequence>.<number>.<time>.<pending>``,
    and with the bracketed part possibly one more token.
    """
    tokens = reply.split(".")
    first = 4 if len(tokens) == 9 else 6
    attempt, sequence, number, time, pending = map(int, tokens[first : first + 5])
    return Place(attempt, sequence, number, time, pending)


def parse_headers(block: bytes) -> dict[str, str]:
    """Read a header block, ``NATS/1.0`` and lines of ``name: value``; an empty one has none."""
    headers = {}
    for line in block.split(b"\r\n")[1:]:
        name, colon, value = line.partition(b":")
        if colon:
            headers[name.decode(errors="replace").strip()] = value.decode(errors="replace").strip()
    return headers
