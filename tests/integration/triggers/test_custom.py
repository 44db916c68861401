"""Custom triggers against a gRPC server in this process."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
import grpc.aio
import pytest
import structlog

from tests._ports import free_port
from tests.integration._certificates import Pair
from tiphys.errors import TriggerError
from tiphys.languages import yaml_json
from tiphys.testing.triggers import Target, TriggerContract
from tiphys.triggers import triggers
from tiphys.triggers._shared import protobuf
from tiphys.triggers.custom import Config

N = {"src": {"dependencyName": "dep", "dataKey": "n", "useRawData": True}}


class TriggerServer(Target):
    """The service ``triggers.Trigger``; what it sees is written down."""

    def __init__(self, pair: Pair | None = None) -> None:
        super().__init__()
        self.port = free_port()
        self.fetched: list[bytes] = []
        self.executed: list[tuple[bytes, bytes]] = []
        self.judged: list[bytes] = []
        self.keys: list[str] = []
        self.resource = b'{"kind": "Build"}'
        self.verdict = b"\x08\x01\x12\x02ok"  # success: true, message: "ok"
        self.refusal: grpc.StatusCode | None = None
        self.flowing = asyncio.Event()
        self.flowing.set()
        if pair is not None:
            self.secrets.values["grpc/ca"] = pair.certificate.read_text()

    def block(self) -> dict[str, Any]:
        return {
            "serverURL": f"127.0.0.1:{self.port}",
            "spec": {"url": "https://x", "answer": "yes"},
            "payload": [{**N, "dest": "n"}],
        }

    async def received(self) -> Sequence[Any]:
        return self.executed

    def unreachable(self) -> dict[str, Any]:
        return {**self.block(), "serverURL": f"127.0.0.1:{free_port()}"}

    def refused(self) -> dict[str, Any]:
        return {**self.block(), "spec": {"refuse": "INVALID_ARGUMENT"}}

    async def stall(self) -> None:
        self.flowing.clear()

    async def fetch(self, request: bytes, context: Any) -> bytes:
        spec = bytes_of(request, 1)
        self.fetched.append(spec)
        if b"refuse" in spec:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "there is no such build")
        return protobuf.message(self.resource)

    async def execute(self, request: bytes, context: Any) -> bytes:
        await self.flowing.wait()
        if self.refusal is not None:
            await context.abort(self.refusal, "not today")
        self.executed.append((bytes_of(request, 1), bytes_of(request, 2)))
        self.keys += [v for k, v in context.invocation_metadata() if k == "idempotency-key"]
        return protobuf.message(b"built")

    async def judge(self, request: bytes, _context: Any) -> bytes:
        self.judged.append(bytes_of(request, 1))
        return self.verdict


def bytes_of(message: bytes, number: int) -> bytes:
    """A field of a message."""
    value = protobuf.fields(message).get(number, b"")
    assert isinstance(value, bytes)
    return value


@contextlib.asynccontextmanager
async def trigger_server(pair: Pair | None = None) -> AsyncIterator[TriggerServer]:
    """A running server; with a certificate it speaks TLS."""
    target = TriggerServer(pair)
    methods: dict[str, Any] = {
        "FetchResource": target.fetch,
        "Execute": target.execute,
        "ApplyPolicy": target.judge,
    }
    handlers = {name: grpc.unary_unary_rpc_method_handler(call) for name, call in methods.items()}
    server = grpc.aio.server()
    service = grpc.method_handlers_generic_handler("triggers.Trigger", handlers)
    server.add_generic_rpc_handlers((service,))
    address = f"127.0.0.1:{target.port}"
    if pair is None:
        server.add_insecure_port(address)
    else:
        keys = [(pair.key.read_bytes(), pair.certificate.read_bytes())]
        server.add_secure_port(address, grpc.ssl_server_credentials(keys))
    await server.start()
    try:
        yield target
    finally:
        target.flowing.set()
        await server.stop(0.1)


class TestCustom(TriggerContract):
    key = "custom"

    @contextlib.asynccontextmanager
    async def target(self) -> AsyncIterator[TriggerServer]:
        async with trigger_server() as target:
            yield target


async def fire(target: TriggerServer, **block: Any) -> Any:
    """The outcome of one firing."""
    async with TestCustom().running(target, {**target.block(), **block}) as running:
        return await running.fire()


async def test_the_three_calls_carry_spec_resource_payload_and_response() -> None:
    async with trigger_server() as target:
        outcome = await fire(target)

    assert target.fetched == [b'"answer": "yes"\n"url": "https://x"\n']
    assert target.executed == [(b'{"kind": "Build"}', b'{"n":7}')]
    assert target.judged == [b"built"]
    assert target.keys == ["action-1"]
    assert outcome.detail == "built"


async def test_the_spec_is_yaml_with_texts_only() -> None:
    spec = {"b": "yes", "a: b": 'x"\n', "n": "1"}
    async with trigger_server() as target:
        await fire(target, spec=spec)

    assert json.loads(yaml_json.convert(target.fetched[0])) == spec


async def test_parameters_change_what_the_server_fetched() -> None:
    async with trigger_server() as target:
        await fire(target, parameters=[{**N, "dest": "spec.n"}], payload=None)

    ((resource, payload),) = target.executed
    assert json.loads(resource) == {"kind": "Build", "spec": {"n": 7}}
    assert payload == b""


async def test_without_parameters_any_bytes_pass_through() -> None:
    async with trigger_server() as target:
        target.resource = b"\x00\xff" * 300
        await fire(target)

    assert target.executed[0][0] == b"\x00\xff" * 300


@pytest.mark.parametrize("resource", [b"kind: Build", b"[1]"])
async def test_parameters_need_an_object(resource: bytes) -> None:
    async with trigger_server() as target:
        target.resource = resource
        with pytest.raises(TriggerError, match="is not valid JSON for trigger tr, ") as caught:
            await fire(target, parameters=[{**N, "dest": "n"}])

    assert not caught.value.retryable
    assert target.executed == []


async def test_a_negative_verdict_is_shown_and_logged_and_no_failure() -> None:
    with structlog.testing.capture_logs() as lines:
        async with trigger_server() as target:
            target.verdict = b"\x12\x06flawed"
            outcome = await fire(target)

    assert outcome.detail == "a failure by the server's policy (flawed): built"
    assert [line["message"] for line in lines if line["log_level"] == "warning"] == ["flawed"]


@pytest.mark.parametrize(
    ("code", "retryable"),
    [
        (grpc.StatusCode.UNKNOWN, True),
        (grpc.StatusCode.UNAVAILABLE, True),
        (grpc.StatusCode.PERMISSION_DENIED, False),
    ],
)
async def test_an_error_of_the_server_fails_the_action(
    code: grpc.StatusCode, retryable: bool
) -> None:
    async with trigger_server() as target:
        target.refusal = code
        with pytest.raises(TriggerError, match=f"{code.name}: not today") as caught:
            await fire(target)

    assert caught.value.retryable is retryable
    assert target.judged == []


async def test_an_answer_that_is_no_message_is_refused() -> None:
    async with trigger_server() as target:
        target.verdict = b"\x12\x7f"
        with pytest.raises(TriggerError, match="the answer to ApplyPolicy"):
            await fire(target)


async def test_tls_trusts_the_given_certificate_only(
    server_certificate: Pair, client_certificate: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    secure = {"secure": True, "certSecret": {"name": "grpc", "key": "ca"}}
    async with trigger_server(server_certificate) as target:
        await fire(target, **secure)
        monkeypatch.setattr("tiphys.triggers.custom.CONNECT", 0.5)
        target.secrets.values["grpc/ca"] = client_certificate.certificate.read_text()
        with pytest.raises(TriggerError, match="failed to connect to trigger server"):
            await fire(target, **secure)

    assert len(target.executed) == 1


@pytest.mark.parametrize(
    ("block", "problems"),
    [
        (
            {"secure": True},
            [
                "custom trigger gRPC server url is not defined",
                "trigger body can't be empty",
                "certSecret can't be nil when the trigger server connection is secure",
            ],
        ),
        ({"serverURL": "s:1", "spec": {"a": "b"}}, []),
    ],
)
def test_what_argo_events_refuses_is_refused(block: dict[str, Any], problems: list[str]) -> None:
    assert triggers.get("custom").check(Config.model_validate(block)) == problems


@pytest.mark.parametrize(
    "encoded",
    [b"\x0a", b"\x0a\x05ab", b"\x0b", b"\xff" * 12, b"\x08"],
    ids=["no size", "too short", "a group", "too large a number", "no number"],
)
def test_bytes_that_are_no_message_are_found_out(encoded: bytes) -> None:
    with pytest.raises(protobuf.NotProtobuf):
        protobuf.fields(encoded)


def test_messages_are_read_as_they_were_written_and_unknown_kinds_are_passed_over() -> None:
    long = b"x" * 300

    assert protobuf.fields(protobuf.message(b"", long, b"c")) == {2: long, 3: b"c"}
    assert protobuf.fields(b"\x09abcdefgh\x15ijkl\x18\xac\x02") == {
        1: b"abcdefgh",
        2: b"ijkl",
        3: 300,
    }
