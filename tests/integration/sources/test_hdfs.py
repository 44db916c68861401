"""The hdfs source, against name nodes written from the documentation of WebHDFS."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from tests._ports import free_port
from tests.integration._certificates import Pair
from tests.integration.sources._events import running
from tests.integration.sources._providers.webhdfs import USER, FileSystem, NameNode, refusal
from tiphys.testing.remote_sources import RemoteService, RemoteSourceContract
from tiphys.testing.sources import data_of, make_source, started_bus


class Cluster(RemoteService):
    """Name nodes that share their files; the directory ``/in`` is watched."""

    def __init__(self, *nodes: NameNode, **options: Any) -> None:
        super().__init__()
        self.nodes = nodes
        self.files = nodes[0].files
        self.files.mkdir("/in")
        self.options = options

    def block(self) -> dict[str, Any]:
        return {
            "directory": "/in/",
            "pathRegexp": ".",
            "type": "CREATE",
            "checkInterval": "20ms",
            "addresses": [f"127.0.0.1:{node.port}" for node in self.nodes],
            "webAddresses": [node.url for node in self.nodes],
            "hdfsUser": USER,
            **self.options,
        }

    def unreachable_block(self) -> dict[str, Any]:
        return {**self.block(), "webAddresses": [f"http://127.0.0.1:{free_port()}"]}

    def refused_block(self) -> dict[str, Any]:
        return {**self.block(), "hdfsUser": "stranger"}

    async def emit(self, n: int) -> None:
        self.files.write(f"/in/{n}")

    def number(self, data: dict[str, Any]) -> int:
        return int(data["name"].rpartition("/")[2])

    async def connected(self) -> None:
        await self.walked()

    async def walked(self) -> None:
        """Return when a walk that began from now on is over, and taken in."""
        walks = [len(node.walks) for node in self.nodes]
        async with asyncio.timeout(10):
            while all(
                node.walks[start:].count("/in") < 3
                for node, start in zip(self.nodes, walks, strict=True)
            ):
                await asyncio.sleep(0.01)

    async def pause(self) -> None:
        for node in self.nodes:
            node.pause()

    async def resume(self) -> None:
        for node in self.nodes:
            node.resume()

    async def stop(self) -> None:
        for node in self.nodes:
            await node.stop()

    async def start(self) -> None:
        for node in self.nodes:
            await node.start()


@asynccontextmanager
async def cluster(*nodes: NameNode, **options: Any) -> AsyncIterator[Cluster]:
    async with AsyncExitStack() as stack:
        for node in (nodes := nodes or (NameNode(FileSystem()),)):
            await node.start()
            stack.push_async_callback(node.stop)
            stack.callback(node.resume)
        yield Cluster(*nodes, **options)


class TestHDFS(RemoteSourceContract):
    key = "hdfs"
    soon = {"tiphys.sources._shared.webhdfs.ANSWER": 0.5}  # noqa: RUF012

    @asynccontextmanager
    async def service(self) -> AsyncIterator[Cluster]:
        async with cluster() as service:
            yield service


async def test_the_payload_has_the_full_path_the_operation_and_null_for_no_metadata() -> None:
    bus = await started_bus()
    async with cluster() as service, running("hdfs", service, bus):
        service.files.mkdir("/in/a b%")
        service.files.write("/in/a b%/ä")
        await service.until(lambda: bool(bus.published))

    assert data_of(bus.published[0]) == {"name": "/in/a b%/ä", "op": 1, "metadata": None}


async def test_what_is_there_at_first_is_created_once_and_for_all() -> None:
    first, second = await started_bus(), await started_bus()
    async with cluster() as service:
        await service.emit(1)
        async with running("hdfs", service, first):
            await service.until(lambda: bool(first.published))
            await service.walked()
        await service.emit(2)
        async with running("hdfs", service, second):
            await service.until(lambda: bool(second.published))
            await service.walked()

    assert names(first) == ["/in/1"]
    assert names(second) == ["/in/2"]


@pytest.mark.parametrize("operation", ["WRITE", "CHMOD", "REMOVE", "RENAME"])
async def test_only_the_operations_that_are_asked_for_are_events(operation: str) -> None:
    bus = await started_bus()
    async with cluster(type=f"{operation}|unknown") as service:
        for name in ("written", "changed", "removed", "renamed"):
            service.files.write(f"/in/{name}")
        async with running("hdfs", service, bus):
            await service.walked()
            service.files.write("/in/written", 5)
            service.files.chmod("/in/changed", "600")
            service.files.delete("/in/removed")
            service.files.rename("/in/renamed", "/in/new")
            await service.walked()

    expected = {
        "WRITE": [("/in/written", 2)],
        "CHMOD": [("/in/changed", 16)],
        "REMOVE": [("/in/removed", 4), ("/in/renamed", 4)],
        "RENAME": [("/in/new", 9)],
    }
    assert operations(bus) == expected[operation]


async def test_operations_that_come_together_are_one_event() -> None:
    bus = await started_bus()
    async with cluster(type="CHMOD") as service:
        service.files.write("/in/a")
        async with running("hdfs", service, bus):
            await service.walked()
            service.files.write("/in/a", 7)
            service.files.chmod("/in/a", "600")
            await service.walked()

    assert operations(bus) == [("/in/a", 18)]


async def test_a_file_that_is_renamed_when_it_is_complete_is_created_under_its_name() -> None:
    bus = await started_bus()
    async with cluster(pathRegexp=r"\.csv$") as service, running("hdfs", service, bus):
        service.files.write("/in/a.csv._COPYING_")
        await service.walked()
        service.files.rename("/in/a.csv._COPYING_", "/in/a.csv")
        await service.until(lambda: bool(bus.published))

    assert names(bus) == ["/in/a.csv"]


async def test_without_ids_of_files_a_renamed_one_is_created_and_removed() -> None:
    bus = await started_bus()
    async with cluster(type="CREATE|REMOVE|RENAME") as service:
        service.files.gives_ids = False
        async with running("hdfs", service, bus):
            service.files.write("/in/a")
            await service.until(lambda: len(bus.published) == 1)
            service.files.rename("/in/a", "/in/b")
            await service.until(lambda: len(bus.published) == 3)

    assert sorted(operations(bus)) == [("/in/a", 1), ("/in/a", 4), ("/in/b", 1)]


async def test_files_of_the_same_name_in_different_directories_are_different_files() -> None:
    bus = await started_bus()
    async with cluster(type="CREATE|WRITE|RENAME|REMOVE") as service:
        for directory in ("a", "b"):
            service.files.mkdir(f"/in/{directory}")
            service.files.write(f"/in/{directory}/same")
        async with running("hdfs", service, bus):
            await service.until(lambda: len(bus.published) == 2)
            await service.walked()

    assert operations(bus) == [("/in/a/same", 1), ("/in/b/same", 1)]


async def test_a_file_that_is_replaced_by_another_is_written() -> None:
    bus = await started_bus()
    async with cluster(type="WRITE") as service:
        service.files.write("/in/a")
        async with running("hdfs", service, bus):
            await service.walked()
            service.files.write("/out")
            service.files.rename("/out", "/in/a")
            await service.until(lambda: bool(bus.published))

    assert names(bus) == ["/in/a"]


async def test_path_means_one_file_also_in_a_directory_below() -> None:
    bus = await started_bus()
    async with cluster(pathRegexp="", path="a/1") as service:
        service.files.mkdir("/in/a")
        for name in ("/in/1", "/in/a/1", "/in/a/11"):
            service.files.write(name)
        async with running("hdfs", service, bus):
            await service.walked()

    assert names(bus) == ["/in/a/1"]


async def test_the_active_name_node_is_found() -> None:
    files = FileSystem()
    one, other = NameNode(files), NameNode(files)
    one.on_standby = True
    bus = await started_bus()
    async with cluster(one, other) as service, running("hdfs", service, bus) as pull:
        await service.emit(1)
        await service.until(lambda: len(bus.published) == 1)
        one.on_standby, other.on_standby = False, True
        await service.emit(2)
        await service.until(lambda: len(bus.published) == 2)
        await other.stop()
        await service.emit(3)
        await service.until(lambda: len(bus.published) == 3)

        assert pull.status.error is None


async def test_without_an_active_name_node_each_says_why() -> None:
    files = FileSystem()
    one, other = NameNode(files), NameNode(files)
    one.on_standby = True
    async with cluster(one, other) as service:
        await other.stop()
        error = await error_of(service)

    assert "cannot be reached: this name node is on standby, " in error


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
    async with cluster() as service:
        service.nodes[0].answer = answer

        assert words in await error_of(service)


async def test_a_directory_that_is_missing_is_named_and_nothing_is_taken_for_removed() -> None:
    bus = await started_bus()
    async with cluster(type="CREATE|REMOVE") as service:
        await service.emit(1)
        async with running("hdfs", service, bus) as pull:
            await service.until(lambda: bool(bus.published))
            service.files.rename("/in", "/away")
            await service.until(lambda: pull.status.error is not None)
            assert "has no directory '/in'" in str(pull.status.error)
            service.files.rename("/away", "/in")
            await service.until(lambda: pull.status.ready)

    assert operations(bus) == [("/in/1", 1)]


async def test_a_file_in_place_of_the_directory_is_an_error() -> None:
    async with cluster() as service:
        service.files.delete("/in")
        service.files.write("/in")

        assert "'/in' is no directory" in await error_of(service)


async def test_a_directory_that_goes_while_it_is_walked_has_no_files() -> None:
    bus = await started_bus()
    async with cluster() as service, running("hdfs", service, bus):
        service.files.mkdir("/in/a")
        listing = service.files.listing

        def vanishing(path: str) -> list[dict[str, Any]]:
            found = listing(path)
            service.files.delete("/in/a")
            return found

        service.files.listing = vanishing  # type: ignore[method-assign]
        await service.emit(1)
        await service.until(lambda: bool(bus.published))

    assert names(bus) == ["/in/1"]


async def test_a_cluster_that_demands_kerberos_is_reported() -> None:
    async with cluster() as service:
        service.nodes[0].demands_kerberos = True

        assert "refuses the credentials" in await error_of(service)


async def test_https_trusts_the_given_roots(server_certificate: Pair) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*server_certificate)
    bus = await started_bus()
    async with cluster(NameNode(FileSystem(), context)) as service:
        assert "cannot be reached" in await error_of(service)
        service.options["tls"] = {"caCertSecret": {"name": "tls", "key": "ca"}}
        service.secrets.values["tls/ca"] = server_certificate.certificate.read_text()
        async with running("hdfs", service, bus):
            await service.emit(1)
            await service.until(lambda: bool(bus.published))


def test_hosts_of_addresses_are_asked_at_the_usual_port() -> None:
    source = make_source("hdfs", {"addresses": ["one:8020", "two"]})

    assert source._servers() == ["http://one:9870", "http://two:9870"]
    assert source._interval() == 60


BLOCK = {"directory": "/in/", "path": "a", "type": "CREATE", "addresses": ["n:8020"]}
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


def operations(bus: Any) -> list[tuple[str, int]]:
    """Name and operation of every event."""
    return [(data_of(event)["name"], data_of(event)["op"]) for event in bus.published]


def names(bus: Any) -> list[str]:
    return [name for name, _ in operations(bus)]


async def error_of(service: Cluster) -> str:
    """What the status says when the source cannot work."""
    connected, service.connected = service.connected, _at_once  # type: ignore[method-assign]
    async with running("hdfs", service, await started_bus()) as pull:
        service.connected = connected  # type: ignore[method-assign]
        await service.until(lambda: pull.status.error is not None)
        return str(pull.status.error)


async def _at_once() -> None:
    """Wait for nothing."""
