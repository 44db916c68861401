"""Flow control of the installed program on the real bus, killed in the middle."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp

from tests._ports import free_port
from tests.e2e._manifests import dependency, dumped, event_source, http_trigger, sensor, webhook
from tests.e2e._program import Program, Receiver


def write(program: Program, receiver: Receiver, **flow: Any) -> str:
    """A webhook and a sensor with flow control; returns the webhook's address."""
    port = free_port()
    values = flow.pop("values", {"n": "dep:body.n", "k": "dep:body.k"})
    trigger = http_trigger("write", receiver.url, values, **flow)
    program.write(
        "all.yaml",
        dumped(
            event_source("web", {"hook": webhook(port)}),
            sensor("numbers", [dependency("dep")], [trigger]),
        ),
    )
    return f"http://127.0.0.1:{port}/hook"


async def post(session: aiohttp.ClientSession, url: str, **data: Any) -> bool:
    """Send an event; whether it was accepted."""
    try:
        async with session.post(url, json=data) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


def once(receiver: Receiver) -> list[Any]:
    """The bodies of the actions, each action once however often it was tried."""
    found = {headers["Idempotency-Key"]: number for number, (headers, _) in
             enumerate(receiver.requests)}  # fmt: skip
    return [receiver.bodies[number] for number in sorted(found.values())]


async def test_batches_hold_every_event_once_whatever_is_killed(
    program: Program, receiver: Receiver
) -> None:
    values = {"events": "dep:events.#.body.n", "count": "dep:count"}
    url = write(program, receiver, batch={"count": 10, "period": "2s"}, values=values)
    await program.start()
    accepted: list[int] = []
    async with aiohttp.ClientSession() as session:
        for number in range(150):
            if number == 37:
                receiver.delay = 1.0
            if number == 60:
                await program.kill()
                receiver.delay = 0.0
                await program.revive()
            if number == 100:
                program.kill_nats_server()
            for _ in range(200):
                if await post(session, url, n=number):
                    accepted.append(number)
                    break
                await asyncio.sleep(0.05)
    async with asyncio.timeout(50):
        while {n for body in once(receiver) for n in body["events"]} != set(accepted):
            await asyncio.sleep(0.1)

    assert accepted == list(range(150))
    assert sorted(n for body in once(receiver) for n in body["events"]) == accepted
    assert all(len(body["events"]) == body["count"] <= 10 for body in once(receiver))


async def test_a_debounced_event_acts_after_the_program_was_killed_in_the_burst(
    program: Program, receiver: Receiver
) -> None:
    url = write(program, receiver, debounce={"period": "4s", "key": "body.k"})
    await program.start()
    async with aiohttp.ClientSession() as session:
        for number in range(5):
            for key in ("x", "y"):
                assert await post(session, url, n=number, k=key)
    await asyncio.sleep(1.0)
    await program.kill()
    await program.revive()
    await receiver.wait(2, timeout=40)
    await asyncio.sleep(1.0)

    assert sorted((body["k"], body["n"]) for body in receiver.bodies) == [("x", 4), ("y", 4)]


async def test_order_by_keeps_each_key_in_order_and_keys_side_by_side(
    program: Program, receiver: Receiver
) -> None:
    receiver.delay = 0.05
    url = write(program, receiver, orderBy="body.k", atLeastOnce=True)
    await program.start()
    async with aiohttp.ClientSession() as session:
        for number in range(60):
            assert await post(session, url, n=number, k=number % 6)
        assert await program.stop() == 0
        await program.start()
        for number in range(60, 120):
            assert await post(session, url, n=number, k=number % 6)
    await receiver.wait(120, timeout=40)

    for key in range(6):
        numbers = [body["n"] for body in receiver.bodies if body["k"] == key]
        assert numbers == list(range(key, 120, 6))
