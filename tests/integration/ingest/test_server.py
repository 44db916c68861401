"""The HTTP server of push sources, over real connections."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.integration.ingest._requests import Recorder, connected, get, raw
from tiphys.errors import ManifestError, SecretError, SourceError
from tiphys.ingest import (
    Admission,
    IngestServer,
    Refused,
    Reply,
    Request,
    ServerTLS,
    server_tls,
)


async def test_the_handler_gets_the_request_as_it_was_sent(
    server: IngestServer, http: aiohttp.ClientSession, port: int
) -> None:
    handler = Recorder()
    await server.mount(port, "/a", None, handler)
    async with http.post(
        f"http://127.0.0.1:{port}/a?x=1&x=2",
        data=b'{"n": 1}',
        headers={"x-gitHub-event": "push", "Authorization": "Bearer secret"},
    ) as answer:
        assert (answer.status, await answer.text()) == (200, "done")
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"

    (request,) = handler.requests
    assert (request.method, request.path, request.body) == ("POST", "/a", b'{"n": 1}')
    assert request.query_values() == {"x": ["1", "2"]}
    assert request.header("X-Github-Event") == "push"
    assert request.header("Authorization") == "*** Masked Auth Secret ***"
    assert "Host" not in request.headers
    assert request.client == "127.0.0.1"


async def test_endpoints_of_one_port_are_told_apart_by_their_exact_path(
    server: IngestServer, http: aiohttp.ClientSession, port: int
) -> None:
    for endpoint in ("/a", "/b/", "/c/{name}", "bare"):
        await server.mount(port, endpoint, None, Recorder(endpoint))

    assert await get(http, port, "/a?q=/b/") == (200, "/a")
    assert await get(http, port, "/b/") == (200, "/b/")
    assert await get(http, port, "/c/x%20y") == (200, "/c/{name}")
    for missing in ("/", "/a/", "/b", "/A", "/c/", "/c/x/y", "/bare", "/a%00"):
        assert await get(http, port, missing) == (404, "404 page not found\n")


async def test_a_path_that_is_not_canonical_is_redirected(server: IngestServer, port: int) -> None:
    await server.mount(port, "/a", None, Recorder())
    answer = await raw(port, b"GET //x/../a?q=1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 301 ")
    assert b"\r\nlocation: /a?q=1\r\n" in answer


async def test_health_is_answered_on_every_port_until_an_endpoint_claims_it(
    server: IngestServer, http: aiohttp.ClientSession, port: int
) -> None:
    await server.mount(port, "/{anything}", None, Recorder())
    assert await get(http, port, "/health") == (200, "OK")
    async with http.delete(f"http://127.0.0.1:{port}/health") as answer:
        assert (answer.status, await answer.text()) == (200, "OK")
    await server.mount(port, "/health", None, Recorder("mine"))

    assert await get(http, port, "/health") == (200, "mine")


async def test_an_answer_without_a_body_arrives_and_the_connection_lives_on(
    server: IngestServer, http: aiohttp.ClientSession, port: int
) -> None:
    handler = Recorder("")
    await server.mount(port, "/a", None, handler)
    for method in ("HEAD", "POST", "HEAD", "DELETE"):
        async with http.request(method, f"http://127.0.0.1:{port}/a") as answer:
            assert (answer.status, await answer.text()) == (200, "")
    async with http.head(f"http://127.0.0.1:{port}/health") as answer:
        assert answer.status == 200

    assert len(handler.requests) == 4


async def test_a_sender_that_asks_before_it_sends_is_told_to_go_on(
    server: IngestServer, port: int
) -> None:
    handler = Recorder()
    await server.mount(port, "/a", None, handler)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    )
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"{}")
    assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
    writer.close()
    await writer.wait_closed()

    assert [request.body for request in handler.requests] == [b"{}"]


async def test_requests_that_are_sent_ahead_are_answered_in_their_order(
    server: IngestServer, port: int
) -> None:
    async def echo(request: Request) -> Reply:
        await asyncio.sleep(0.03 if request.body == b"1" else 0)
        return Reply(200, b"<" + request.body + b">")

    await server.mount(port, "/a", None, echo)
    one = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n%b\r\n%b"
    requests = one % (b"", b"1"), one % (b"", b"2"), one % (b"Connection: close\r\n", b"3")
    answer = await raw(port, b"".join(requests))

    assert [body for body in (b"<1>", b"<2>", b"<3>") if body in answer] == [b"<1>", b"<2>", b"<3>"]
    assert answer.index(b"<1>") < answer.index(b"<2>") < answer.index(b"<3>")


async def test_a_body_of_exactly_the_limit_passes_and_one_byte_more_does_not(
    server: IngestServer, http: aiohttp.ClientSession, port: int
) -> None:
    handler = Recorder()
    await server.mount(port, "/a", None, handler, admission=Admission(limit=lambda _: 70_000))

    async def chunks(size: int) -> AsyncIterator[bytes]:
        for start in range(0, size, 1000):
            yield b"x" * min(1000, size - start)

    answers = []
    for data in (b"x" * 70_000, b"x" * 70_001, chunks(70_000), chunks(70_001)):
        async with http.post(f"http://127.0.0.1:{port}/a", data=data) as answer:
            answers.append((answer.status, await answer.text()))
            if answer.status == 400:
                assert answer.headers["Connection"] == "close"

    refused = (400, "http: request body too large")
    assert answers == [(200, "done"), refused, (200, "done"), refused]
    assert [len(request.body) for request in handler.requests] == [70_000, 70_000]


async def test_the_answer_to_a_body_that_is_too_large_reaches_a_sender_who_goes_on_sending(
    server: IngestServer, port: int
) -> None:
    await server.mount(port, "/a", None, Recorder())
    head = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3000000\r\n\r\n"
    answer = await raw(port, head + b"x" * 3_000_000)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.endswith(b"http: request body too large")


async def test_a_head_without_end_is_cut_off(server: IngestServer, port: int) -> None:
    handler = Recorder()
    await server.mount(port, "/a", None, handler)
    answer = await raw(port, b"GET /a HTTP/1.1\r\nX-Filler: " + b"x" * (64 << 10))
    assert answer.startswith(b"HTTP/1.1 431 ")

    assert handler.requests == []


async def test_a_head_without_end_is_not_answered_instead_of_the_request_before_it(
    server: IngestServer, port: int
) -> None:
    go = asyncio.Event()

    async def slow(_request: Request) -> Reply:
        await go.wait()
        return Reply()

    await server.mount(port, "/a", None, slow)
    first = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
    async with connected(port) as sender:
        await sender.send_alone(first)
        sender.send(b"GET /a HTTP/1.1\r\nX-Filler: " + b"x" * (64 << 10))

        assert await sender.end() == b""
    go.set()


async def test_what_is_not_http_is_answered_and_the_port_lives_on(
    server: IngestServer, http: aiohttp.ClientSession, port: int
) -> None:
    await server.mount(port, "/a", None, Recorder())
    assert (await raw(port, b"hello\r\n\r\n")).startswith(b"HTTP/1.1 400 ")

    assert await get(http, port, "/a") == (200, "done")


async def test_a_guard_refuses_before_the_body_is_read_and_its_owner_hears_of_it(
    server: IngestServer, http: aiohttp.ClientSession, port: int
) -> None:
    class Closed:
        async def check(self, request: Request) -> None:
            raise Refused(403, "no", reason="network", headers={"x-why": "test"})

    heard: list[tuple[str, str]] = []
    handler = Recorder()
    admission = Admission(
        before_body=[Closed()], refused=lambda error, request: heard.append((error.reason, "a"))
    )
    await server.mount(port, "/a", None, handler, admission=admission)
    async with http.post(f"http://127.0.0.1:{port}/a", data=b"x") as answer:
        assert (answer.status, await answer.text()) == (403, "no")
        assert answer.headers["X-Why"] == "test"

    assert (heard, handler.requests) == ([("network", "a")], [])


async def test_a_guard_after_the_body_sees_the_authorization_that_the_handler_does_not(
    server: IngestServer, http: aiohttp.ClientSession, port: int
) -> None:
    seen: list[tuple[str, bytes]] = []

    class Witness:
        async def check(self, request: Request) -> None:
            seen.append((request.header("Authorization"), request.body))

    handler = Recorder()
    await server.mount(port, "/a", None, handler, admission=Admission(after_body=[Witness()]))
    async with http.post(
        f"http://127.0.0.1:{port}/a", data=b"x", headers={"Authorization": "Bearer t"}
    ):
        pass

    assert seen == [("Bearer t", b"x")]
    assert handler.requests[0].header("Authorization") == "*** Masked Auth Secret ***"


async def test_a_handler_that_breaks_costs_one_answer_only(
    server: IngestServer, http: aiohttp.ClientSession, port: int
) -> None:
    async def broken(_request: Request) -> Reply:
        raise ZeroDivisionError("secret detail")

    await server.mount(port, "/a", None, broken)
    await server.mount(port, "/b", None, Recorder())

    assert await get(http, port, "/a") == (500, "internal error")
    assert await get(http, port, "/b") == (200, "done")


async def test_closing_waits_for_the_requests_on_their_way(
    server: IngestServer, http: aiohttp.ClientSession, port: int
) -> None:
    arrived, go = asyncio.Event(), asyncio.Event()

    async def slow(_request: Request) -> Reply:
        arrived.set()
        await go.wait()
        return Reply(200, b"late")

    mount = await server.mount(port, "/a", None, slow)
    asking = asyncio.create_task(get(http, port, "/a"))
    await arrived.wait()
    closing = asyncio.create_task(mount.close())
    await asyncio.sleep(0.05)
    assert not closing.done()
    assert await get(http, port, "/a") == (400, "endpoint is inactive")
    go.set()
    await closing

    assert await asking == (200, "late")
    with pytest.raises(aiohttp.ClientConnectionError):
        await get(http, port, "/a")


async def test_a_port_stays_open_until_its_last_endpoint_goes_and_can_be_had_again(
    server: IngestServer, http: aiohttp.ClientSession, port: int
) -> None:
    first = await server.mount(port, "/a", None, Recorder())
    second = await server.mount(port, "/b", None, Recorder())
    await first.close()
    await first.close()
    assert await get(http, port, "/a") == (404, "404 page not found\n")
    assert await get(http, port, "/b") == (200, "done")
    await second.close()
    await server.mount(str(port), "/a", None, Recorder("again"))

    assert await get(http, port, "/a") == (200, "again")


@pytest.mark.parametrize("wrong", ["", "http", "0", "65536", "-1", "80.0", "٨٠"])
async def test_what_is_no_port_is_named(server: IngestServer, wrong: str) -> None:
    with pytest.raises(ManifestError, match=r"event 'e': .* is not a port"):
        await server.mount(wrong, "/a", None, Recorder(), owner="event 'e'")


async def test_a_port_in_use_is_named_with_what_to_do(server: IngestServer) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SourceError, match=rf"event 'e': port {port} is in use .* choose"):
            await server.mount(port, "/a", None, Recorder(), owner="event 'e'")

    await server.mount(port, "/a", None, Recorder())  # nothing was left behind


async def test_an_address_of_another_machine_is_named(port: int) -> None:
    server = IngestServer("192.0.2.1")
    with pytest.raises(SourceError, match=f"port {port} cannot be opened"):
        await server.mount(port, "/a", None, Recorder())


async def test_an_endpoint_has_one_owner(server: IngestServer, port: int) -> None:
    await server.mount(port, "/a", None, Recorder(), owner="event 'one'")

    with pytest.raises(SourceError, match=r"event 'two': .*already belongs to event 'one'"):
        await server.mount(port, "/a", None, Recorder(), owner="event 'two'")


async def test_a_broken_template_is_refused_and_leaves_no_port_open(
    server: IngestServer, port: int
) -> None:
    with pytest.raises(ManifestError, match="unbalanced"):
        await server.mount(port, "/{a", None, Recorder())

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", port))


def client_context(certificate: str) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=certificate)


async def test_a_port_speaks_tls_with_the_certificate_it_was_given(
    server: IngestServer,
    http: aiohttp.ClientSession,
    port: int,
    certificates: list[tuple[str, str]],
) -> None:
    (certificate, key), _ = certificates
    await server.mount(port, "/a", server_tls(certificate, key), Recorder("a"))
    await server.mount(port, "/b", server_tls(certificate, key), Recorder("b"))
    trusted = client_context(certificate)
    for path in ("a", "b"):
        async with http.get(f"https://127.0.0.1:{port}/{path}", ssl=trusted) as answer:
            assert await answer.text() == path


async def test_endpoints_of_one_port_must_agree_on_tls(
    server: IngestServer, port: int, certificates: list[tuple[str, str]]
) -> None:
    one, two = (server_tls(*pair) for pair in certificates)
    mounts: list[tuple[ServerTLS | None, str]] = [(two, "another certificate"), (None, "another")]
    mount = await server.mount(port, "/a", one, Recorder(), owner="event 'one'")
    for tls, text in mounts:
        with pytest.raises(SourceError, match=f"{text}.*event 'one'"):
            await server.mount(port, "/b", tls, Recorder(), owner="event 'two'")
    await mount.close()
    await server.mount(port, "/a", None, Recorder())
    with pytest.raises(SourceError, match="without TLS"):
        await server.mount(port, "/b", one, Recorder())


def test_a_certificate_that_cannot_be_used_is_explained(
    certificates: list[tuple[str, str]],
) -> None:
    (certificate, key), (other, _) = certificates
    for pair in ((other, key), ("", key), (certificate, "nonsense")):
        with pytest.raises(SecretError, match="certificate and key cannot be used") as caught:
            server_tls(*pair)
        assert "PRIVATE" not in str(caught.value)


def test_a_certificate_leaves_no_file_behind(
    certificates: list[tuple[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    server_tls(*certificates[0])

    assert list(tmp_path.iterdir()) == []
