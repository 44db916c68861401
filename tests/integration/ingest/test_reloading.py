"""Endpoints that go and come again, and what their senders see of it: nothing, if it is short."""

from __future__ import annotations

import asyncio
import ssl

import aiohttp
import pytest

from tests.integration.ingest._requests import SOON, Recorder, all_seen, connected, get
from tiphys.errors import SourceError
from tiphys.ingest import IngestServer, Patience, Reply, Request, server_tls

WHOLE = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n12345"


async def refuses(port: int) -> None:
    """Wait until nobody listens on the port."""
    async with asyncio.timeout(SOON):
        while True:
            try:
                async with connected(port):
                    await asyncio.sleep(0.01)
            except ConnectionRefusedError:
                return


async def test_requests_wait_for_an_endpoint_that_comes_again(
    server: IngestServer, port: int
) -> None:
    arrived, go = asyncio.Event(), asyncio.Event()

    async def slow(_request: Request) -> Reply:
        arrived.set()
        await go.wait()
        return Reply(200, b"old")

    mount = await server.mount(port, "/a", None, slow)
    async with connected(port) as kept, connected(port, WHOLE) as before:
        await arrived.wait()
        async with server.reloading():
            closing = asyncio.create_task(mount.close())
            async with connected(port, WHOLE) as meanwhile:
                await all_seen(port)
                go.set()
                await closing
                kept.send(WHOLE)
                await all_seen(port)
                await server.mount(port, "/a", None, Recorder("new"))

                assert (await before.answer()).endswith(b"old")
                assert (await meanwhile.answer()).endswith(b"new")
                assert (await kept.answer()).endswith(b"new")


async def test_nobody_waits_for_an_endpoint_that_goes_for_good(port: int) -> None:
    arrived, go = asyncio.Event(), asyncio.Event()

    async def slow(_request: Request) -> Reply:
        arrived.set()
        await go.wait()
        return Reply()

    server = IngestServer("127.0.0.1", Patience(again=60))
    mount = await server.mount(port, "/a", None, slow)
    async with connected(port, WHOLE), connected(port) as late:
        await arrived.wait()
        closing = asyncio.create_task(mount.close())
        await all_seen(port)
        late.send(WHOLE)
        assert (await late.answer()).startswith(b"HTTP/1.1 400 ")
        go.set()
        await closing


async def test_an_endpoint_may_come_after_the_reload_and_go_again(
    server: IngestServer, port: int
) -> None:
    mount = await server.mount(port, "/a", None, Recorder("first"))
    async with server.reloading():
        await mount.close()
    async with connected(port, WHOLE) as sender:
        await all_seen(port)
        async with server.reloading():
            mount = await server.mount(port, "/a", None, Recorder("second"))
            await mount.close()
        await server.mount(port, "/a", None, Recorder("third"))

        assert (await sender.answer()).endswith((b"second", b"third"))


async def test_who_waits_for_an_endpoint_in_vain_is_told_to_come_again(port: int) -> None:
    server = IngestServer("127.0.0.1", Patience(again=0.2))
    mount = await server.mount(port, "/a", None, Recorder())
    async with server.reloading():
        await mount.close()
        async with connected(port, WHOLE) as sender:
            answer = await sender.answer()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nretry-after: 1\r\n" in answer
    assert answer.endswith(b"endpoint is inactive")

    await refuses(port)
    await server.close()


async def test_an_endpoint_that_does_not_come_again_is_forgotten_and_the_others_stay(
    port: int, http: aiohttp.ClientSession
) -> None:
    server = IngestServer("127.0.0.1", Patience(again=0.1))
    mount = await server.mount(port, "/a", None, Recorder())
    await server.mount(port, "/b", None, Recorder())
    async with server.reloading():
        await mount.close()
    async with asyncio.timeout(SOON):
        while (await get(http, port, "/a"))[0] == 503:
            pass

    assert (await get(http, port, "/a"))[0] == 404
    assert await get(http, port, "/b") == (200, "done")
    await server.close()


async def test_half_a_request_does_not_keep_an_endpoint_from_coming_again(
    server: IngestServer, port: int, http: aiohttp.ClientSession
) -> None:
    mount = await server.mount(port, "/a", None, Recorder("old"))
    async with connected(port, WHOLE[:-1]) as half:
        await all_seen(port)
        async with server.reloading(), asyncio.timeout(SOON):
            await mount.close()
            await server.mount(port, "/a", None, Recorder("new"))
        answer = await half.end()

    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nretry-after: 1\r\n" in answer
    assert await get(http, port, "/a") == (200, "new")


async def test_a_port_may_come_again_with_another_certificate(
    server: IngestServer,
    port: int,
    http: aiohttp.ClientSession,
    certificates: list[tuple[str, str]],
) -> None:
    one, two = (server_tls(*pair) for pair in certificates)
    mounts = [await server.mount(port, path, one, Recorder()) for path in ("/a", "/b")]
    async with server.reloading():
        await mounts[0].close()
        with pytest.raises(SourceError, match="another certificate"):
            await server.mount(port, "/a", two, Recorder())  # the other answers still
        await mounts[1].close()
        for path in ("/a", "/b"):
            await server.mount(port, path, two, Recorder(path))

    trusted = ssl.create_default_context(cadata=certificates[1][0])
    for path in ("/a", "/b"):
        async with http.get(f"https://127.0.0.1:{port}{path}", ssl=trusted) as answer:
            assert await answer.text() == path


async def test_who_waits_for_an_endpoint_is_answered_when_the_server_closes(port: int) -> None:
    server = IngestServer("127.0.0.1", Patience(again=60))
    mount = await server.mount(port, "/a", None, Recorder())
    async with server.reloading():
        await mount.close()
    async with connected(port, WHOLE) as sender:
        await all_seen(port)
        async with asyncio.timeout(SOON):
            await server.close()

        assert (await sender.end()).startswith(b"HTTP/1.1 503 ")
    await refuses(port)
