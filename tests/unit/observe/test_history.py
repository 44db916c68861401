"""History: cheap to write, bounded, and read back as it was."""

from __future__ import annotations

import asyncio

from tiphys.aio import stop
from tiphys.errors import BusUnavailable
from tiphys.observe.history import BATCH, INTERVAL, History, decode
from tiphys.observe.metrics import Metrics


async def written(history: History) -> list[bytes]:
    """The messages of one flush."""
    messages: list[bytes] = []

    async def write(body: bytes) -> None:
        messages.append(body)

    await history.flush(write)
    return messages


async def test_what_is_added_is_read_back_in_order() -> None:
    history = History(Metrics())
    history.add("published", ("one",), "es", "ev")
    history.add("filtered", ("one",), "sn", "t", reason='a "quoted" reason', values=[1, None])
    (message,) = await written(history)
    first, second = decode(message)

    assert (first.step, first.events, first.owner, first.part) == (
        "published",
        ("one",),
        "es",
        "ev",
    )
    assert second.details == {"reason": 'a "quoted" reason', "values": [1, None]}
    assert first.time <= second.time


async def test_only_records_of_the_wanted_event_are_found_also_by_the_beginning_of_its_id() -> None:
    history = History(Metrics())
    for event in ("abc1", "abd2", "xabc1"):
        history.add("published", (event,), "es", "ev")
    (message,) = await written(history)

    assert [record.events for record in decode(message, "abc")] == [("abc1",)]
    assert list(decode(message, "zzz")) == []


async def test_a_full_buffer_drops_its_own_records_and_counts_them() -> None:
    metrics = Metrics()
    history = History(metrics, capacity=2)
    for _ in range(5):
        history.add("published", ("x",), "es", "ev")

    assert metrics.history_dropped._value.get() == 3
    assert len(list(decode((await written(history))[0]))) == 2


async def test_what_the_bus_does_not_take_is_written_with_the_next() -> None:
    history = History(Metrics())
    away = True
    messages: list[bytes] = []

    async def write(body: bytes) -> None:
        if away:
            raise BusUnavailable("away")
        messages.append(body)

    history.add("published", ("x",), "es", "ev")
    task = asyncio.create_task(history.write_to(write))
    await asyncio.sleep(INTERVAL * 1.5)
    assert messages == []
    away = False
    await asyncio.sleep(INTERVAL * 1.5)
    await stop(task)

    assert len(messages) == 1


async def test_two_who_write_at_once_write_each_record_once() -> None:
    history = History(Metrics())
    ids = [f"id-{n}" for n in range(BATCH * 3)]
    for id in ids:
        history.add("published", (id,), "es", "ev")
    bodies: list[bytes] = []

    async def slowly(body: bytes) -> None:
        await asyncio.sleep(0.001)
        bodies.append(body)

    await asyncio.gather(history.flush(slowly), history.flush(slowly))

    assert [record.events[0] for body in bodies for record in decode(body)] == ids


async def test_a_record_that_json_has_no_form_for_holds_up_no_other() -> None:
    history = History(Metrics())
    history.add("filtered", ("one",), "sn", "t", reason="half a character: \ud800", n=10**30)
    history.add("published", ("two",), "es", "ev")
    (message,) = await written(history)

    assert [record.events for record in decode(message)] == [("one",), ("two",)]
