"""HTTP triggers against a real server on the loopback."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from aiohttp import web

from tests._ports import free_port
from tiphys.errors import TriggerError
from tiphys.testing.triggers import EVENT, Target, TriggerContract
from tiphys.triggers import Egress, triggers

N = {"dependencyName": "dep", "dataKey": "n"}


class Server(Target):
    """Writes requests down; paths choose the answer."""

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()
        self.requests: list[dict[str, Any]] = []
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.secrets.values |= {"cred/user": "ada", "cred/password": "s3cret", "cfg/key": "plain"}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def block(self) -> dict[str, Any]:
        secret = {"name": "cred", "key": "password"}
        return {
            "url": f"{self.url}/ok",
            "payload": [{"src": {**N, "useRawData": True}, "dest": "n"}],
            "secureHeaders": [{"name": "X-Key", "valueFrom": {"secretKeyRef": secret}}],
        }

    async def received(self) -> Sequence[Any]:
        return self.requests

    def unreachable(self) -> dict[str, Any]:
        return {"url": f"http://127.0.0.1:{free_port()}/"}

    def refused(self) -> dict[str, Any]:
        return {"url": "http:///no-host"}

    async def stall(self) -> None:
        self.flowing.clear()

    async def handle(self, request: web.Request) -> web.Response:
        await self.flowing.wait()
        self.requests.append(
            {
                "method": request.method,
                "path": request.path,
                "headers": [(key.decode(), value.decode()) for key, value in request.raw_headers],
                "body": await request.read(),
            }
        )
        kind, _, rest = request.path.lstrip("/").partition("/")
        if kind.isdigit():
            return web.Response(status=int(kind), headers={"Location": f"/{rest}"} if rest else {})
        if kind == "wait":
            return web.Response(status=429, headers={"Retry-After": rest})
        if kind == "loop":
            return web.Response(status=302, headers={"Location": "/loop"})
        if kind == "elsewhere":
            location = f"http://localhost:{self.port}/ok"
            return web.Response(status=307, headers={"Location": location})
        return web.Response(text="x" * 100_000 if kind == "long" else "fine")

    def header(self, name: str, request: int = 0) -> list[str]:
        """The values of a header, its name in exactly this spelling."""
        return [value for key, value in self.requests[request]["headers"] if key == name]


class TestHTTP(TriggerContract):
    key = "http"

    @contextlib.asynccontextmanager
    async def target(self) -> AsyncIterator[Server]:
        server = Server()
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", server.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", server.port).start()
        try:
            yield server
        finally:
            server.flowing.set()
            await runner.cleanup()


@contextlib.asynccontextmanager
async def fired(path: str = "/ok", **block: Any) -> AsyncIterator[tuple[Server, Any]]:
    """The server and the outcome after one firing."""
    contract = TestHTTP()
    async with contract.target() as server:
        options = {"url": server.url + path, **block}
        async with contract.running(server, options) as running:
            yield server, await running.fire()


async def test_posts_the_payload_without_a_content_type_and_reports_the_status() -> None:
    async with fired("/202", payload=[{"src": N, "dest": "n"}]) as (server, outcome):
        (request,) = server.requests

    assert (request["method"], json.loads(request["body"])) == ("POST", {"n": "7"})
    assert outcome.status == 202
    assert not [key for key, _ in request["headers"] if key.lower() == "content-type"]


async def test_any_answer_is_a_success_without_a_policy() -> None:
    async with fired("/500") as (_, outcome):
        assert outcome.status == 500


@pytest.mark.parametrize("method", ["GET", "DELETE", "PATCH", "POST", "PUT"])
async def test_the_method_is_the_configured_one_and_any_may_have_a_body(method: str) -> None:
    block = {"method": method, "payload": [{"src": N, "dest": "n"}]}
    async with fired(**block) as (server, _):
        assert server.requests[0]["method"] == method
        assert server.requests[0]["body"] == b'{"n":"7"}'


async def test_a_first_payload_entry_without_dest_is_the_whole_body() -> None:
    source = {"dependencyName": "dep", "dataKey": "text"}
    async with fired(payload=[{"src": source, "dest": ""}]) as (server, _):
        assert server.requests[0]["body"] == b"hello"


async def test_headers_come_from_manifest_events_and_secrets_in_the_given_spelling() -> None:
    async with fired(
        headers={"x-plain": "1", "X-Over": "plain", "Host": "ignored"},
        dynamicHeaders=[
            {"src": N, "dest": "x-dynamic"},
            {"src": N, "dest": "X-Over"},
            {"src": {"dependencyName": "gone", "dataKey": "n"}, "dest": "x-gone"},
        ],
        secureHeaders=[
            {
                "name": "x-secure",
                "valueFrom": {"secretKeyRef": {"name": "cred", "key": "password"}},
            },
            {"name": "x-config", "valueFrom": {"configMapKeyRef": {"name": "cfg", "key": "key"}}},
        ],
    ) as (server, _):
        names = ("x-plain", "x-dynamic", "X-Over", "x-secure", "x-config", "x-gone", "Host")
        values = {name: server.header(name) for name in names}

    assert values == {
        "x-plain": ["1"],
        "x-dynamic": ["7"],
        "X-Over": ["7"],
        "x-secure": ["s3cret"],
        "x-config": ["plain"],
        "x-gone": [],
        "Host": [f"127.0.0.1:{server.port}"],
    }


async def test_host_replaces_the_host_header() -> None:
    async with fired(host="builds.example.com") as (server, _):
        assert server.header("Host") == ["builds.example.com"]


async def test_basic_auth_comes_from_secrets() -> None:
    auth = {
        "username": {"name": "cred", "key": "user"},
        "password": {"name": "cred", "key": "password"},
    }
    async with fired(basicAuth=auth) as (server, _):
        assert server.header("Authorization") == ["Basic YWRhOnMzY3JldA=="]


async def test_an_unreadable_password_sends_no_request() -> None:
    contract = TestHTTP()
    async with contract.target() as server:
        auth = {"password": {"name": "gone", "key": "x"}}
        block = {"url": f"{server.url}/ok", "basicAuth": auth}
        async with contract.running(server, block) as running:
            with pytest.raises(TriggerError, match="failed to retrieve the password"):
                await running.fire()

    assert server.requests == []


@pytest.mark.parametrize(
    ("status", "method", "body"),
    [(301, "GET", b""), (302, "GET", b""), (303, "GET", b""), (307, "PUT", b'{"n":"7"}')],
)
async def test_redirects_turn_into_get_or_repeat_the_request(
    status: int, method: str, body: bytes
) -> None:
    payload = [{"src": N, "dest": "n"}]
    async with fired(f"/{status}/ok", method="PUT", payload=payload) as (server, outcome):
        last = server.requests[-1]

    assert (last["path"], last["method"], last["body"]) == ("/ok", method, body)
    assert outcome.status == 200


async def test_redirects_without_end_are_given_up() -> None:
    with pytest.raises(TriggerError, match="stopped after 10 redirects"):
        async with fired("/loop"):
            pass


async def test_credentials_do_not_follow_a_redirect_to_another_host() -> None:
    async with fired("/elsewhere", headers={"Authorization": "Bearer x", "X-Other": "y"}) as (
        server,
        _,
    ):
        assert server.header("Authorization", 0) == ["Bearer x"]
        assert server.header("Authorization", 1) == []
        assert server.header("X-Other", 1) == ["y"]


async def test_connections_are_used_again_also_after_long_answers() -> None:
    contract = TestHTTP()
    async with contract.target() as server:
        block = {"url": f"{server.url}/long"}
        async with contract.running(server, block) as running:
            outcomes = [await running.fire() for _ in range(3)]

    assert [len(outcome.detail) for outcome in outcomes] == [256] * 3


async def test_every_attempt_of_an_action_has_the_same_idempotency_key() -> None:
    contract = TestHTTP()
    async with contract.target() as server, contract.running(server) as running:
        await running.fire(EVENT, "one")
        await running.fire(EVENT, "one")
        await running.fire(EVENT, "two")

        keys = [server.header("Idempotency-Key", request)[0] for request in range(3)]
    assert keys == ["one", "one", "two"]


async def test_a_parameter_changes_url_and_method() -> None:
    parameters = [
        {"src": {"dependencyName": "dep", "dataKey": "text"}, "dest": "url", "operation": "append"},
        {"src": {"dependencyName": "dep", "value": "PUT"}, "dest": "method"},
    ]
    async with fired("/to-", parameters=parameters) as (server, _):
        assert server.requests[0]["path"] == "/to-hello"
        assert server.requests[0]["method"] == "PUT"


def test_lint_finds_a_missing_url_and_a_method_that_is_not_supported() -> None:
    cls = triggers.get("http")
    problems = cls.check(cls.Config.model_validate({"method": "HEAD"}))

    assert problems == [
        "server URL is not specified",
        "only GET, DELETE, PATCH, POST and PUT methods are supported",
    ]


async def test_denied_addresses_are_not_reached_directly_by_name_or_through_redirects() -> None:
    contract = TestHTTP()
    async with contract.target() as server:
        for block, egress in (
            ({"url": f"{server.url}/ok"}, Egress.parse([], ["private"])),
            ({"url": f"http://localhost:{server.port}/ok"}, Egress.parse([], ["private"])),
            ({"url": f"{server.url}/elsewhere"}, Egress.parse([], ["::1", "203.0.113.0/24"])),
        ):
            server.egress = egress
            async with contract.running(server, block) as running:
                if "elsewhere" in block["url"]:
                    assert (await running.fire()).status == 200
                    continue
                with pytest.raises(TriggerError, match="may not reach"):
                    await running.fire()

    assert [request["path"] for request in server.requests] == ["/elsewhere", "/ok"]


async def test_the_wait_that_a_server_asks_for_is_told_to_the_engine() -> None:
    async with fired("/wait/17") as (_, outcome):
        assert (outcome.status, outcome.retry_after) == (429, 17.0)
    async with fired("/wait/99999") as (_, outcome):
        assert outcome.retry_after == 300.0
    async with fired("/ok") as (_, outcome):
        assert outcome.retry_after == 0.0
