"""What senders may do to a webhook with their connections."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.sources.test_webhook import webhook
from tiphys.testing.push_sources import ENDPOINT
from tiphys.testing.sources import data_of

HEAD = f"POST {ENDPOINT} HTTP/1.1\r\nHost: h\r\n".encode()
LENGTH = b"Content-Length: 5\r\n\r\n"
CHUNKED = b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("half", [b"", HEAD, HEAD + LENGTH, HEAD + LENGTH + b"1"])
async def test_half_a_request_does_not_keep_the_source_from_stopping(half: bytes) -> None:
    async with webhook.running() as endpoint:
        reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
        writer.write(half)
        await endpoint.send(webhook.request(1))  # by then the half was read
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()

    assert answer.startswith(b"HTTP/1.1 503 " if half else b"")


async def test_trailers_do_not_get_into_the_event() -> None:
    async with webhook.running() as endpoint:
        reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
        writer.write(HEAD + CHUNKED + b"2\r\n{}\r\n0\r\nX-Trailer: 1\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        writer.close()
        await writer.wait_closed()

    (event,) = endpoint.bus.published
    assert data_of(event) == {"header": {"Connection": ["close"]}, "body": {}}
