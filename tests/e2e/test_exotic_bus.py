"""``jetstreamExotic``: pipelines on a NATS server of one's own, and with others on it."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import aiohttp
import nats
import pytest

from tests._ports import free_port
from tests.e2e._manifests import dependency, dumped, event_source, http_trigger, sensor, webhook
from tests.e2e._program import Program, Receiver
from tests.integration._servers import NatsServer

OPTIONS = """
jetstream: {{ store_dir: "{store}" }}
authorization: {{ user: "ada", password: "hush" }}
"""


@pytest.fixture
def server(tmp_path: Path) -> Any:
    """A NATS server with JetStream that demands a password."""
    options = OPTIONS.format(store=tmp_path / "store")
    with NatsServer(tmp_path / "nats", options) as running:
        yield running


def manifests(server: NatsServer, receiver: Receiver, port: int) -> str:
    """A pipeline on that server."""
    bus = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "EventBus",
        "metadata": {"name": "default"},
        "spec": {
            "jetstreamExotic": {
                "url": server.url,
                "accessSecret": {"name": "nats", "key": "auth"},
            }
        },
    }
    auth = base64.b64encode(b"username: ada\npassword: hush\n").decode()
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "nats"},
        "data": {"auth": auth},
    }
    trigger = http_trigger("t", receiver.url, {"n": "d:body.n"})
    return dumped(
        bus,
        secret,
        event_source("web", {"hook": webhook(port)}),
        sensor("sn", [dependency("d")], [trigger]),
    )


async def post(port: int, number: int) -> int:
    url = f"http://127.0.0.1:{port}/hook"
    async with aiohttp.ClientSession() as session, session.post(url, json={"n": number}) as answer:
        return answer.status


async def test_a_pipeline_runs_on_it_and_starts_no_server_of_its_own(
    program: Program, receiver: Receiver, server: NatsServer
) -> None:
    port = free_port()
    program.write("all.yaml", manifests(server, receiver, port))
    await program.start()
    assert await post(port, 1) == 200
    await receiver.wait(1)

    assert receiver.bodies == [{"n": 1}]
    assert not list(program.data_dir.rglob("*.pid"))
    assert "hush" not in program.output


async def test_events_of_an_argo_events_event_source_are_acted_on(
    program: Program, receiver: Receiver, server: NatsServer
) -> None:
    program.write("all.yaml", manifests(server, receiver, free_port()))
    await program.start()
    client = await nats.connect(server.url, user="ada", password="hush")
    event = {
        "specversion": "1.0",
        "id": "6c1f0f4e0b7c4d6e9f3a2b1c0d9e8f7a",
        "source": "web",
        "type": "webhook",
        "subject": "hook",
        "datacontenttype": "application/json",
        "time": "2026-01-01T00:00:00.000000001Z",
        "data_base64": base64.b64encode(b'{"body":{"n":42}}').decode(),
    }
    headers = {"Nats-Msg-Id": event["id"]}
    await client.jetstream().publish(
        "default.web.hook", json.dumps(event).encode(), headers=headers
    )
    await client.close()
    await receiver.wait(1)

    assert receiver.bodies == [{"n": 42}]


async def test_while_the_server_is_away_senders_are_told_and_all_recovers_by_itself(
    program: Program, receiver: Receiver, server: NatsServer
) -> None:
    port = free_port()
    program.write("all.yaml", manifests(server, receiver, port))
    await program.start()
    await asyncio.to_thread(server.kill)
    assert await post(port, 1) == 503
    await asyncio.to_thread(server.start)
    await program.wait_ready()
    assert await post(port, 2) == 200
    await receiver.wait(1)

    assert receiver.bodies == [{"n": 2}]
    lost = [line for line in program.output.splitlines() if '"warn"' in line or '"error"' in line]
    assert len(lost) < 10, lost
