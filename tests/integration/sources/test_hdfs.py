"""The hdfs source, against Hadoop; what Hadoop cannot show, against a name node of our own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests._ports import free_port
from tests.integration._certificates import Pair
from tests.integration._hadoop import Files, Hadoop, HighlyAvailableHadoop
from tests.integration.sources._events import running
from tests.integration.sources._hdfs import USER, Directory, directory, error_of, operations
from tests.integration.sources._providers.webhdfs import DoubleNameNode, FileSystem, refusal
from tiphys.testing.clock import VirtualClock
from tiphys.testing.remote_sources import RemoteSourceContract
from tiphys.testing.sources import QUIET, Service, data_of, make_source, started_bus


class TestHDFS(RemoteSourceContract):
    key = "hdfs"
    soon = {"tiphys.sources._shared.webhdfs.ANSWER": 0.5}  # noqa: RUF012

    @pytest.fixture(autouse=True)
    def _server(self, hadoop: Hadoop) -> None:
        self.hadoop = hadoop

    @asynccontextmanager
    async def service(self) -> AsyncIterator[Directory]:
        async with directory(self.hadoop) as service:
            yield service


async def test_the_payload_has_the_full_path_the_operation_and_null_for_no_metadata(
    hadoop: Hadoop,
) -> None:
    bus = await started_bus()
    async with directory(hadoop) as service:
        # By way of another name, since data nodes of Hadoop 2.7 decode the names of files twice.
        await service.write("plain")
        await service.files.mkdir(f"{service.path}/a b%41+c;d?e#f")
        path = f"{service.path}/a b%41+c;d?e#f/ä"
        await service.files.rename(f"{service.path}/plain", path)
        async with running("hdfs", service, bus):
            await service.until(lambda: bool(bus.published))

    assert data_of(bus.published[0]) == {"name": path, "op": 1, "metadata": None}


async def test_what_is_there_at_first_is_created_once_and_for_all(hadoop: Hadoop) -> None:
    first, second = await started_bus(), await started_bus()
    async with directory(hadoop) as service:
        await service.emit(1)
        async with running("hdfs", service, first):
            await service.until(lambda: bool(first.published))
            await service.walked()
        await service.emit(2)
        async with running("hdfs", service, second):
            await service.until(lambda: bool(second.published))
            await service.walked()

    assert service.reported(first) == [("1", 1)]
    assert service.reported(second) == [("2", 1)]


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("CREATE", [("new", 9), ("later", 1)]),
        ("WRITE", [("written", 2), ("touched", 2), ("both", 18)]),
        ("CHMOD", [("changed", 16), ("both", 18)]),
        ("REMOVE", [("removed", 4), ("renamed", 4)]),
        ("RENAME", [("new", 9)]),
    ],
)
async def test_only_the_operations_that_are_asked_for_are_events(
    hadoop: Hadoop, operation: str, expected: list[tuple[str, int]]
) -> None:
    """All happen between two walks, so that what happens to one file is one event."""
    bus = await started_bus()
    async with directory(hadoop, type=f"{operation}|unknown") as service:
        for name in ("written", "touched", "changed", "both", "removed", "renamed"):
            await service.write(name)
        async with running("hdfs", service, bus):
            await service.walked()
        seen = len(bus.published)
        await service.files.append(f"{service.path}/written", b", and more")
        await service.files.touch(f"{service.path}/touched", 4_000_000_000_000)
        await service.files.chmod(f"{service.path}/changed", "600")
        await service.files.append(f"{service.path}/both", b", and more")
        await service.files.chmod(f"{service.path}/both", "600")
        await service.files.delete(f"{service.path}/removed")
        await service.files.rename(f"{service.path}/renamed", f"{service.path}/new")
        await service.write("later")
        async with running("hdfs", service, bus):
            await service.walked()

    assert sorted(service.reported(bus)[seen:]) == sorted(expected)


async def test_a_file_is_created_when_it_is_begun_and_written_when_it_is_complete(
    hadoop: Hadoop,
) -> None:
    bus = await started_bus()
    async with (
        directory(hadoop, type="CREATE|WRITE") as service,
        running("hdfs", service, bus),
        service.files.writing(f"{service.path}/a") as finish,
    ):
        await service.until(lambda: bool(bus.published))
        assert service.reported(bus) == [("a", 1)]
        await finish()
        await service.walked()

    first, *others = service.reported(bus)
    assert first == ("a", 1)
    assert {*others} == {("a", 2)}  # its size is known before it is complete


async def test_a_file_that_is_renamed_when_it_is_complete_is_created_under_its_name(
    hadoop: Hadoop,
) -> None:
    bus = await started_bus()
    async with (
        directory(hadoop, pathRegexp=r"\.csv$") as service,
        running("hdfs", service, bus),
    ):
        await service.write("a.csv._COPYING_")
        await service.walked()
        await service.files.rename(f"{service.path}/a.csv._COPYING_", f"{service.path}/a.csv")
        await service.until(lambda: bool(bus.published))

    assert service.reported(bus) == [("a.csv", 9)]


async def test_a_directory_that_is_renamed_renames_the_files_in_it(hadoop: Hadoop) -> None:
    bus = await started_bus()
    async with directory(hadoop, type="RENAME|REMOVE") as service:
        await service.write("a/b/1")
        await service.write("a/2")
        async with running("hdfs", service, bus):
            await service.walked()
            await service.files.rename(f"{service.path}/a", f"{service.path}/new")
            await service.until(lambda: len(bus.published) == 4)

    created, removed = service.reported(bus)[:2], service.reported(bus)[2:]
    assert created == [("new/b/1", 9), ("new/2", 9)]
    assert removed == [("a/2", 4), ("a/b/1", 4)]


async def test_files_of_the_same_name_in_different_directories_are_different_files(
    hadoop: Hadoop,
) -> None:
    bus = await started_bus()
    async with directory(hadoop, type="CREATE|WRITE|RENAME|REMOVE") as service:
        await service.write("a/same")
        await service.write("b/same")
        async with running("hdfs", service, bus):
            await service.until(lambda: len(bus.published) == 2)
            await service.walked()

    assert service.reported(bus) == [("a/same", 1), ("b/same", 1)]


async def test_a_file_that_is_replaced_by_another_is_written(hadoop: Hadoop) -> None:
    bus = await started_bus()
    async with directory(hadoop, type="WRITE") as service:
        await service.write("a")
        async with running("hdfs", service, bus):
            await service.walked()
            await service.write("a")
            await service.until(lambda: bool(bus.published))

    assert {*service.reported(bus)} == {("a", 2)}


async def test_path_means_one_file_also_in_a_directory_below(hadoop: Hadoop) -> None:
    bus = await started_bus()
    async with directory(hadoop, pathRegexp="", path="a/1") as service:
        for name in ("1", "a/1", "a/11"):
            await service.write(name)
        async with running("hdfs", service, bus):
            await service.walked()

    assert service.reported(bus) == [("a/1", 1)]


async def test_a_directory_that_is_missing_is_named_and_nothing_is_taken_for_removed(
    hadoop: Hadoop,
) -> None:
    bus = await started_bus()
    async with directory(hadoop, type="CREATE|REMOVE") as service:
        await service.emit(1)
        async with running("hdfs", service, bus) as pull:
            await service.until(lambda: bool(bus.published))
            await service.files.rename(service.path, f"{service.path}-away")
            await service.until(lambda: pull.status.error is not None)
            assert f"has no directory '{service.path}'" in str(pull.status.error)
            await service.files.rename(f"{service.path}-away", service.path)
            await service.until(lambda: pull.status.ready)

    assert service.reported(bus) == [("1", 1)]


async def test_a_file_in_place_of_the_directory_is_an_error(hadoop: Hadoop) -> None:
    async with directory(hadoop) as service:
        await service.files.delete(service.path)
        await service.files.write(service.path)

        assert f"'{service.path}' is no directory" in await error_of(service)


async def test_a_directory_below_that_is_closed_to_the_user_is_an_error(hadoop: Hadoop) -> None:
    async with directory(hadoop) as service:
        await service.files.mkdir(f"{service.path}/closed", "000")
        error = await error_of(service)

    assert "refuses the credentials: Permission denied: user=worker" in error
    assert f"{service.path}/closed" in error


async def test_a_name_of_a_user_that_hadoop_does_not_know_is_an_error(hadoop: Hadoop) -> None:
    async with directory(hadoop, hdfsUser="no name") as service:
        assert 'parameter "user.name"' in await error_of(service)


async def test_https_trusts_the_given_roots(hadoop: Hadoop, server_certificate: Pair) -> None:
    bus = await started_bus()
    async with directory(hadoop, webAddresses=[hadoop.names.secure_url]) as service:
        assert "cannot be reached" in await error_of(service)
        service.options["tls"] = {"caCertSecret": {"name": "tls", "key": "ca"}}
        service.secrets.values["tls/ca"] = server_certificate.certificate.read_text()
        async with running("hdfs", service, bus):
            await service.emit(1)
            await service.until(lambda: bool(bus.published))


async def test_the_active_name_node_is_found(tmp_path: Path, server_certificate: Pair) -> None:
    bus = await started_bus()
    async with highly_available(tmp_path, server_certificate) as hadoop:
        one, other = hadoop.names, hadoop.other
        nobody = f"http://127.0.0.1:{free_port()}"
        error = await error_of(Directory(hadoop, webAddresses=[other.url, nobody]))
        assert "cannot be reached: this name node is on standby, Connection refused" in error

        service = Directory(hadoop, webAddresses=[other.url, one.url])
        await asyncio.to_thread(one.activate)
        await service.make()
        async with running("hdfs", service, bus) as pull:
            await service.emit(1)
            await service.until(lambda: len(bus.published) == 1)
            await asyncio.to_thread(one.kill)
            await asyncio.to_thread(other.activate)
            await Files(other, USER).write(f"{service.path}/2")
            await service.until(lambda: len(bus.published) == 2)
            await service.until(lambda: pull.status.ready)

    assert service.reported(bus) == [("1", 1), ("2", 1)]


@asynccontextmanager
async def highly_available(
    directory: Path, certificate: Pair
) -> AsyncIterator[HighlyAvailableHadoop]:
    hadoop = await asyncio.to_thread(HighlyAvailableHadoop(directory, certificate).__enter__)
    try:
        yield hadoop
    finally:
        await asyncio.to_thread(hadoop.__exit__)


class Double(Service):
    """A name node of our own, for what Hadoop does only now and then, or did long ago."""

    def __init__(self, node: DoubleNameNode, **options: Any) -> None:
        super().__init__()
        self.node = node
        self.options = options
        self.files = node.files
        self.files.mkdir("/in")

    def block(self) -> dict[str, Any]:
        return {
            "directory": "/in/",
            "pathRegexp": ".",
            "type": "CREATE|REMOVE|RENAME",
            "checkInterval": "20ms",
            "webAddresses": [self.node.url],
            "hdfsUser": USER,
            **self.options,
        }

    async def emit(self, n: int) -> None:
        self.files.write(f"/in/{n}")

    def number(self, data: dict[str, Any]) -> int:
        return int(data["name"].rpartition("/")[2])


@asynccontextmanager
async def double(**options: Any) -> AsyncIterator[Double]:
    async with DoubleNameNode(FileSystem()) as node:
        yield Double(node, **options)


async def test_every_file_is_reported_one_interval_after_the_first_start_of_all() -> None:
    bus = await started_bus()
    async with double(checkInterval="1h") as service:
        service.clock = clock = VirtualClock()
        service.files.write("/in/a")
        async with running("hdfs", service, bus) as pull:
            await service.until(lambda: pull.status.ready)
            for _ in range(2):
                assert bus.published == []
                await clock.advance(1800)
                await service.wait(QUIET)

            assert operations(bus) == [("/in/a", 1)]


async def test_a_later_start_reports_at_once_what_happened_meanwhile() -> None:
    bus = await started_bus()
    async with double(checkInterval="1h") as service:
        async with running("hdfs", service, bus) as pull:
            await service.until(lambda: pull.status.ready)
            await service.until(lambda: bool(service.store.values))
        service.files.write("/in/a")
        async with running("hdfs", service, bus):
            await service.until(lambda: bool(bus.published))

    assert operations(bus) == [("/in/a", 1)]


async def test_what_is_wrong_and_that_it_is_right_again_shows_without_waiting_for_a_walk() -> None:
    bus = await started_bus()
    async with double(checkInterval="1h") as service:
        service.files.delete("/in")
        async with running("hdfs", service, bus) as pull:
            await service.until(lambda: "has no directory '/in'" in (pull.status.error or ""))
            service.files.mkdir("/in")
            await service.until(lambda: pull.status.ready)


@pytest.mark.parametrize("loss", ["the cluster", "the directory"])
async def test_what_goes_between_two_walks_is_noticed(
    monkeypatch: pytest.MonkeyPatch, loss: str
) -> None:
    monkeypatch.setattr("tiphys.sources.hdfs.CHECK", 0.02)
    bus = await started_bus()
    async with double(checkInterval="1h") as service, running("hdfs", service, bus) as pull:
        await service.until(lambda: pull.status.ready)
        await service.wait(QUIET)
        assert pull.status.error is None
        if loss == "the cluster":
            await service.node.__aexit__()
        else:
            service.files.delete("/in")
        expected = {"the cluster": "cannot be reached", "the directory": "has no directory"}[loss]
        await service.until(lambda: expected in (pull.status.error or ""))
        assert not pull.status.ready


async def test_without_ids_of_files_a_renamed_one_is_created_and_removed() -> None:
    bus = await started_bus()
    async with double() as service:
        service.files.gives_ids = False
        async with running("hdfs", service, bus):
            service.files.write("/in/a")
            await service.until(lambda: len(bus.published) == 1)
            service.files.rename("/in/a", "/in/b")
            await service.until(lambda: len(bus.published) == 3)

    assert sorted(operations(bus)) == [("/in/a", 1), ("/in/a", 4), ("/in/b", 1)]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (web.Response(text="no json"), "answers with no listing: no json"),
        (web.json_response({"FileStatuses": 5}), "answers with no listing"),
        (web.Response(status=502, text="<html>"), "does not list the directory: status 502"),
        (refusal(403, "RetriableException", "starting"), "cannot be reached: starting"),
    ],
)
async def test_an_answer_that_is_no_listing_is_an_error(answer: web.Response, words: str) -> None:
    async with double() as service:
        service.node.answer = answer

        assert words in await error_of(service)


async def test_a_directory_that_goes_while_it_is_walked_has_no_files() -> None:
    bus = await started_bus()
    async with double() as service, running("hdfs", service, bus):
        service.files.mkdir("/in/a")
        listing = service.files.listing

        def vanishing(path: str) -> list[dict[str, Any]]:
            found = listing(path)
            service.files.delete("/in/a")
            return found

        service.files.listing = vanishing  # type: ignore[method-assign]
        await service.emit(1)
        await service.until(lambda: bool(bus.published))

    assert operations(bus) == [("/in/1", 1)]


@pytest.mark.parametrize(
    ("old", "new"),
    [("/in/a/1", "/in/b/1"), ("/in/b/1", "/in/a/1"), ("/in/b/1", "/in/1")],
    ids=["seen twice", "not seen", "not seen below"],
)
async def test_a_file_that_is_renamed_during_a_walk_is_renamed(old: str, new: str) -> None:
    bus = await started_bus()
    async with double() as service, running("hdfs", service, bus):
        service.files.mkdir("/in/a")
        service.files.mkdir("/in/b")
        service.files.write(old)
        await service.until(lambda: bool(bus.published))
        listing = service.files.listing

        def renaming(path: str) -> list[dict[str, Any]]:
            found = listing(path)
            if path == "/in/a" and old in service.files.nodes:
                service.files.rename(old, new)
            return found

        service.files.listing = renaming  # type: ignore[method-assign]
        await service.until(lambda: len(bus.published) == 3)

    assert operations(bus) == [(old, 1), (new, 9), (old, 4)]


async def test_a_cluster_that_demands_kerberos_is_reported() -> None:
    async with double() as service:
        service.node.demands_kerberos = True

        assert "refuses the credentials" in await error_of(service)


def test_hosts_of_addresses_are_asked_at_the_usual_port() -> None:
    source = make_source("hdfs", {"addresses": ["one:8020", "two"]})

    assert source._servers() == ["http://one:9870", "http://two:9870"]
    assert source._interval() == 60


BLOCK = {"directory": "/in/", "path": "a", "type": "CREATE", "addresses": ["n:8020"]}
NO_ADDRESS = "is not host:port, such as namenode:8020"
NO_KERBEROS = "Kerberos is not supported; a cluster that demands it cannot be used"


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({"hdfsUser": "a"}, []),
        ({}, ["`hdfsUser` is missing"]),
        ({"krbKeytabSecret": {"name": "a", "key": "b"}, "hdfsUser": "a"}, [NO_KERBEROS]),
        ({"krbCCacheSecret": {"name": "a", "key": "b"}}, [NO_KERBEROS]),
        ({"hdfsUser": "a", "type": ""}, ["`type` is missing"]),
        (
            {"hdfsUser": "a", "type": "create"},
            ["`type` names none of CREATE, WRITE, REMOVE, RENAME, CHMOD"],
        ),
        ({"hdfsUser": "a", "addresses": []}, ["`addresses` is missing"]),
        ({"hdfsUser": "a", "addresses": ["::bad::/"]}, [f"`addresses`: '::bad::/' {NO_ADDRESS}"]),
        ({"hdfsUser": "a", "addresses": ["http://n"]}, [f"`addresses`: 'http://n' {NO_ADDRESS}"]),
        ({"hdfsUser": "a", "addresses": ["n:1:2"]}, [f"`addresses`: 'n:1:2' {NO_ADDRESS}"]),
        ({"hdfsUser": "a", "addresses": ["n", "10.0.0.1:8020", "[::1]:8020"]}, []),
        ({"hdfsUser": "a", "addresses": ["::"], "webAddresses": ["http://n:9870"]}, []),
        (
            {"hdfsUser": "a", "webAddresses": ["namenode:9870"]},
            ["`webAddresses`: 'namenode:9870' is no URL, such as http://namenode:9870"],
        ),
        (
            {"hdfsUser": "a", "checkInterval": "0s"},
            ["`checkInterval` must be more than nothing"],
        ),
        (
            {"hdfsUser": "a", "checkInterval": "soon"},
            ['`checkInterval`: time: invalid duration "soon"'],
        ),
        (
            {"hdfsUser": "a", "directory": "/in"},
            ["`path` never matches unless `directory` ends with one slash"],
        ),
        ({"hdfsUser": "a", "directory": ""}, ["`directory` is missing"]),
    ],
)
def test_options_that_make_no_sense_are_named(changes: dict[str, Any], problems: list[str]) -> None:
    assert make_source("hdfs", {**BLOCK, **changes}).check() == problems
