"""What a request has beside head and data: trailers, and the framing of chunks."""

from __future__ import annotations

import pytest

from tests.integration.ingest._requests import Recorder, connected
from tiphys.ingest import IngestServer

HEAD = b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
SIGNED = b"400;chunk-signature=%b\r\n%b\r\n"
MANY = b"".join(b"X-%06d: %s\r\n" % (n, b"a" * 1000) for n in range(1000))
ENDLESS = {"many": MANY, "one": b"X-Long: " + b"a" * 1_000_000}


@pytest.mark.parametrize(
    "pieces",
    [
        [HEAD + b"2\r\n{}\r\n0\r\nX-Trailer: 1\r\nExpect: 100-continue\r\n\r\n"],
        [HEAD, b"2\r\n{}\r\n0\r\n", b"X-Trailer: 1\r\n", b"Authorization: x\r\n\r\n"],
    ],
    ids=["at once", "later"],
)
async def test_trailers_are_no_headers_of_the_request(
    server: IngestServer, port: int, pieces: list[bytes]
) -> None:
    handler = Recorder()
    await server.mount(port, "/a", None, handler)
    async with connected(port) as sender:
        for _ in range(2):  # the connection lives on
            for piece in pieces:
                await sender.send_alone(piece)
            assert (await sender.answer()).startswith(b"HTTP/1.1 200 ")

    assert [(request.headers, request.body) for request in handler.requests] == [({}, b"{}")] * 2


@pytest.mark.parametrize("trailers", ENDLESS.values(), ids=ENDLESS)
async def test_trailers_without_end_are_cut_off(
    server: IngestServer, port: int, trailers: bytes
) -> None:
    handler = Recorder()
    await server.mount(port, "/a", None, handler)
    async with connected(port) as sender:
        await sender.send_alone(HEAD)
        await sender.send_alone(b"10000\r\n%b\r\n0\r\n" % (b"x" * 0x10000))
        sender.send(trailers[:9000])  # nothing is left unread, so the answer gets through
        answer = await sender.end()

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert handler.requests == []


async def test_trailers_without_end_are_cut_off_also_where_nobody_reads_them(
    server: IngestServer, port: int
) -> None:
    await server.mount(port, "/a", None, Recorder())
    async with connected(port, HEAD.replace(b"/a", b"/missing") + b"2\r\n{}\r\n0\r\n") as sender:
        assert (await sender.answer()).startswith(b"HTTP/1.1 404 ")
        sender.send(MANY)

        assert await sender.end() == b""


async def test_the_line_of_a_chunk_without_end_is_cut_off(server: IngestServer, port: int) -> None:
    await server.mount(port, "/a", None, Recorder())
    async with connected(port) as sender:
        await sender.send_alone(HEAD)
        sender.send(b"2;name=" + b"x" * 9000)

        assert (await sender.end()).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("chunk", "count"),
    [
        (b"1\r\nx\r\n", 50_000),
        (SIGNED % (b"f" * 64, b"x" * 1024), 500),
    ],
    ids=["tiny", "signed"],
)
async def test_chunks_may_be_small_and_have_extensions(
    server: IngestServer, port: int, chunk: bytes, count: int
) -> None:
    handler = Recorder()
    await server.mount(port, "/a", None, handler)
    async with connected(port, HEAD) as sender:
        for _ in range(10):
            await sender.send_alone(chunk * (count // 10))
        sender.send(END)
        assert (await sender.answer()).startswith(b"HTTP/1.1 200 ")

    assert handler.requests[0].body == b"x" * chunk.count(b"x") * count


@pytest.mark.parametrize("sent_before", [0, 1000])
async def test_a_large_body_does_not_count_for_the_head_that_follows_it(
    server: IngestServer, port: int, sent_before: int
) -> None:
    await server.mount(port, "/a", None, Recorder())
    one = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000
    async with connected(port) as sender:
        await sender.send_alone(one[:sent_before])
        await sender.send_alone(one[sent_before:] + one[:20])
        sender.send(one[20:])

        assert (await sender.answer()).startswith(b"HTTP/1.1 200 ")
        assert (await sender.answer()).startswith(b"HTTP/1.1 200 ")
