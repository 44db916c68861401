"""Events are read from the archive by source and name, and found by their ids."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tiphys.aio import stop
from tiphys.errors import ManifestError, TiphysError
from tiphys.events import CloudEvent
from tiphys.runtime import archive
from tiphys.runtime.archive import Wanted
from tiphys.testing.bus import MemoryBus

EVENTS = [
    ("1", "shop", "order"),
    ("2", "my.shop", "order"),
    ("3", "my.shop", "new.order"),
    ("4", "my", "shop.order"),
    ("5", "shop", "new.order"),
]


@pytest.fixture
async def bus() -> AsyncIterator[MemoryBus]:
    bus = MemoryBus()
    await bus.start()
    yield bus
    await bus.close()


async def publish(bus: MemoryBus, *events: tuple[str, str, str]) -> None:
    for id, source, name in events:
        await bus.publish(CloudEvent(id, source, name, "webhook", data=b"{}"))


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(), "12345"),
        (Wanted("", ""), "12345"),
        (Wanted("my.shop"), "23"),
        (Wanted("my.shop", "order"), "2"),
        (Wanted("my.shop", "new.order"), "3"),
        (Wanted("*", "order"), "12"),
        (Wanted("*", "new.order"), "35"),
        (Wanted("shop", "*"), "15"),
        (Wanted("my"), "4"),
        (Wanted("other.shop"), ""),
        (Wanted(">"), ""),
    ],
)
async def test_events_are_read_by_names_that_may_have_dots(
    bus: MemoryBus, wanted: Wanted, expected: str
) -> None:
    await publish(bus, *EVENTS)

    assert "".join([event.id async for _, event in archive.read(bus, wanted)]) == expected


async def test_events_are_followed_by_names_that_may_have_dots(bus: MemoryBus) -> None:
    found = []

    async def follow() -> None:
        async for event in archive.follow([bus], Wanted("my.shop")):
            found.append(event.id)

    following = asyncio.create_task(follow())
    await asyncio.sleep(0)
    await publish(bus, *EVENTS)
    await asyncio.sleep(0.01)
    await stop(following)

    assert found == ["2", "3"]


async def test_events_are_followed_on_all_buses_until_one_fails(bus: MemoryBus) -> None:
    other = MemoryBus()
    await other.start()
    following = archive.follow([bus, other], Wanted())
    first = asyncio.ensure_future(anext(following))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await publish(bus, ("1", "shop", "order"))
    assert (await first).id == "1"
    await publish(other, ("2", "shop", "order"))
    assert (await anext(following)).id == "2"

    await following.aclose()
    assert len(asyncio.all_tasks()) == 1


async def test_an_id_that_others_begin_with_is_found_by_itself(bus: MemoryBus) -> None:
    await publish(bus, ("es:ev:10", "es", "ev"), ("es:ev:1", "es", "ev"))

    assert (await archive.find([bus], "es:ev:1")).id == "es:ev:1"
    assert (await archive.find([bus], "es:ev:10")).id == "es:ev:10"


async def test_a_beginning_of_one_id_is_enough(bus: MemoryBus) -> None:
    await publish(bus, ("abcd", "es", "ev"), ("other", "es", "ev"))

    assert (await archive.find([bus], "abc")).id == "abcd"


async def test_a_beginning_of_several_ids_is_an_error_that_names_some(bus: MemoryBus) -> None:
    await publish(bus, *((f"id{number}", "es", "ev") for number in range(7)))

    several = "ids of several events begin with 'id': id0, id1, id2, id3, id4 and 2 more"
    with pytest.raises(TiphysError, match=several):
        await archive.find([bus], "id")


@pytest.mark.parametrize("unknown", ["nothing", "ev", ""])
async def test_an_id_of_no_event_is_an_error(bus: MemoryBus, unknown: str) -> None:
    await publish(bus, ("id", "es", "ev"))

    with pytest.raises(ManifestError):
        await archive.find([bus], unknown)
