"""The file source, on real directories."""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import shutil
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.integration.sources._events import LABELS, running
from tiphys.observe.metrics import Metrics
from tiphys.sources import file as module
from tiphys.sources._shared import inotify, listing
from tiphys.sources._shared.watched import Change
from tiphys.testing.bus import MemoryBus
from tiphys.testing.clock import VirtualClock
from tiphys.testing.sources import Service, SourceContract, data_of, make_source, started_bus

LOST = "the file system tells what happened once; a watcher that is away hears nothing of it"


class Directory(Service):
    """A directory; *looks* counts how often it was listed."""

    def __init__(self, path: Path, looks: list[str], **options: Any) -> None:
        super().__init__()
        self.path = path
        self.looks = looks
        self.options = {"eventType": "CREATE", **options}

    def block(self) -> dict[str, Any]:
        watched = {"directory": f"{self.path}/", "pathRegexp": "."}
        return {"watchPathConfig": watched, **self.options}

    async def emit(self, n: int) -> None:
        (self.path / f"{n:04}").touch()

    def number(self, data: dict[str, Any]) -> int:
        return int(Path(data["name"]).name)

    async def stop(self) -> None:
        self.path.rmdir()

    async def start(self) -> None:
        self.path.mkdir()

    async def connected(self) -> None:
        self.looks.clear()
        polling = self.options.get("polling", False)
        async with asyncio.timeout(10):
            while not (self.looks if polling else watches()):
                await asyncio.sleep(0.01)


def watches() -> list[str]:
    """The watches that this process has in the kernel."""
    found = []
    for entry in Path("/proc/self/fdinfo").iterdir():
        try:
            found += [line for line in entry.read_text().splitlines() if "inotify wd" in line]
        except OSError:
            continue
    return found


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The directories that were listed, one entry each time."""
    seen: list[str] = []
    look = listing.look

    def noted(directory: str) -> Any:
        snapshot = look(directory)
        seen.append(directory)
        return snapshot

    monkeypatch.setattr(listing, "look", noted)
    return seen


class TestNotified(SourceContract):
    key = "file"
    no_redelivery = LOST
    polling = False

    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path, looks: list[str]) -> None:
        self.path, self.looks = tmp_path / "watched", looks
        self.path.mkdir()

    @asynccontextmanager
    async def service(self) -> AsyncIterator[Directory]:
        yield Directory(self.path, self.looks, polling=self.polling)


class TestPolled(TestNotified):
    polling = True


MODES = pytest.mark.parametrize("polling", [False, True])
DO: dict[str, Callable[[Path], object]] = {
    "CREATE": lambda path: (path / "new").touch(),
    "WRITE": lambda path: (path / "old").write_text("more"),
    "REMOVE": lambda path: (path / "old").unlink(),
    "RENAME": lambda path: (path / "old").rename(path / "renamed"),
    "CHMOD": lambda path: (path / "old").chmod(0o600),
}
BITS = {"CREATE": 1, "WRITE": 2, "REMOVE": 4, "RENAME": 8, "CHMOD": 16}


@MODES
@pytest.mark.parametrize("operation", list(DO))
async def test_each_operation_is_an_event_with_its_bit(
    tmp_path: Path, looks: list[str], operation: str, polling: bool
) -> None:
    (tmp_path / "old").touch()
    service = directory(tmp_path, looks, "^(old|new)$", eventType=operation, polling=polling)
    bus = await started_bus()
    async with running("file", service, bus):
        DO[operation](tmp_path)
        await service.until(lambda: bool(bus.published))
        await service.wait(0.3)
    name = "new" if operation == "CREATE" else "old"

    assert {data_of(event)["name"] for event in bus.published} == {
        name if polling else f"{tmp_path}/{name}"
    }
    assert {data_of(event)["op"] for event in bus.published} == {BITS[operation]}


@MODES
async def test_metadata_is_null_or_what_the_manifest_says(
    tmp_path: Path, looks: list[str], polling: bool
) -> None:
    service = directory(tmp_path, looks, ".", polling=polling)
    labelled = directory(tmp_path, looks, ".", polling=polling, metadata={"team": "a"})
    bus, other = await started_bus(), await started_bus()
    async with running("file", service, bus):
        await service.emit(1)
        await service.until(lambda: bool(bus.published))
    async with running("file", labelled, other):
        await labelled.emit(2)
        await labelled.until(lambda: bool(other.published))

    assert data_of(bus.published[0])["metadata"] is None
    assert data_of(other.published[0])["metadata"] == {"team": "a"}


@MODES
async def test_what_happens_in_a_directory_below_is_no_event(
    tmp_path: Path, looks: list[str], polling: bool
) -> None:
    (tmp_path / "below").mkdir()
    service = directory(tmp_path, looks, "[0-9]$", polling=polling)
    bus = await started_bus()
    async with running("file", service, bus):
        (tmp_path / "below" / "7").touch()
        await service.emit(8)
        await service.until(lambda: bool(bus.published))

    assert [service.number(data_of(event)) for event in bus.published] == [8]


@MODES
async def test_a_file_that_is_moved_in_is_created_and_one_that_is_moved_out_is_not(
    tmp_path: Path, looks: list[str], polling: bool
) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "0001").touch()
    (inside / "0002").touch()
    service = directory(inside, looks, ".", polling=polling)
    bus = await started_bus()
    async with running("file", service, bus):
        (inside / "0002").rename(outside / "0002")
        (outside / "0001").rename(inside / "0001")
        await service.until(lambda: bool(bus.published))

    assert [service.number(data_of(event)) for event in bus.published] == [1]


@MODES
async def test_path_means_one_file(tmp_path: Path, looks: list[str], polling: bool) -> None:
    watched = {"directory": f"{tmp_path}/", "path": "0002"}
    service = Directory(tmp_path, looks, watchPathConfig=watched, polling=polling)
    bus = await started_bus()
    async with running("file", service, bus):
        for n in (1, 2, 20002):
            await service.emit(n)
        await service.until(lambda: bool(bus.published))
        await service.wait(0.3)

    assert [service.number(data_of(event)) for event in bus.published] == [2]


async def test_a_pattern_sees_a_leading_slash_where_the_directory_ends_without_one(
    tmp_path: Path, looks: list[str]
) -> None:
    watched = {"directory": str(tmp_path), "pathRegexp": "^/0"}
    service = Directory(tmp_path, looks, watchPathConfig=watched)
    bus = await started_bus()
    async with running("file", service, bus):
        await service.emit(3)
        await service.until(lambda: bool(bus.published))

    assert data_of(bus.published[0])["name"] == f"{tmp_path}/0003"


async def test_polling_reports_the_directory_itself_under_its_own_name(
    tmp_path: Path, looks: list[str]
) -> None:
    service = directory(tmp_path, looks, ".", eventType="WRITE", polling=True)
    bus = await started_bus()
    async with running("file", service, bus):
        await service.emit(1)
        await service.until(lambda: bool(bus.published))

    assert data_of(bus.published[0])["name"] == tmp_path.name


@MODES
async def test_a_directory_that_is_missing_is_named_and_watched_once_it_is_there(
    tmp_path: Path, looks: list[str], polling: bool
) -> None:
    path = tmp_path / "later"
    service = directory(path, looks, ".", polling=polling)
    bus = await started_bus()
    async with start_without_waiting(service, bus) as pull:
        await service.until(lambda: pull.status.error is not None)
        assert pull.status.error == (
            f"the directory {path} cannot be watched: No such file or directory"
        )
        path.mkdir()
        await service.connected()
        await service.emit(1)
        await service.until(lambda: bool(bus.published))


@MODES
async def test_a_directory_that_is_removed_is_reported_and_watched_again_when_it_is_back(
    tmp_path: Path, looks: list[str], polling: bool
) -> None:
    path = tmp_path / "watched"
    path.mkdir()
    service = directory(path, looks, ".", polling=polling)
    bus = await started_bus()
    async with running("file", service, bus) as pull:
        shutil.rmtree(path)
        await service.until(lambda: pull.status.error is not None)
        assert str(path) in str(pull.status.error)
        path.mkdir()
        await service.connected()
        await service.emit(1)
        await service.until(lambda: bool(bus.published))


async def test_what_the_kernel_had_to_drop_is_counted(
    tmp_path: Path, looks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = os.read
    overflow = inotify._HEAD.pack(-1, inotify.OVERFLOW, 0, 0)

    def overflowing(descriptor: int, size: int) -> bytes:
        return overflow + read(descriptor, size)

    service, metrics, bus = directory(tmp_path, looks, "."), Metrics(), await started_bus()
    with capture_logs() as logs:
        async with running("file", service, bus, metrics):
            monkeypatch.setattr(os, "read", overflowing)
            await service.emit(1)
            await service.until(lambda: bool(bus.published))
            monkeypatch.undo()
    errors = [line["error"] for line in logs if line["log_level"] == "error"]
    name = "argo_events_events_processing_failed_total"

    assert errors == [f"the system lost changes of {tmp_path}"]
    assert metrics.registry.get_sample_value(name, LABELS) == 1


async def test_writes_that_the_times_of_a_file_cannot_tell_apart_are_events_of_their_own(
    tmp_path: Path, looks: list[str]
) -> None:
    service = directory(tmp_path, looks, "watched$", eventType="WRITE")
    bus = await started_bus()
    paths = [tmp_path / "watched", tmp_path / "other"]
    for path in paths:
        path.touch()
    async with running("file", service, bus):
        for _ in range(10):
            for path in paths:  # the kernel makes one notice of two in a row that are the same
                path.write_text("x")
        await service.until(lambda: len(bus.published) >= 10)

    assert len({event.id for event in bus.published}) == len(bus.published)


async def test_the_event_loop_rests_while_nobody_asks_for_what_happens(
    tmp_path: Path, looks: list[str]
) -> None:
    service, bus = directory(tmp_path, looks, "."), await started_bus()
    async with running("file", service, bus):
        bus.connected = False
        for n in range(3):
            await service.emit(n)
            await service.wait(0.05)
        turns = await turns_within(0.3)
        bus.connected = True
        await service.until(lambda: len(bus.published) == 3)

    assert turns < 100


@MODES
async def test_a_name_that_is_no_utf8_is_an_event_in_which_the_odd_bytes_are_replaced(
    tmp_path: Path, looks: list[str], polling: bool
) -> None:
    service = directory(tmp_path, looks, r"^bad\x{fffd}$", polling=polling)
    bus = await started_bus()
    names = [os.fsdecode(name) for name in (b"bad\xfe", b"bad\xff")]
    with capture_logs() as logs:
        async with running("file", service, bus):
            for name in names:
                (tmp_path / name).touch()
            await service.until(lambda: len(bus.published) == 2)

    expected = "bad\ufffd" if polling else f"{tmp_path}/bad\ufffd"
    assert [data_of(event)["name"] for event in bus.published] == [expected] * 2
    assert len({event.id for event in bus.published}) == 2
    assert all(str((tmp_path / name).lstat().st_ino) in bus.published[n].id
               for n, name in enumerate(names))  # fmt: skip
    assert [line for line in logs if line["log_level"] == "error"] == []


async def test_polling_compares_in_a_thread(
    tmp_path: Path, looks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    changes, threads = listing.changes, []

    def noted(before: listing.Snapshot, after: listing.Snapshot) -> Iterator[Change]:
        for change in changes(before, after):
            threads.append(threading.current_thread())
            yield change

    monkeypatch.setattr(listing, "changes", noted)
    service = directory(tmp_path, looks, ".", polling=True)
    bus = await started_bus()
    async with running("file", service, bus):
        await service.emit(1)
        await service.until(lambda: bool(bus.published))

    assert threads
    assert threading.main_thread() not in threads


def test_what_polling_remembers_is_nothing_to_walk_for_the_garbage_collector(
    tmp_path: Path,
) -> None:
    (tmp_path / "a").touch()
    snapshot = listing.look(str(tmp_path))
    gc.collect()

    assert snapshot.keys() == {"", "a"}
    assert not any(map(gc.is_tracked, snapshot.values()))


@pytest.mark.parametrize(("seconds", "pause"), [(0.0, 0.1), (2.0, 18.0)])
async def test_polling_takes_a_tenth_of_the_time_at_most(
    tmp_path: Path,
    looks: list[str],
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
    pause: float,
) -> None:
    service = directory(tmp_path, looks, ".", polling=True)
    service.clock = clock = VirtualClock()
    monkeypatch.setattr(module, "thread_time", itertools.count(step=seconds).__next__)
    async with start_without_waiting(service, await started_bus()):
        for number in (1, 2, 3):
            await service.until(lambda: clock.sleepers == 1)
            assert len(looks) == number
            await clock.advance(pause - 0.01)
            assert clock.sleepers == 1
            await clock.advance(0.01)


async def test_two_watchers_give_a_new_file_the_same_id(tmp_path: Path, looks: list[str]) -> None:
    service = directory(tmp_path, looks, ".")
    one, other = await started_bus(), await started_bus()
    async with running("file", service, one), running("file", service, other):
        await service.until(lambda: len(watches()) >= 2)
        await service.emit(1)
        await service.until(lambda: bool(one.published and other.published))

    assert one.published[0].id == other.published[0].id


@pytest.mark.parametrize(
    ("block", "problems"),
    [
        (
            {},
            [
                "`eventType` is missing",
                "`watchPathConfig.directory` is missing",
                "either `watchPathConfig.path` or `watchPathConfig.pathRegexp` must be given",
            ],
        ),
        (
            {"watchPathConfig": {"directory": "in", "path": "/a", "pathRegexp": "("}},
            [
                "`eventType` is missing",
                "`watchPathConfig.directory` must be an absolute path",
                "`watchPathConfig.path` and `watchPathConfig.pathRegexp` exclude each other",
                "`watchPathConfig.path` must be relative to the directory",
                "`watchPathConfig.pathRegexp`: error parsing regexp: missing closing ): `(` "
                "(line 1, column 1)",
            ],
        ),
        (
            {"eventType": "WRITTEN", "watchPathConfig": {"directory": "/in", "path": "a"}},
            [
                "`eventType` must be one of CREATE, WRITE, REMOVE, RENAME, CHMOD, MOVE",
                "`watchPathConfig.path` never matches unless `directory` ends with one slash",
            ],
        ),
        (
            {"eventType": "WRITE", "watchPathConfig": {"directory": "/in/", "path": "a/b"}},
            ["`watchPathConfig.path` never matches, nothing below is watched"],
        ),
        (
            {
                "eventType": "WRITE",
                "polling": True,
                "watchPathConfig": {"directory": "/in", "path": "a"},
            },
            [],
        ),
    ],
)
def test_options_that_make_no_sense_are_named(block: dict[str, Any], problems: list[str]) -> None:
    assert make_source("file", block).check() == problems


async def turns_within(seconds: float) -> int:
    """How often the event loop looks for something to do."""
    selector: Any = asyncio.get_running_loop()._selector  # type: ignore[attr-defined]
    turns, select = itertools.count(), selector.select
    selector.select = lambda timeout=None: (next(turns), select(timeout))[1]
    try:
        await asyncio.sleep(seconds)
    finally:
        del selector.select
    return next(turns)


def directory(path: Path, looks: list[str], pattern: str, **options: Any) -> Directory:
    watched = {"directory": f"{path}/", "pathRegexp": pattern}
    return Directory(path, looks, watchPathConfig=watched, **options)


@asynccontextmanager
async def start_without_waiting(service: Directory, bus: MemoryBus) -> AsyncIterator[Any]:
    """Run the source although it cannot listen yet."""
    connected = service.connected
    service.connected = _at_once  # type: ignore[method-assign]
    async with running("file", service, bus) as pull:
        service.connected = connected  # type: ignore[method-assign]
        yield pull


async def _at_once() -> None:
    """Wait for nothing."""
