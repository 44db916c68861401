"""Keys: values of events by which a mechanism tells them apart."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.sensors.flow.conftest import World, timed
from tiphys.events import CloudEvent
from tiphys.sensors.event import Event
from tiphys.sensors.flow.item import Item
from tiphys.sensors.flow.keys import KeyPath

START = datetime(2026, 1, 1, tzinfo=UTC)


def event(data: bytes, name: str = "e") -> CloudEvent:
    """An event of ``a`` with any data."""
    return CloudEvent(name, "a", "ev", "t", datacontenttype="application/json", data=data)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"k":"x"}', "x"),
        (b'{"k":"\\u00e9\\ud83d\\ude00"}', "é😀"),
        (b'{"k":1.5}', "1.5"),
        (b"{}", None),
        (b'{"k":"a\xff\xfe"}', r"a\udcff\udcfe"),
        (b'{"k":"a\xfd"}', r"a\udcfd"),
    ],
)
def test_a_key_is_a_text_that_can_be_stored(data: bytes, expected: str | None) -> None:
    key = KeyPath("k").of(Event(event(data)))

    assert key == expected
    if key is not None:
        item = Item("1", START, 1, {"a": event(data)}, {"batch": key})
        assert Item.decode(item.encode()) == item


@pytest.mark.parametrize(
    ("mechanism", "actions"),
    [
        ({"batch": {"count": 5, "period": "10s", "key": "k"}}, 2),
        ({"debounce": {"period": "10s", "key": "k"}}, 2),
        ({"debounce": {"period": "10s", "key": "k"}, "orderBy": "k"}, 2),
        ({"batch": {"count": 5, "period": "10s"}, "orderBy": "k"}, 1),
        ({"absence": {"after": "10s"}, "conditionsJoin": {"key": "k", "window": "1h"}}, 2),
    ],
)
async def test_bytes_that_are_no_text_are_keys_as_well(
    world: World, mechanism: dict[str, Any], actions: int
) -> None:
    """The actions fail, because these here cannot read such data."""
    async with world.running(timed(**mechanism)) as sensor:
        for number, value in enumerate((b"\xff", b"\xff", b"\xfe")):
            await world.bus.publish(event(b'{"k":"%b"}' % value, f"e{number}"))
        await world.at(5)
        assert world.unsettled() == 0
        assert len(await world.waiting()) >= actions
    async with world.running(timed(**mechanism)) as sensor:
        await world.at(100)

        assert (sensor.statuses["t"].phase, world.unsettled()) == ("running", 0)
    assert len(await world.dead_letters()) == actions
