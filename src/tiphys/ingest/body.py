"""Reads the body of a request within its limit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

LINGER_BYTES = 16 << 20  # how much of a refused body is read away so that the answer gets through
LINGER_SECONDS = 2.0


class TooLarge(Exception):
    """The body exceeds the limit."""


class Disconnected(Exception):
    """The sender went away, or was cut off, before the body was complete."""


async def read_body(receive: Receive, headers: Iterable[tuple[bytes, bytes]], limit: int) -> bytes:
    """
    The whole body, at most *limit* bytes.

    Raises :exc:`TooLarge` as soon as that is known, by ``Content-Length`` before anything was
    read, and :exc:`Disconnected`.
    """
    for name, value in headers:
        if name == b"content-length" and int(value) > limit:
            raise TooLarge
    message = await receive()
    if message["type"] == "http.request" and not message["more_body"]:
        body: bytes = message["body"]
        if len(body) > limit:
            raise TooLarge
        return body
    return await _read_on(receive, message, limit)


async def _read_on(receive: Receive, message: Message, limit: int) -> bytes:
    body = bytearray()
    while message["type"] == "http.request":
        body += message["body"]
        if len(body) > limit:
            raise TooLarge
        if not message["more_body"]:
            return bytes(body)
        message = await receive()
    raise Disconnected


async def linger(receive: Receive) -> None:
    """
    Read the rest of a refused body away, within bounds.

    Closing a connection with unread data resets it, and the sender may never see the answer.
    """
    left = LINGER_BYTES
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while left > 0:
                message = await receive()
                if message["type"] != "http.request" or not message["more_body"]:
                    return
                left -= len(message["body"])
    except TimeoutError:
        return
