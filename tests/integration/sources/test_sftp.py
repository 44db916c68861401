"""The sftp source, against OpenSSH's server; for passwords against asyncssh's."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from tests._ports import free_port
from tests.integration.sources._events import running
from tests.integration.sources._sshd import SSHServer, make_key, public
from tiphys.sources import sftp as module
from tiphys.testing.remote_sources import WRONG, RemoteService, RemoteSourceContract
from tiphys.testing.sources import QUIET, data_of, make_source, started_bus


def ref(key: str) -> dict[str, str]:
    return {"name": "sftp", "key": key}


class Directory(RemoteService):
    """A directory of a server that all tests share; *rounds* counts how often it was listed."""

    def __init__(self, server: SSHServer, path: Path, rounds: list[str], **options: Any) -> None:
        super().__init__()
        self.server = server
        self.path = path
        self.rounds = rounds
        self.options = {"eventType": "CREATE", **options}
        self.secrets.values = {
            "sftp/address": server.address,
            "sftp/nowhere": f"127.0.0.1:{free_port()}",
            "sftp/user": server.user,
            "sftp/wrong": WRONG,
            "sftp/key": server.client_key.read_text() + public(server.host_key),
            "sftp/hosts": server.known_hosts,
        }

    def block(self) -> dict[str, Any]:
        return {
            "address": ref("address"),
            "username": ref("user"),
            "sshKeySecret": ref("key"),
            "watchPathConfig": {"directory": str(self.path), "pathRegexp": "."},
            "pollIntervalDuration": "20ms",
            **self.options,
        }

    def unreachable_block(self) -> dict[str, Any]:
        return {**self.block(), "address": ref("nowhere")}

    def refused_block(self) -> dict[str, Any]:
        block = {**self.block(), "password": ref("wrong"), "knownHosts": ref("hosts")}
        del block["sshKeySecret"]
        return block

    async def emit(self, n: int) -> None:
        path = self.path / f"{n:04}"
        path.touch()
        os.utime(path, (1_700_000_000 + n,) * 2)

    def number(self, data: dict[str, Any]) -> int:
        return int(data["name"])

    async def connected(self) -> None:
        await self.listed()

    async def listed(self, times: int = 2) -> None:
        """Return when the directory was listed again, and what was there is taken in."""
        self.rounds.clear()
        async with asyncio.timeout(10):
            while len(self.rounds) < times:
                await asyncio.sleep(0.01)

    async def pause(self) -> None:
        self.server.pause()

    async def resume(self) -> None:
        self.server.resume()

    async def stop(self) -> None:
        await asyncio.to_thread(self.server.stop)

    async def start(self) -> None:
        await asyncio.to_thread(self.server.start)


@pytest.fixture(scope="module")
def server(server_directory: Path) -> Iterator[SSHServer]:
    """An SSH server."""
    with SSHServer(server_directory / "sshd") as running_server:
        yield running_server


@pytest.fixture
def rounds(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The directories that were listed, one entry each time."""
    seen: list[str] = []
    listing = module.listing

    async def noted(client: Any, server: Any, directory: str) -> Any:
        files = await listing(client, server, directory)
        seen.append(directory)
        return files

    monkeypatch.setattr(module, "listing", noted)
    return seen


@pytest.fixture
def directory(server: SSHServer, tmp_path: Path, rounds: list[str]) -> Directory:
    """A directory of the server."""
    return Directory(server, tmp_path, rounds)


class TestSFTP(RemoteSourceContract):
    key = "sftp"
    soon = {"tiphys.sources.sftp.ANSWER": 0.5}  # noqa: RUF012

    @pytest.fixture(autouse=True)
    def _directory(self, directory: Directory) -> None:
        self.directory = directory

    @asynccontextmanager
    async def service(self) -> AsyncIterator[Directory]:
        yield self.directory

    async def test_a_server_that_falls_silent_amid_a_listing_is_noticed(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "ANSWER", 0.5)
        handler = asyncssh.sftp.SFTPClientHandler
        ask = handler.readdir

        async def ask_the_deaf(*arguments: Any) -> Any:
            monkeypatch.setattr(handler, "readdir", ask)
            self.directory.server.pause()
            return await ask(*arguments)

        async with self.running(self.directory, await started_bus()) as (pull, _):
            try:
                monkeypatch.setattr(handler, "readdir", ask_the_deaf)
                await self.directory.until(lambda: pull.status.error is not None)
            finally:
                self.directory.server.resume()

        assert "no answer in time" in str(pull.status.error)


async def test_the_payload_has_name_operation_and_null_for_no_metadata(
    directory: Directory,
) -> None:
    bus = await started_bus()
    async with running("sftp", directory, bus):
        await directory.emit(7)
        await directory.until(lambda: bool(bus.published))

    assert data_of(bus.published[0]) == {"name": "0007", "op": 1, "metadata": None}


async def test_what_is_there_at_first_is_no_event_and_a_change_of_it_is(
    directory: Directory,
) -> None:
    (directory.path / "0001").write_text("old")
    bus = await started_bus()
    async with running("sftp", directory, bus):
        await directory.listed()
        assert bus.published == []
        (directory.path / "0001").write_text("longer than before")
        await directory.until(lambda: bool(bus.published))

    assert data_of(bus.published[0])["name"] == "0001"


async def test_what_has_gone_is_an_event_if_it_is_asked_for(directory: Directory) -> None:
    directory.options["eventType"] = "REMOVE"
    await directory.emit(1)
    bus = await started_bus()
    async with running("sftp", directory, bus):
        await directory.emit(2)
        await directory.listed()
        (directory.path / "0001").unlink()
        await directory.until(lambda: bool(bus.published))

    assert data_of(bus.published[0]) == {"name": "0001", "op": 4, "metadata": None}


async def test_directories_and_names_that_do_not_match_are_no_events(
    directory: Directory,
) -> None:
    watched = {"directory": f"{directory.path}/", "path": "0003"}
    directory.options["watchPathConfig"] = watched
    bus = await started_bus()
    async with running("sftp", directory, bus):
        (directory.path / "0001").mkdir()
        for n in (2, 30003, 3):
            await directory.emit(n)
        await directory.until(lambda: bool(bus.published))
        await directory.listed()

    assert [directory.number(data_of(event)) for event in bus.published] == [3]


async def test_what_came_while_nothing_ran_is_an_event_and_what_was_reported_is_not(
    directory: Directory,
) -> None:
    first, second = await started_bus(), await started_bus()
    async with running("sftp", directory, first):
        await directory.emit(1)
        await directory.until(lambda: bool(first.published))
        await directory.listed()
    await directory.emit(2)
    async with running("sftp", directory, second):
        await directory.until(lambda: bool(second.published))
        await directory.listed()

    assert [directory.number(data_of(event)) for event in second.published] == [2]


async def test_an_event_that_comes_again_has_the_same_id(directory: Directory) -> None:
    class Forgetful(type(directory.store)):  # type: ignore[misc]
        """A store that is away once the first listing is in it."""

        async def put(self, key: str, value: bytes) -> None:
            self.values.setdefault(key, value)

    directory.store = Forgetful()
    first, second = await started_bus(), await started_bus()
    for bus in (first, second):
        async with running("sftp", directory, bus):
            (directory.path / "0001").touch()
            os.utime(directory.path / "0001", (1, 1))
            await directory.until(lambda bus=bus: bool(bus.published))  # type: ignore[misc]

    assert first.published[0].id == second.published[0].id


async def test_a_file_that_comes_back_just_as_it_was_is_an_event_of_its_own(
    directory: Directory,
) -> None:
    bus = await started_bus()
    async with running("sftp", directory, bus):
        for count in (1, 2):
            await directory.emit(1)
            await directory.until(lambda count=count: len(bus.published) == count)  # type: ignore[misc]
            (directory.path / "0001").unlink()
            await directory.listed()

    assert len({event.id for event in bus.published}) == 2


async def test_names_that_are_no_utf8_are_events_each_of_its_own(directory: Directory) -> None:
    bus, later = await started_bus(), await started_bus()
    async with running("sftp", directory, bus):
        for number, name in enumerate([b"bad\xfe", b"bad\xff"]):
            touch(directory.path, name)
            await directory.until(lambda number=number: len(bus.published) > number)  # type: ignore[misc]
        await directory.emit(1)
        await directory.until(lambda: len(bus.published) == 3)
        await directory.listed()
    touch(directory.path, b"later\xff")
    async with running("sftp", directory, later):
        await directory.until(lambda: bool(later.published))
        await directory.listed()

    assert [data_of(event)["name"] for event in bus.published] == ["bad\ufffd"] * 2 + ["0001"]
    assert len({event.id for event in bus.published}) == 3
    assert [data_of(event)["name"] for event in later.published] == ["later\ufffd"]


async def test_patterns_match_names_that_are_no_utf8(directory: Directory) -> None:
    watched = {"directory": f"{directory.path}/", "pathRegexp": r"^bad\x{fffd}$"}
    directory.options |= {"watchPathConfig": watched, "eventType": "REMOVE"}
    touch(directory.path, b"bad\xff")
    bus = await started_bus()
    async with running("sftp", directory, bus):
        await directory.listed()
        (directory.path / os.fsdecode(b"bad\xff")).unlink()
        await directory.until(lambda: bool(bus.published))

    assert data_of(bus.published[0]) == {"name": "bad\ufffd", "op": 4, "metadata": None}


async def test_another_directory_begins_anew(directory: Directory) -> None:
    async with running("sftp", directory, await started_bus()):
        await directory.listed()
    other = directory.path / "other"
    other.mkdir()
    (other / "0001").touch()
    directory.options["watchPathConfig"] = {"directory": str(other), "pathRegexp": "."}
    bus = await started_bus()
    async with running("sftp", directory, bus):
        await directory.listed()

    assert bus.published == []


async def test_a_record_that_cannot_be_read_is_named(directory: Directory) -> None:
    await directory.store.put("ev/files", b"no record")

    error = await error_of(directory)

    assert "remove the record 'ev/files'" in error


async def test_a_connection_that_breaks_loses_nothing(
    directory: Directory, server: SSHServer
) -> None:
    bus = await started_bus()
    async with running("sftp", directory, bus):
        server.drop()
        await directory.emit(1)
        await directory.until(lambda: bool(bus.published))

    assert [directory.number(data_of(event)) for event in bus.published] == [1]


@pytest.mark.parametrize("loss", ["closes", "falls silent"])
async def test_a_connection_that_ends_between_two_listings_is_noticed(
    directory: Directory, server: SSHServer, monkeypatch: pytest.MonkeyPatch, loss: str
) -> None:
    monkeypatch.setattr(module, "KEEPALIVE", 0.1)
    directory.options["pollIntervalDuration"] = "1h"
    directory.connected = _at_once  # type: ignore[method-assign]
    async with running("sftp", directory, await started_bus()) as pull:
        await directory.until(lambda: pull.status.ready)
        await directory.wait(10 * QUIET)
        assert pull.status.error is None
        if loss == "closes":
            server.drop()
        else:
            server.pause()
        try:
            await directory.until(lambda: pull.status.error is not None)
        finally:
            server.resume()
        assert pull.status.error == (
            f"the connection to SFTP at {directory.server.address} broke: it was closed"
        )
        await directory.until(lambda: pull.status.ready)


async def test_a_directory_that_is_not_there_is_named(directory: Directory) -> None:
    directory.options["watchPathConfig"] = {"directory": "/no/such", "pathRegexp": "."}

    error = await error_of(directory)

    assert error == f"SFTP at {directory.server.address} does not list '/no/such': No such file"


@pytest.mark.parametrize("way", ["behind the private key", "knownHosts"])
async def test_a_server_with_another_key_than_the_expected_one_is_refused(
    directory: Directory, way: str
) -> None:
    make_key(directory.path / "other")
    other = public(directory.path / "other")
    if way == "knownHosts":
        directory.options["knownHosts"] = ref("hosts")
        directory.secrets.values["sftp/hosts"] = f"[127.0.0.1]:{directory.server.port} {other}"
    else:
        directory.secrets.values["sftp/key"] = directory.server.client_key.read_text() + other

    error = await error_of(directory)

    assert error.startswith(f"SFTP at {directory.server.address} shows a key that is not")


@pytest.mark.parametrize("hosts", ["", "# nothing", "example.org ssh-ed25519 AAAA"])
async def test_known_hosts_without_the_server_let_no_server_pass(
    directory: Directory, hosts: str
) -> None:
    directory.options["knownHosts"] = ref("hosts")
    directory.secrets.values["sftp/hosts"] = hosts
    directory.secrets.values["sftp/key"] = directory.server.client_key.read_text()

    assert await error_of(directory)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("nothing", "holds no private key"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nAA==\n-----END OPENSSH PRIVATE KEY-----\n", "used"),
        (None, "holds no public key of the server"),
    ],
)
async def test_a_secret_that_is_no_key_is_named(
    directory: Directory, key: str | None, words: str
) -> None:
    directory.secrets.values["sftp/key"] = key or directory.server.client_key.read_text()

    error = await error_of(directory)

    assert words in error
    assert "PRIVATE KEY" not in error


@pytest.mark.parametrize("secret", ["example.org", "user:example.org@example.org:22"])
async def test_an_address_that_is_none_is_an_error_that_does_not_quote_the_secret(
    directory: Directory, secret: str
) -> None:
    directory.secrets.values["sftp/address"] = secret

    assert await error_of(directory) == "the secret of `address` must hold host:port"


async def test_a_password_lets_in_at_the_server_that_is_known(
    directory: Directory, tmp_path_factory: pytest.TempPathFactory
) -> None:
    keys = tmp_path_factory.mktemp("keys")
    make_key(keys / "host")
    port = free_port()
    accept = await asyncssh.listen(
        "127.0.0.1",
        port,
        server_factory=Worker,
        server_host_keys=[keys / "host"],
        sftp_factory=True,
    )
    directory.secrets.values |= {
        "sftp/address": f"127.0.0.1:{port}",
        "sftp/user": "worker",
        "sftp/password": "secret",
        "sftp/hosts": f"[127.0.0.1]:{port} {public(keys / 'host')}",
    }
    block = directory.refused_block()
    directory.options |= {**block, "sshKeySecret": None, "password": ref("password")}
    bus = await started_bus()
    async with accept, running("sftp", directory, bus):
        await directory.emit(1)
        await directory.until(lambda: bool(bus.published))

    assert [directory.number(data_of(event)) for event in bus.published] == [1]


class Worker(asyncssh.SSHServer):
    """Lets in ``worker`` with the password ``secret``."""

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == ("worker", "secret")


BLOCK = {
    "address": ref("address"),
    "username": ref("user"),
    "sshKeySecret": ref("key"),
    "eventType": "CREATE",
    "watchPathConfig": {"directory": "/in", "path": "a"},
}


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({}, []),
        ({"pollIntervalDuration": "1m"}, []),
        (
            {"pollIntervalDuration": "often"},
            ['`pollIntervalDuration`: time: invalid duration "often"'],
        ),
        ({"pollIntervalDuration": "0s"}, ["`pollIntervalDuration` must be more than nothing"]),
        ({"eventType": "WRITE"}, ["`eventType` must be CREATE or REMOVE"]),
        ({"sshKeySecret": None}, ["either `password` or `sshKeySecret` must be given"]),
        ({"address": None}, ["`address` is missing"]),
        (
            {"watchPathConfig": {"directory": "/in"}},
            ["either `watchPathConfig.path` or `watchPathConfig.pathRegexp` must be given"],
        ),
    ],
)
def test_options_that_make_no_sense_are_named(changes: dict[str, Any], problems: list[str]) -> None:
    assert make_source("sftp", {**BLOCK, **changes}).check() == problems


def test_a_password_is_not_given_to_a_server_that_nobody_knows() -> None:
    (problem,) = make_source(
        "sftp", {**BLOCK, "sshKeySecret": None, "password": ref("password")}
    ).check()

    assert problem.startswith("`knownHosts` is missing")


def test_the_pause_is_ten_seconds_unless_the_manifest_says_otherwise() -> None:
    assert make_source("sftp", BLOCK)._interval() == 10
    assert make_source("sftp", {**BLOCK, "pollIntervalDuration": "90s"})._interval() == 90


def touch(directory: Path, name: bytes) -> None:
    """Make a file whose name need not be UTF-8; all have the same size and time."""
    path = directory / os.fsdecode(name)
    path.touch()
    os.utime(path, (1, 1))


async def error_of(directory: Directory) -> str:
    """What the status says when the source cannot work."""
    directory.connected = _at_once  # type: ignore[method-assign]
    async with running("sftp", directory, await started_bus()) as pull:
        await directory.until(lambda: pull.status.error is not None)
        return str(pull.status.error)


async def _at_once() -> None:
    """Wait for nothing."""
