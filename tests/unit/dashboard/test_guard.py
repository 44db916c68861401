"""Who may talk to an API that has no token."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tiphys.dashboard._guard import LoopbackOnly


class Asked:
    """What became of one request."""

    def __init__(self) -> None:
        self.passed = False
        self.status = 200
        self.body = b""

    @property
    def error(self) -> str:
        return str(orjson.loads(self.body)["error"])

    async def application(self, _scope: Any, _receive: Any, _send: Any) -> None:
        self.passed = True

    async def send(self, message: Any) -> None:
        self.status = message.get("status", self.status)
        self.body += message.get("body", b"")


async def ask(method: str, *headers: tuple[str, str]) -> Asked:
    """A request with these headers."""
    asked = Asked()
    encoded = [(name.encode(), value.encode()) for name, value in headers]
    scope = {"type": "http", "method": method, "path": "/", "headers": encoded}

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    await LoopbackOnly(asked.application)(scope, receive, asked.send)
    return asked


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:7778", "127.0.0.1", "127.0.0.1:80", "127.8.9.1:7778", "[::1]:7778"],
)
async def test_a_name_of_the_loopback_passes_on_any_port(host: str) -> None:
    assert (await ask("DELETE", ("host", host))).passed


@pytest.mark.parametrize(
    "host",
    [
        "rebound.example",
        "rebound.example:7778",
        "127.0.0.1.rebound.example:7778",
        "localhost.rebound.example",
        "0.0.0.0:7778",
        "192.168.1.7:7778",
        "[2001:db8::1]:7778",
        "::1",
        "localhost:x",
        "",
    ],
)
async def test_another_name_is_refused_also_for_reading(host: str) -> None:
    asked = await ask("GET", ("host", host))

    assert (asked.passed, asked.status) == (False, 403)
    assert repr(host) in asked.error
    assert "--api-token" in asked.error


async def test_a_request_without_a_host_or_with_a_second_one_is_refused() -> None:
    assert (await ask("GET")).status == 403
    assert (await ask("GET", ("host", "localhost"), ("host", "rebound.example"))).status == 403


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT", "OPTIONS"])
@pytest.mark.parametrize(
    "origin", ["https://page.example", "null", "http://localhost.page.example", "file://localhost"]
)
async def test_what_the_page_of_somebody_else_sends_is_refused(method: str, origin: str) -> None:
    asked = await ask(method, ("host", "localhost:7778"), ("origin", origin))

    assert (asked.passed, asked.status) == (False, 403)
    assert repr(origin) in asked.error


@pytest.mark.parametrize(
    "origin", ["http://localhost:3000", "http://127.0.0.1:7778", "https://[::1]"]
)
async def test_what_a_page_of_this_machine_sends_passes(origin: str) -> None:
    assert (await ask("POST", ("host", "localhost:7778"), ("origin", origin))).passed


async def test_a_page_may_read_since_browsers_keep_the_answer_from_it() -> None:
    assert (await ask("GET", ("host", "localhost"), ("origin", "https://page.example"))).passed
