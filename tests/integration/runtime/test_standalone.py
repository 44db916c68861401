"""An instance on its own bus, its objects started, changed and stopped."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests._ports import free_port
from tiphys.aio import stop
from tiphys.manifests.common import TriggerConfig
from tiphys.observe.metrics import Metrics
from tiphys.runtime.standalone import Options, Standalone
from tiphys.triggers import Firing, Outcome, Trigger, trigger


class Config(TriggerConfig):
    """No options."""


@trigger("faulty", log_name="Faulty")
class Faulty(Trigger[Config]):
    """Has a bug that shows as soon as a manifest names it."""

    @classmethod
    def check(cls, config: Config) -> list[str]:
        raise KeyError("a bug")

    async def fire(self, firing: Firing[Config]) -> Outcome:
        raise NotImplementedError


def sensor(name: str, kind: str, **block: Any) -> dict[str, Any]:
    depends = {"name": "d", "eventSourceName": "web", "eventName": "hook"}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Sensor",
        "metadata": {"name": name},
        "spec": {
            "dependencies": [depends],
            "triggers": [{"template": {"name": "t", kind: block}}],
        },
    }


def webhook() -> dict[str, Any]:
    hook = {"port": str(free_port()), "endpoint": "/", "method": "POST"}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "EventSource",
        "metadata": {"name": "web"},
        "spec": {"webhook": {"hook": hook}},
    }


def values(kind: str, **members: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "shared"}, **members}


@pytest.fixture
async def receiver() -> AsyncIterator[tuple[str, asyncio.Queue[str]]]:
    """The address of a server, and the values of the header X-K in what it gets."""
    received: asyncio.Queue[str] = asyncio.Queue()

    async def receive(request: web.Request) -> web.Response:
        received.put_nowait(request.headers["X-K"])
        return web.Response()

    app = web.Application()
    app.router.add_post("/", receive)
    runner, port = web.AppRunner(app, access_log=None), free_port()
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield f"http://127.0.0.1:{port}/", received
    await runner.cleanup()


@pytest.fixture
async def instance(tmp_path: Path) -> AsyncIterator[Standalone]:
    manifests = tmp_path / "manifests"
    manifests.mkdir()
    options = Options(paths=[manifests], data_dir=tmp_path / "data", host="127.0.0.1")
    instance = Standalone(options, Metrics())
    yield instance
    await instance.stop()


def write(instance: Standalone, *objects: dict[str, Any]) -> None:
    (file,) = (Path(path) / "all.yaml" for path in instance.options.paths)
    file.write_text("\n---\n".join(map(json.dumps, objects)))


async def test_a_bug_that_a_manifest_meets_keeps_no_other_from_running(
    instance: Standalone,
) -> None:
    write(instance, webhook(), sensor("faulty", "faulty"), sensor("sound", "log"))
    (finding,) = await instance.start()

    assert finding.rule == "bug"
    assert "because of a bug of Tiphys: KeyError: 'a bug'" in finding.message
    assert [name for _, _, name in instance.sensors] == ["sound"]
    assert [name for _, _, name in instance.event_sources] == ["web"]


async def test_an_object_that_met_a_bug_runs_when_its_manifest_is_changed(
    instance: Standalone,
) -> None:
    source = webhook()
    write(instance, source, sensor("one", "faulty"))
    await instance.start()
    assert not instance.sensors
    write(instance, source, sensor("one", "log"))
    changes, findings = await instance.reload()

    assert changes.started == [("Sensor", "default", "one")]
    assert findings == []


@pytest.mark.parametrize(
    ("kind", "member", "reference"),
    [
        ("Secret", "stringData", "secretKeyRef"),
        ("ConfigMap", "data", "configMapKeyRef"),
    ],
)
async def test_a_value_that_changes_in_a_manifest_counts_at_once_and_nothing_restarts(
    instance: Standalone,
    receiver: tuple[str, asyncio.Queue[str]],
    kind: str,
    member: str,
    reference: str,
) -> None:
    url, received = receiver
    header = {"name": "X-K", "valueFrom": {reference: {"name": "shared", "key": "k"}}}
    source, tell = webhook(), sensor("tell", "http", url=url, method="POST", secureHeaders=[header])
    hook = f"http://127.0.0.1:{source['spec']['webhook']['hook']['port']}/"

    async def told() -> str:
        async with aiohttp.ClientSession() as session, session.post(hook, json={}) as answer:
            assert answer.status == 200
        async with asyncio.timeout(10):
            return await received.get()

    write(instance, source, tell, values(kind, **{member: {"k": "one"}}))
    await instance.start()
    async with asyncio.timeout(10):
        while instance.not_ready():
            await asyncio.sleep(0.01)
    assert await told() == "one"

    write(instance, source, tell, values(kind, **{member: {"k": "two"}}))
    changes, _ = await instance.reload()
    assert await told() == "two"
    assert not changes


async def test_a_new_annotation_restarts_an_event_source(instance: Standalone) -> None:
    """So that it opens anew what it opened with an old value."""
    source = webhook()
    write(instance, source)
    await instance.start()
    source["metadata"]["annotations"] = {"restarted": "today"}
    write(instance, source)
    changes, _ = await instance.reload()

    assert changes.restarted == [("EventSource", "default", "web")]


async def test_senders_notice_nothing_of_a_restart_of_their_event_source(
    instance: Standalone,
) -> None:
    source = webhook()
    hook = source["spec"]["webhook"]["hook"]
    url = f"http://127.0.0.1:{hook['port']}/"
    write(instance, source)
    await instance.start()
    async with asyncio.timeout(10):
        while instance.not_ready():
            await asyncio.sleep(0.01)
    statuses: list[int] = []

    async def send(http: aiohttp.ClientSession) -> None:
        while True:
            async with http.post(url, json={}) as answer:
                statuses.append(answer.status)

    async with aiohttp.ClientSession() as http:
        sending = [asyncio.create_task(send(http)) for _ in range(8)]
        for round_ in range(3):
            hook["metadata"] = {"round": str(round_)}
            write(instance, source)
            changes, _ = await instance.reload()
            assert changes.restarted
            answered = len(statuses)
            async with asyncio.timeout(10):
                while len(statuses) < answered + 20:
                    await asyncio.sleep(0.01)
        failed = [task for task in sending if task.done()]
        await stop(*sending)

    assert failed == []
    assert set(statuses) == {200}
