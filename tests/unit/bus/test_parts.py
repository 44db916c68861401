"""Values that are bigger than a bus takes at once."""

from __future__ import annotations

import pytest

from tiphys.bus import Entry, State
from tiphys.bus._parts import PartedState
from tiphys.errors import BusError, Conflict, EventTooLarge

LIMIT = 3000


class Bounded(State):
    """A map of values of up to 3000 bytes; *fail* makes the write with that number fail."""

    def __init__(self) -> None:
        self.values: dict[str, Entry] = {}
        self.writes = 0
        self.fail = 0

    async def get(self, key: str) -> Entry | None:
        return self.values.get(key)

    async def put(self, key: str, value: bytes, *, revision: int | None = None) -> int:
        if len(value) > LIMIT:
            raise EventTooLarge("too big")
        current = self.values.get(key)
        if revision is not None and revision != (current.revision if current else 0):
            raise Conflict("told to")
        self.writes += 1
        if self.writes == self.fail:
            raise BusError("told to fail")
        self.values[key] = Entry(value, self.writes)
        return self.writes

    async def delete(self, key: str) -> None:
        self.values.pop(key, None)

    async def keys(self, prefix: str = "") -> list[str]:
        return sorted(key for key in self.values if key.startswith(prefix))


@pytest.fixture
def inner() -> Bounded:
    return Bounded()


@pytest.fixture
def state(inner: Bounded) -> PartedState:
    return PartedState(inner)


async def value(state: State, key: str = "k") -> bytes:
    entry = await state.get(key)
    assert entry is not None
    return entry.value


@pytest.mark.parametrize("size", [0, LIMIT, LIMIT + 1, 50_000])
async def test_any_value_is_read_as_it_was_written(inner: Bounded, size: int) -> None:
    await PartedState(inner).put("k", bytes(range(256)) * (size // 256) + b"x" * (size % 256))

    assert len(await value(PartedState(inner))) == size


async def test_nothing_is_left_of_a_value_that_was_removed_or_replaced(
    inner: Bounded, state: PartedState
) -> None:
    await state.put("k", b"x" * 10_000)
    await state.put("k", b"y" * 10_000)
    assert await state.keys() == ["k"]
    await state.put("k", b"z")
    assert list(inner.values) == ["k"]

    await state.put("k", b"x" * 10_000)
    again = PartedState(inner)
    await again.get("k")
    await again.delete("k")
    assert inner.values == {}


async def test_a_write_that_breaks_off_leaves_the_value_as_it_was(
    inner: Bounded, state: PartedState
) -> None:
    await state.put("k", b"x" * 10_000)
    inner.fail = inner.writes + 3
    with pytest.raises(BusError):
        await state.put("k", b"y" * 10_000)

    assert await value(state) == b"x" * 10_000
    assert await value(PartedState(inner)) == b"x" * 10_000


async def test_a_write_that_is_refused_leaves_nothing_behind(
    inner: Bounded, state: PartedState
) -> None:
    await state.put("k", b"small")
    with pytest.raises(Conflict):
        await state.put("k", b"y" * 10_000, revision=7)

    assert list(inner.values) == ["k"]


async def test_missing_parts_are_an_error(inner: Bounded, state: PartedState) -> None:
    await state.put("k", b"x" * 10_000)
    part = next(key for key in inner.values if key != "k")
    del inner.values[part]

    with pytest.raises(BusError, match="parts of the value of 'k' are missing"):
        await state.get("k")
