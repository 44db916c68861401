"""With ``atLeastOnce: false`` nothing is done twice, also when bus and program die together."""

from __future__ import annotations

import asyncio
import collections
import random
import uuid
from collections.abc import Iterable
from typing import Any

import pytest

from tests._ports import free_port
from tests.e2e._manifests import dependency, dumped, event_source, http_trigger, sensor, webhook
from tests.e2e._program import Program, Receiver
from tests.e2e.test_nothing_is_lost import Ledger, background

EVENTS = 2000


class Attempts(Ledger):
    """Events that tell apart the attempts to send a number."""

    def body(self, number: int) -> dict[str, Any]:
        return {"id": uuid.uuid4().hex}


async def kill_together(program: Program) -> None:
    """Kill the bus and the program together, again and again, until cancelled."""
    chance = random.Random(7)
    while True:
        await asyncio.sleep(chance.uniform(0.3, 1.5))
        program.kill_nats_server()
        await program.kill()
        await program.start()


async def at_rest(receiver: Receiver) -> None:
    """Wait until no action has come for five seconds."""
    before = -1
    while len(receiver.requests) > before:
        before = len(receiver.requests)
        await asyncio.sleep(5)


def repeated(ids: Iterable[str]) -> list[str]:
    """What is there more than once."""
    return [one for one, count in collections.Counter(ids).items() if count > 1]


@pytest.mark.timeout(300)
async def test_what_nats_server_confirmed_and_forgot_is_not_done_again(
    program: Program, receiver: Receiver
) -> None:
    port = free_port()
    program.options = ("--log-level=error",)
    alone = http_trigger("act", receiver.url, {"id": "dep:body.id"}, atLeastOnce=False)
    batched = http_trigger(
        "act",
        receiver.url,
        {"ids": "dep:events.#.body.id"},
        atLeastOnce=False,
        batch={"count": 5, "period": "1s"},
    )
    program.write(
        "all.yaml",
        dumped(
            event_source("web", {"hook": webhook(port)}),
            sensor("alone", [dependency("dep")], [alone]),
            sensor("batched", [dependency("dep")], [batched]),
        ),
    )
    await program.start()
    ledger = Attempts(f"http://127.0.0.1:{port}/hook")
    async with background(kill_together(program)):
        await ledger.send(range(EVENTS), senders=8)
    await program.revive()

    await at_rest(receiver)
    alone_ids = [body["id"] for body in receiver.bodies if "id" in body]
    batched_ids = [one for body in receiver.bodies for one in body.get("ids", [])]
    assert len(alone_ids) > EVENTS * 0.9
    assert len(batched_ids) > EVENTS * 0.9
    assert repeated(alone_ids) == []
    assert repeated(batched_ids) == []
