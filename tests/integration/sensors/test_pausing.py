"""Pausing over HTTP and the command line, on the embedded bus."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests._ports import free_port
from tests.e2e._manifests import dependency, dumped, event_source, http_trigger, sensor, webhook
from tests.e2e._program import Receiver, tiphys
from tiphys.dashboard import api
from tiphys.dashboard.pausing import operations
from tiphys.observe.metrics import Metrics
from tiphys.runtime.standalone import Options, Standalone
from tiphys.runtime.web import serving


class Running:
    """An instance with a webhook, two triggers and the operations that pause."""

    def __init__(self, folder: Path, receiver: Receiver) -> None:
        self.folder = folder
        self.hook_port, self.api_port = free_port(), free_port()
        triggers = [
            http_trigger(name, f"{receiver.url}{name}", {"n": "dep:body.n"}) for name in ("t", "u")
        ]
        (folder / "manifests").mkdir()
        (folder / "manifests" / "all.yaml").write_text(
            dumped(
                event_source("web", {"hook": webhook(self.hook_port)}),
                sensor("sn", [dependency("dep")], triggers),
            )
        )

    @contextlib.asynccontextmanager
    async def started(self) -> AsyncIterator[Standalone]:
        """Run it."""
        options = Options(
            [self.folder / "manifests"], data_dir=self.folder / "data", host="127.0.0.1"
        )
        instance = Standalone(options, Metrics())
        await instance.start()
        try:
            async with asyncio.timeout(20):
                while instance.not_ready():
                    await asyncio.sleep(0.05)
            async with serving(api(instance), "127.0.0.1", self.api_port, "--api-port"):
                yield instance
        finally:
            await instance.stop()

    async def post(self, number: int) -> None:
        """Send a number to the webhook."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"http://127.0.0.1:{self.hook_port}/hook", json={"n": number}) as answer,
        ):
            assert answer.status == 200

    async def call(self, *arguments: str) -> str:
        """The output of a command."""
        api = {"TIPHYS_API": f"http://127.0.0.1:{self.api_port}"}
        status, output = await tiphys(*arguments, env=api)
        assert status == 0, output
        return output

    async def request(self, verb: str, body: dict[str, Any] | None) -> tuple[int, Any]:
        """Status and answer of a request."""
        url = f"http://127.0.0.1:{self.api_port}/api/v1/sensors/default/sn/{verb}"
        async with aiohttp.ClientSession() as session, session.post(url, json=body) as answer:
            return answer.status, json.loads(await answer.read())


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver().running() as running:
        yield running


async def test_a_paused_trigger_keeps_its_backlog_over_a_restart(
    tmp_path: Path, receiver: Receiver
) -> None:
    running = Running(tmp_path, receiver)
    async with running.started():
        printed = await running.call("pause", "sn/t")
        assert printed == "sn/t: paused\n"
        await running.post(1)
        await receiver.wait(1)
    async with running.started() as instance:
        await running.post(2)
        await receiver.wait(2)
        assert {statuses.name: statuses.phase for statuses in _statuses(instance)} == {
            "t": "paused",
            "u": "running",
        }
        assert (await running.call("resume", "sn/t")).startswith("sn/t: ")
        await receiver.wait(4)

    assert sorted(body["n"] for body in receiver.bodies) == [1, 1, 2, 2]


async def test_a_whole_sensor_is_paused_and_resumed(tmp_path: Path, receiver: Receiver) -> None:
    running = Running(tmp_path, receiver)
    async with running.started():
        status, answer = await running.request("pause", None)
        assert status == 200
        assert answer == [
            {"trigger": "t", "phase": "paused", "reason": "paused"},
            {"trigger": "u", "phase": "paused", "reason": "paused"},
        ]
        await running.post(1)
        status, _ = await running.request("resume", {})
        assert status == 200
        await receiver.wait(2)

    assert len(receiver.requests) == 2


async def test_a_stop_while_an_action_runs_does_not_repeat_it(
    tmp_path: Path, receiver: Receiver
) -> None:
    running = Running(tmp_path, receiver)
    receiver.delay = 1.0
    async with running.started():
        await running.post(1)
        await asyncio.sleep(0.3)
    async with running.started():
        await asyncio.sleep(0.5)
        await running.post(2)
        await receiver.wait(4)
        await asyncio.sleep(0.5)

    assert sorted(body["n"] for body in receiver.bodies) == [1, 1, 2, 2]


async def test_a_pause_while_an_action_runs_does_not_repeat_it(
    tmp_path: Path, receiver: Receiver
) -> None:
    running = Running(tmp_path, receiver)
    receiver.delay = 1.0
    async with running.started():
        await running.post(1)
        await asyncio.sleep(0.3)
        await running.request("pause", {})
        await receiver.wait(2)
        await asyncio.sleep(0.3)
        await running.request("resume", {})
        await running.post(2)
        await receiver.wait(4)
        await asyncio.sleep(0.5)

    assert sorted(body["n"] for body in receiver.bodies) == [1, 1, 2, 2]


def test_the_operations_describe_themselves(tmp_path: Path) -> None:
    instance = Standalone(Options([tmp_path]), Metrics())

    assert [(o.method, o.path.rpartition("/")[2]) for o in operations(instance)] == [
        ("POST", "pause"),
        ("POST", "resume"),
    ]


def _statuses(instance: Standalone) -> list[Any]:
    (runner,) = instance.sensors.values()
    return list(runner.statuses.values())
