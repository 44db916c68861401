"""The quickstart's pipeline with real payloads: the right ones fire with the right values."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests._ports import free_port
from tests.e2e._program import Program, Receiver

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/github-push"
PAYLOADS = sorted((ROOT / "tests/data/github").glob("*.json"))


@pytest.fixture
async def url(program: Program, receiver: Receiver) -> str:
    """The example on ports of our own; the address of its webhook."""
    port = free_port()
    source = (EXAMPLE / "eventsource.yaml").read_text().replace('"12000"', f'"{port}"')
    sensor = (EXAMPLE / "sensor.yaml").read_text()
    program.write("eventsource.yaml", source)
    program.write("sensor.yaml", sensor.replace("http://127.0.0.1:12001/", receiver.url))
    await program.start()
    return f"http://127.0.0.1:{port}/push"


async def send(url: str, body: Any, headers: dict[str, str] | None = None) -> tuple[int, str]:
    """Post a body; returns status and event id."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=body, headers=headers) as answer,
    ):
        await answer.read()
        return answer.status, answer.headers.get("X-Event-Id", "")


async def test_a_push_to_main_calls_the_build_server_with_its_values(
    program: Program, receiver: Receiver, url: str
) -> None:
    status, event_id = await send(url, (EXAMPLE / "push.json").read_bytes())
    await receiver.wait(1)

    assert status == 200
    assert len(event_id) == 32
    assert receiver.bodies == [
        {
            "commit": "6113728f27ae82c7b1a177c8d03f9e96e0adf246",
            "ref": "refs/heads/main",
            "branch": "main",
            "repository": "Codertocat/Hello-World",
        }
    ]
    await program.wait_output(event_id)


async def test_only_pushes_to_the_wanted_branches_of_the_wanted_repository_fire(
    receiver: Receiver, url: str
) -> None:
    for path in PAYLOADS:
        assert (await send(url, path.read_bytes()))[0] == 200
    push = json.loads((EXAMPLE / "push.json").read_text())
    other = {**push, "repository": {**push["repository"], "full_name": "someone/else"}}
    release = {**push, "ref": "refs/heads/release/1.2"}
    for body in (other, {**push, "ref": "refs/heads/feature"}, release):
        assert (await send(url, json.dumps(body)))[0] == 200
    await receiver.wait(1)
    await asyncio.sleep(0.5)

    assert [body["ref"] for body in receiver.bodies] == ["refs/heads/release/1.2"]


async def test_what_is_refused_leaves_no_event(
    program: Program, receiver: Receiver, url: str
) -> None:
    async with aiohttp.ClientSession() as session:
        statuses = []
        for method, path, body in (
            ("PUT", "", b"{}"),
            ("POST", "/nowhere", b"{}"),
            ("POST", "", b"{not json"),
            ("POST", "", b""),
            ("POST", "", b'{"x":"' + b"x" * 1048576 + b'"}'),
        ):
            data = io.BytesIO(body)
            async with session.request(method, url + path, data=data) as answer:
                statuses.append(answer.status)
        async with session.get(f"http://127.0.0.1:{program.metrics_port}/metrics") as answer:
            metrics = await answer.text()

    assert statuses == [400, 404, 400, 400, 400]
    name = 'argo_events_events_sent_total{event_name="github-push"'
    (line,) = [line for line in metrics.splitlines() if line.startswith(name)]
    assert line.endswith(" 0.0")
    assert receiver.requests == []
