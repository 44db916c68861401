"""How much is read, and for how long."""

from __future__ import annotations

from typing import Protocol

from tiphys.errors import TriggerError

MAX_BYTES = 2 * 1024 * 1024  # of a manifest; the largest object that etcd takes is 1.5 MiB
SECONDS = 60.0  # for one read


class Stream(Protocol):
    """A body that is read piece by piece."""

    async def read(self, n: int) -> bytes:
        """At most *n* bytes; none at the end."""
        ...


async def limited(stream: Stream, what: str, most: int = MAX_BYTES) -> bytes:
    """All of *stream*.  Raises :exc:`TriggerError` when *what* has more than *most* bytes."""
    body = bytearray()
    while chunk := await stream.read(64 * 1024):
        body += chunk
        if len(body) > most:
            raise too_large(what, most)
    return bytes(body)


def too_large(what: str, most: int = MAX_BYTES) -> TriggerError:
    """The error for *what* has more than *most* bytes."""
    return TriggerError(f"{what} has more than {most} bytes", retryable=False)
