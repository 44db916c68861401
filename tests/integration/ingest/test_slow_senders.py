"""Senders that do not finish what they began, and those that take their time rightly."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.integration.ingest._requests import SOON, Recorder, all_seen, connected
from tiphys.ingest import Admission, IngestServer, Patience, Refused, Reply, Request, server_tls

HEAD = b"POST /a HTTP/1.1\r\nHost: h\r\n"
LENGTH = HEAD + b"Content-Length: 5\r\n\r\n"
WHOLE = LENGTH + b"12345"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
HALVES = {
    "half a method": b"PO",
    "half a head": HEAD,
    "no body": LENGTH,
    "half a body": LENGTH + b"1",
    "half a chunk": CHUNKED + b"5\r\n1",
    "no last chunk": CHUNKED + b"2\r\n12\r\n",
    "half a trailer": CHUNKED + b"2\r\n12\r\n0\r\nX-Trailer: 1",
    "a body after a request": WHOLE + LENGTH,
    "a head after a request": WHOLE + HEAD,
}
LARGE = 32 << 20  # bytes; more than the system takes for a peer that does not
GREEDY = {
    "one": WHOLE,
    "the last": WHOLE.replace(b"Host: h", b"Host: h\r\nConnection: close"),
    "two": WHOLE + WHOLE,
}
greedy = pytest.mark.parametrize("data", GREEDY.values(), ids=GREEDY)
halves = pytest.mark.parametrize("data", HALVES.values(), ids=HALVES)


@pytest.fixture
async def hasty() -> AsyncIterator[IngestServer]:
    """A server that waits for nobody for long."""
    server = IngestServer("127.0.0.1", Patience(request=0.2, idle=0.3))
    yield server
    await server.close(1)


class Held:
    """A handler that answers when it is allowed to."""

    def __init__(self) -> None:
        self.arrived = asyncio.Event()
        self.go = asyncio.Event()

    async def __call__(self, request: Request) -> Reply:
        self.arrived.set()
        await self.go.wait()
        return Reply(200, b"<" + request.body + b">")


async def large(_request: Request) -> Reply:
    return Reply(200, b"x" * LARGE)


class Closed:
    async def check(self, request: Request) -> None:
        raise Refused(403, "no")


@halves
async def test_a_request_that_does_not_arrive_in_time_is_answered_408(
    hasty: IngestServer, port: int, data: bytes
) -> None:
    handler = Recorder()
    await hasty.mount(port, "/a", None, handler)
    async with connected(port, data) as sender:
        if data.startswith(WHOLE):
            assert (await sender.answer()).startswith(b"HTTP/1.1 200 ")
        answer = await sender.end()

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"\r\nconnection: close\r\n" in answer
    assert len(handler.requests) == data.startswith(WHOLE)


@pytest.mark.parametrize("data", [b"", b"\r\n\r\n", WHOLE, WHOLE + b"\r\n"])
async def test_a_connection_without_a_request_is_closed_after_some_time(
    hasty: IngestServer, port: int, data: bytes
) -> None:
    await hasty.mount(port, "/a", None, Recorder())
    async with connected(port, data) as sender:
        if data.startswith(WHOLE):
            await sender.answer()

        assert await sender.end() == b""


async def test_what_is_left_of_a_refused_request_is_not_waited_for_either(
    hasty: IngestServer, port: int
) -> None:
    await hasty.mount(port, "/a", None, Recorder(), admission=Admission(before_body=[Closed()]))
    async with connected(port, LENGTH) as sender:
        assert (await sender.answer()).startswith(b"HTTP/1.1 403 ")

        assert await sender.end() == b""


async def test_a_request_has_its_own_time_however_late_it_begins(port: int) -> None:
    server = IngestServer("127.0.0.1", Patience(request=2))
    await server.mount(port, "/a", None, Recorder())
    async with connected(port) as sender, connected(port, HEAD) as other:
        await other.end()
        sender.send(HEAD)
        await asyncio.sleep(2 * Patience(request=2).step)  # the pause of a sender
        sender.send(WHOLE.removeprefix(HEAD))

        assert (await sender.answer()).startswith(b"HTTP/1.1 200 ")
    await server.close()


async def test_a_connection_has_time_for_the_next_request_however_long_the_last_one_took(
    port: int,
) -> None:
    server, handler = IngestServer("127.0.0.1", Patience(idle=2)), Held()
    await server.mount(port, "/a", None, handler)
    async with connected(port, WHOLE) as sender, connected(port) as idle:
        await idle.end()
        handler.go.set()
        await sender.answer()
        await asyncio.sleep(2 * Patience(idle=2).step)  # the pause of a sender
        sender.send(WHOLE)

        assert (await sender.answer()).startswith(b"HTTP/1.1 200 ")
    await server.close()


async def test_a_program_that_stands_still_does_not_take_it_for_the_slowness_of_a_sender(
    port: int,
) -> None:
    server, loop = IngestServer("127.0.0.1", Patience(idle=0.1)), asyncio.get_running_loop()
    await server.mount(port, "/a", None, Recorder())
    moving = asyncio.Event()

    def stand_still(times: int) -> None:
        time.sleep(0.15)
        if times:
            loop.call_later(0, stand_still, times - 1)
        else:
            moving.set()

    with socket.create_connection(("127.0.0.1", port)) as sender:
        sender.sendall(WHOLE)
        stand_still(8)  # more steps than there are from the connection to the first byte
        await moving.wait()
        sender.setblocking(False)
        async with asyncio.timeout(SOON):
            answer = await loop.sock_recv(sender, 1000)

    assert answer.startswith(b"HTTP/1.1 200 ")
    await server.close()


async def test_a_connection_in_use_is_kept_however_long_it_lasts(
    hasty: IngestServer, port: int
) -> None:
    await hasty.mount(port, "/a", None, Recorder())
    async with connected(port) as idle, connected(port) as used:
        ending = asyncio.create_task(idle.end())
        while not ending.done():
            used.send(WHOLE)
            assert (await used.answer()).startswith(b"HTTP/1.1 200 ")
            await asyncio.sleep(0.01)  # the pause of a sender
        used.send(WHOLE)

        assert (await used.answer()).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("more", [b"", HEAD, LENGTH, WHOLE])
async def test_a_request_that_is_being_handled_is_waited_for(
    hasty: IngestServer, port: int, more: bytes
) -> None:
    handler = Held()
    await hasty.mount(port, "/a", None, handler)
    async with connected(port, WHOLE + more) as sender, connected(port) as idle:
        assert await idle.end() == b""  # by then all patience is used up
        handler.go.set()

        assert (await sender.answer()).endswith(b"<12345>")


@greedy
async def test_an_answer_that_is_not_taken_is_given_up(
    hasty: IngestServer, port: int, data: bytes
) -> None:
    await hasty.mount(port, "/a", None, large)
    async with connected(port) as sender:
        sender.pause()
        sender.send(data)
        await all_seen(port)
        for _ in range(2):  # one may be cut at the same moment
            async with connected(port) as idle:
                assert await idle.end() == b""
        sender.resume()

        assert len(await sender.end()) < LARGE


@halves
async def test_closing_does_not_wait_for_half_a_request(
    server: IngestServer, port: int, data: bytes
) -> None:
    mount = await server.mount(port, "/a", None, Recorder())
    async with connected(port, data) as sender, connected(port) as idle:
        if data.startswith(WHOLE):
            await sender.answer()
        await all_seen(port)
        async with asyncio.timeout(SOON):
            await mount.close()
        answer = await sender.end()

        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: 1\r\n" in answer
        assert await idle.end() == b""


async def test_closing_answers_what_is_complete_beside_half_a_request(
    server: IngestServer, port: int
) -> None:
    handler = Held()
    mount = await server.mount(port, "/a", None, handler)
    async with connected(port, WHOLE) as whole, connected(port, LENGTH) as half:
        await handler.arrived.wait()
        await all_seen(port)
        closing = asyncio.create_task(mount.close())
        assert (await half.end()).startswith(b"HTTP/1.1 503 ")
        assert not closing.done()
        handler.go.set()

        assert (await whole.end()).endswith(b"<12345>")
        await closing


async def test_closing_an_endpoint_does_not_hurt_those_beside_it(
    server: IngestServer, port: int
) -> None:
    mount = await server.mount(port, "/a", None, Recorder())
    await server.mount(port, "/b", None, Recorder())
    async with (
        connected(port, LENGTH) as half,
        connected(port, LENGTH.replace(b"/a", b"/b")) as other,
        connected(port) as idle,
    ):
        await all_seen(port)
        async with asyncio.timeout(SOON):
            await mount.close()
        assert (await half.end()).startswith(b"HTTP/1.1 503 ")
        other.send(b"12345")
        idle.send(WHOLE.replace(b"/a", b"/b"))

        assert (await other.answer()).startswith(b"HTTP/1.1 200 ")
        assert (await idle.answer()).startswith(b"HTTP/1.1 200 ")


@greedy
async def test_closing_does_not_wait_for_an_answer_that_is_not_taken(
    server: IngestServer, port: int, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiphys.ingest._listener.CLOSING", 60)
    mount = await server.mount(port, "/a", None, large)
    async with connected(port) as sender:
        sender.pause()
        sender.send(data)
        await all_seen(port)
        async with asyncio.timeout(SOON):
            await mount.close()


@pytest.mark.parametrize("more", [b"", LENGTH])
async def test_closing_does_not_wait_for_a_farewell_over_tls(
    server: IngestServer,
    port: int,
    certificates: list[tuple[str, str]],
    more: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tiphys.ingest._listener.CLOSING", 60)
    certificate, key = certificates[0]
    mount = await server.mount(port, "/a", server_tls(certificate, key), Recorder())
    trusted = ssl.create_default_context(cadata=certificate)
    async with connected(port, ssl=trusted) as sender:
        sender.send(WHOLE + more)
        await sender.answer()
        sender.pause()
        async with asyncio.timeout(SOON):
            await mount.close()


async def test_a_connection_that_agrees_on_tls_too_late_is_closed(
    server: IngestServer,
    port: int,
    http: aiohttp.ClientSession,
    certificates: list[tuple[str, str]],
) -> None:
    certificate, key = certificates[0]
    mount = await server.mount(port, "/a", server_tls(certificate, key), Recorder())
    trusted = ssl.create_default_context(cadata=certificate)
    async with connected(port) as sender:
        async with http.get(f"https://127.0.0.1:{port}/a", ssl=trusted):
            pass  # by then the server has accepted both connections
        await mount.close()
        await sender.start_tls(trusted)

        assert await sender.end() == b""
