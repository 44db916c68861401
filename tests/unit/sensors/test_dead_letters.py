"""The journal of dead letters: one letter of each id, and what an id means."""

from __future__ import annotations

import dataclasses

import pytest

from tiphys.bus import Record
from tiphys.errors import BusUnavailable, ManifestError
from tiphys.events import CloudEvent
from tiphys.sensors.dead_letters import DeadLetter, DeadLetters
from tiphys.testing.bus import MemoryBus
from tiphys.testing.clock import VirtualClock


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def bus(clock: VirtualClock) -> MemoryBus:
    bus = MemoryBus(clock, duplicates=120.0)
    await bus.start()
    return bus


@pytest.fixture
async def letters(bus: MemoryBus) -> DeadLetters:
    return await DeadLetters.open(bus)


def letter(id: str = "one", error: str = "refused", trigger: str = "t") -> DeadLetter:
    """A letter with an event."""
    event = CloudEvent("e", "web", "hook", "webhook", "", "application/json", b"1")
    return DeadLetter(id, "default", "sn", trigger, "http", error, 1, {"a": event})


async def errors(letters: DeadLetters) -> list[str]:
    """The errors of all records."""
    return [letter.error async for _, letter in letters.find(lambda _: True)]


async def number_of(letters: DeadLetters, id: str) -> int:
    """The number of a letter."""
    found = await letters.get(id)
    assert found is not None
    return found[0]


@pytest.mark.parametrize("seconds", [0, 1000])
async def test_a_letter_takes_the_place_of_an_older_one_of_the_same_id(
    letters: DeadLetters, clock: VirtualClock, seconds: float
) -> None:
    await letters.store(letter(error="first"))
    await letters.store(letter("other", error="another"))
    await clock.advance(seconds)
    await letters.store(letter(error="second"))

    assert await errors(letters) == ["another", "second"]


async def test_a_letter_is_stored_also_right_after_it_was_discarded(letters: DeadLetters) -> None:
    await letters.store(letter(error="first"))
    await letters.discard(await number_of(letters, "one"))
    assert await errors(letters) == []
    await letters.store(letter(error="second"))

    assert await errors(letters) == ["second"]


class Fragile:
    """Lets the link of a bus break after so many more records were removed."""

    def __init__(self, bus: MemoryBus, letters: DeadLetters, *, after: int) -> None:
        self._bus = bus
        self._left = after
        self._delete = letters.journal.delete

    async def delete(self, sequence: int) -> None:
        if not self._left:
            self._bus.connected = False
        self._left -= 1
        await self._delete(sequence)


async def test_a_crash_before_the_older_letter_is_removed_loses_neither_and_discarding_takes_both(
    bus: MemoryBus, letters: DeadLetters, monkeypatch: pytest.MonkeyPatch
) -> None:
    await letters.store(letter(error="first"))
    with monkeypatch.context() as patch:
        patch.setattr(letters.journal, "delete", Fragile(bus, letters, after=0).delete)
        with pytest.raises(BusUnavailable):
            await letters.store(letter(error="second"))
    bus.connected = True
    assert await errors(letters) == ["first", "second"]
    found = await letters.get("one")
    assert found is not None
    assert found[1].error == "second"

    await letters.discard(found[0])

    assert await errors(letters) == []


async def test_a_call_without_an_answer_that_is_made_again_leaves_one_letter(
    bus: MemoryBus, letters: DeadLetters, monkeypatch: pytest.MonkeyPatch
) -> None:
    await letters.store(letter(error="first"))
    again = letter(error="second")
    with monkeypatch.context() as patch:
        patch.setattr(letters.journal, "delete", Fragile(bus, letters, after=0).delete)
        with pytest.raises(BusUnavailable):
            await letters.store(again)
    bus.connected = True
    await letters.store(again)

    assert await errors(letters) == ["second"]


async def test_records_of_an_earlier_version_are_found_and_discarded(
    letters: DeadLetters,
) -> None:
    for error in ("first", "second"):
        await letters.journal.append("sn.t", letter(error=error).encode())
    await letters.journal.append("sn.t", letter("other", error="another").encode())
    await letters.discard(await number_of(letters, "one"))

    assert await errors(letters) == ["another"]


async def test_discarding_a_letter_that_was_replaced_leaves_the_new_one(
    letters: DeadLetters,
) -> None:
    await letters.store(letter(error="first"))
    number = await number_of(letters, "one")
    await letters.store(letter(error="second"))
    await letters.discard(number)

    assert await errors(letters) == ["second"]


async def test_the_beginning_of_an_id_is_enough_while_only_one_begins_so(
    letters: DeadLetters,
) -> None:
    for id in ("abc", "abd", "ab", "x"):
        await letters.store(letter(id, error=id))

    assert await letters.get("nothing") is None
    for wanted, id in (("abc", "abc"), ("abd", "abd"), ("ab", "ab"), ("x", "x")):
        found = await letters.get(wanted)
        assert found is not None
        assert found[1].id == id


async def test_an_id_that_could_mean_several_letters_is_an_error_that_names_them(
    letters: DeadLetters,
) -> None:
    for number in range(7):
        await letters.store(letter(f"ab{number}"))

    with pytest.raises(ManifestError) as caught:
        await letters.get("ab")

    assert str(caught.value) == (
        "7 dead letters begin with 'ab'; write more of the id: ab0, ab1, ab2, ab3, ab4, ..."
    )


async def test_letters_lie_under_their_sensor_trigger_and_id(letters: DeadLetters) -> None:
    await letters.store(letter("i.d", trigger="t.u"))

    records: list[Record] = [record async for record in letters.journal.read()]
    assert [record.subject for record in records] == ["sn.t_u.i_d"]


async def test_a_letter_with_what_json_has_no_form_for_is_kept(letters: DeadLetters) -> None:
    block = {"number": 10**30, "text": "half a character: \ud800"}
    await letters.store(dataclasses.replace(letter("odd"), block=block))
    found = await letters.get("odd")

    assert found is not None
    assert found[1].block["text"] == "half a character: ?"
