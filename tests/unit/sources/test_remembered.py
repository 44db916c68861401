"""What sources remember of a directory elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import zlib
from collections.abc import Callable

import pytest

from tiphys.errors import PublishError
from tiphys.sources import Incoming, SourceContext
from tiphys.sources._shared.remembered import Difference, Remembered
from tiphys.testing.sources import FixedSecrets, MemoryStore

CREATE, REMOVE = 1, 4


def context(store: MemoryStore) -> SourceContext:
    secrets = FixedSecrets()
    return SourceContext("ns", "es", "ev", secrets.secret, secrets.config_map, secrets.tls, store)


async def told(
    remembered: Remembered,
    *differences: Difference,
    counted: int = CREATE | REMOVE,
    stored: Callable[[str], bool] = lambda name: True,
) -> dict[str, str | None]:
    """The ids of the events, by file; each is settled as *stored* says."""
    ids = {}
    async for incoming in remembered.report(differences, lambda d: bool(d.bits & counted)):
        name = name_of(incoming)
        ids[name] = incoming.id
        await (incoming.ack() if stored(name) else incoming.nack())
    return ids


def name_of(incoming: Incoming) -> str:
    assert isinstance(incoming.data, dict)
    return str(incoming.data["name"])


def came(name: str, *state: int) -> Difference:
    return Difference(name, CREATE, state)


def gone(name: str) -> Difference:
    return Difference(name, REMOVE, None)


async def test_a_file_that_came_back_and_goes_again_is_an_event_of_its_own() -> None:
    """Also while the event of another file is still to come."""
    remembered = Remembered(context(MemoryStore()), "place")
    await told(remembered, came("a", 1), came("b", 1), counted=0)

    def without_b(name: str) -> bool:
        return name != "b"

    first = await told(remembered, gone("a"), gone("b"), stored=without_b)
    await told(remembered, came("a", 2), counted=0)
    second = await told(remembered, gone("a"), gone("b"), stored=without_b)

    assert first["a"] != second["a"]
    assert first["b"] == second["b"]


async def test_names_that_are_no_utf8_are_remembered_and_look_the_same_in_events_only() -> None:
    names = [
        os.fsdecode(name)
        for name in (b"bad\xfe", b"bad\xff", b"bad%\xe2\x82", b"bad%FF", b"bad\xef\xbf\xbd")
    ]
    store = MemoryStore()
    remembered = Remembered(context(store), "place")
    found = []
    async for incoming in remembered.report([came(name, 1) for name in names], lambda _: True):
        found.append(incoming)
        await incoming.ack()
    again = Remembered(context(store), "place")

    assert [name_of(incoming) for incoming in found] == [
        "bad\ufffd",
        "bad\ufffd",
        "bad%\ufffd\ufffd",
        "bad%FF",
        "bad\ufffd",
    ]
    assert len({(incoming.id or "").encode() for incoming in found}) == len(names)
    assert await again.load()
    assert again.files == dict.fromkeys(names, (1,))


async def test_a_record_that_cannot_be_written_is_an_error_of_the_source() -> None:
    class Refusing(MemoryStore):
        async def put(self, key: str, value: bytes) -> None:
            raise PublishError("the bus refuses")

    remembered = Remembered(context(Refusing()), "place")
    with pytest.raises(PublishError):
        async for incoming in remembered.report([came("a", 1)], lambda _: True):
            with contextlib.suppress(PublishError):  # the runtime logs it and goes on
                await incoming.ack()


async def test_the_newest_record_is_the_last_that_is_written() -> None:
    class Slow(MemoryStore):
        def __init__(self) -> None:
            super().__init__()
            self.begun, self.go_on = asyncio.Event(), asyncio.Event()

        async def put(self, key: str, value: bytes) -> None:
            if not self.begun.is_set():
                self.begun.set()
                await self.go_on.wait()
            await super().put(key, value)

    store = Slow()
    remembered = Remembered(context(store), "place")
    remembered.files["a"] = (1,)
    older = asyncio.create_task(remembered.save())
    await store.begun.wait()
    remembered.files["b"] = (1,)
    newer = asyncio.create_task(remembered.save())
    await asyncio.wait([newer], timeout=0.1)
    store.go_on.set()
    await asyncio.gather(older, newer)
    again = Remembered(context(store), "place")
    await again.load()

    assert again.files == {"a": (1,), "b": (1,)}


async def test_the_event_loop_goes_on_while_the_record_is_packed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compress, threads = zlib.compress, []

    def noted(data: bytes) -> bytes:
        threads.append(threading.current_thread())
        return compress(data)

    monkeypatch.setattr(zlib, "compress", noted)
    await Remembered(context(MemoryStore()), "place").save()

    assert threads
    assert threading.main_thread() not in threads
