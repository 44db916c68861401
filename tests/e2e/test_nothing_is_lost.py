"""Whatever is killed: each event that was answered 200 is acted on or kept as a dead letter."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import aiohttp
import pytest

from tests._ports import free_port
from tests.e2e._manifests import dependency, dumped, event_source, http_trigger, sensor, webhook
from tests.e2e._program import Program, Receiver

EVENTS = 5000  # in one round
SENDERS = 32
ROUNDS = 10


class Ledger:
    """Sends numbered events and knows which were accepted."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.accepted: set[int] = set()

    def body(self, number: int) -> dict[str, Any]:
        """What is sent for a number."""
        return {"n": number}

    async def send(self, numbers: Iterable[int], senders: int = SENDERS) -> None:
        """Send until each was accepted."""
        left = iter(numbers)
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
            for _ in range(senders):
                group.create_task(self._send(session, left))

    async def _send(self, session: aiohttp.ClientSession, numbers: Iterator[int]) -> None:
        for number in numbers:
            while not await self._accepted(session, number):
                await asyncio.sleep(0.05)
            self.accepted.add(number)

    async def _accepted(self, session: aiohttp.ClientSession, number: int) -> bool:
        with contextlib.suppress(aiohttp.ClientError, asyncio.TimeoutError):
            timeout = aiohttp.ClientTimeout(total=15)
            async with session.post(self.url, json=self.body(number), timeout=timeout) as answer:
                return answer.status == 200
        return False


async def kill_at_random(
    program: Program, seed: int, pauses: tuple[float, float] = (0.3, 1.5)
) -> None:
    """Kill the bus, the program, or both, again and again, until cancelled."""
    chance = random.Random(seed)
    while True:
        await asyncio.sleep(chance.uniform(*pauses))
        what = chance.choice(["bus", "program", "both"])
        if what in ("bus", "both"):
            program.kill_nats_server()
        if what in ("program", "both"):
            await program.kill()
            await program.start()


@contextlib.asynccontextmanager
async def background(coroutine: object) -> AsyncIterator[None]:
    task = asyncio.ensure_future(coroutine)  # type: ignore[arg-type]
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.mark.timeout(1200)
async def test_killing_the_bus_and_the_program_loses_no_accepted_event(
    program: Program, receiver: Receiver
) -> None:
    port = free_port()
    program.options = ("--log-level=warn",)
    program.write(
        "all.yaml",
        dumped(
            event_source("web", {"hook": webhook(port)}),
            sensor(
                "ledger",
                [dependency("dep")],
                [http_trigger("write", receiver.url, {"n": "dep:body.n"})],
            ),
        ),
    )
    await program.start()
    ledger = Ledger(f"http://127.0.0.1:{port}/hook")
    for seed in range(ROUNDS):
        async with background(kill_at_random(program, seed)):
            await ledger.send(range(seed * EVENTS, (seed + 1) * EVENTS))
        await program.revive()

    acted: set[int] = set()
    async with asyncio.timeout(300):
        while not ledger.accepted <= acted:
            await asyncio.sleep(0.2)
            acted = {body["n"] for body in receiver.bodies}
    assert len(ledger.accepted) == EVENTS * ROUNDS


async def test_an_and_condition_survives_a_kill_between_its_events(
    program: Program, receiver: Receiver
) -> None:
    port = free_port()
    values = {"a": "a:body.n", "b": "b:body.n"}
    program.write(
        "all.yaml",
        dumped(
            event_source("web", {"a": webhook(port, "/a"), "b": webhook(port, "/b")}),
            sensor(
                "both",
                [dependency("a", event="a"), dependency("b", event="b")],
                [http_trigger("act", receiver.url, values, conditions="a && b")],
            ),
        ),
    )
    await program.start()
    async with aiohttp.ClientSession() as session:
        async with session.post(f"http://127.0.0.1:{port}/a", json={"n": 1}) as answer:
            assert answer.status == 200
        await asyncio.sleep(0.5)
        program.kill_nats_server()
        await program.kill()
        await program.start()
        async with session.post(f"http://127.0.0.1:{port}/b", json={"n": 2}) as answer:
            assert answer.status == 200
    await receiver.wait(1)

    assert receiver.bodies == [{"a": 1, "b": 2}]
