"""Dead letters on the real bus, which takes small messages only here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.bus._servers import NatsServer
from tiphys.bus.jetstream import Endpoint, JetStreamBus
from tiphys.events import CloudEvent
from tiphys.sensors.dead_letters import DeadLetter, DeadLetters

HALF = b'"' + b"x" * 40_000 + b'"'  # two of them do not fit into one message


@pytest.fixture
async def letters(tmp_path: Path) -> AsyncIterator[DeadLetters]:
    server = NatsServer(tmp_path / "server", "max_payload: 64KB")
    await server.start()
    bus = JetStreamBus(Endpoint((server.url,)))
    await bus.start()
    yield await DeadLetters.open(bus)
    await bus.close()
    await server.stop()


def event(id: str) -> CloudEvent:
    """Half as big as a message may be."""
    return CloudEvent(id, "web", "hook", "webhook", "", "application/json", HALF)


def letter(*names: str, payload: bytes | None = None, error: str = "refused") -> DeadLetter:
    """A letter with an event of each of those dependencies."""
    return DeadLetter(
        id="-".join(names),
        namespace="default",
        sensor="sn",
        trigger="t",
        trigger_type="HTTP",
        error=error,
        attempts=1,
        events={
            n: CloudEvent(n, "web", "hook", "webhook", "", "application/json", HALF) for n in names
        },
        payload=None if payload is None else payload.decode(),
    )


async def test_what_was_sent_is_left_out_of_a_letter_that_is_too_big(letters: DeadLetters) -> None:
    await letters.store(letter("a", payload=HALF))

    kept = await letters.get("a")
    assert kept is not None
    assert kept[1].payload is None
    assert kept[1].events["a"].data == HALF


async def test_events_that_are_too_big_together_are_left_out(
    letters: DeadLetters,
) -> None:
    await letters.store(letter("a", "b"))

    kept = await letters.get("a-b")
    assert kept is not None
    assert kept[1].events == {}
    assert kept[1].error == "refused"


async def test_there_is_one_letter_of_an_id_also_within_the_duplicate_window(
    letters: DeadLetters,
) -> None:
    await letters.store(letter("b"))
    for error in ("first", "second"):
        await letters.store(letter("a", error=error))
    found = [entry async for entry in letters.find(lambda _: True)]
    assert [(each.id, each.error) for _, each in found] == [("b", "refused"), ("a", "second")]

    await letters.discard(found[1][0])
    assert await letters.get("a") is None
    await letters.store(letter("a", error="third"))

    kept = await letters.get("a")
    assert kept is not None
    assert kept[1].error == "third"
