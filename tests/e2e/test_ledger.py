"""
The whole engine under fire: five kinds of sensors, numbered events, and kills at random.

Accepted − executed − dead-lettered is zero for each sensor, and the order per key holds.
"""

from __future__ import annotations

import asyncio
import collections
import json
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests._ports import free_port
from tests.e2e._manifests import dependency, dumped, event_source, http_trigger, sensor, webhook
from tests.e2e._program import Program, Receiver
from tests.e2e.test_nothing_is_lost import Ledger, background, kill_at_random

EVENTS = 20_000
SENSORS = ("slow", "failing", "keyed", "limited", "both")
KEYS = 50
PAUSES = (0.5, 4.0)  # seconds between two kills; with less, the program hardly gets to work


def pipelines(port: int, url: str) -> str:
    """Five sensors on the events of one webhook, and one that waits for two of them."""
    values = {"n": "d:body.n", "key": "d:body.key"}
    hooks = {"hook": webhook(port), "pair": webhook(port, "/pair")}
    sensors = {
        "slow": {"concurrency": 50},
        "failing": {
            "policy": {"status": {"allow": [200]}},
            "retryStrategy": {"steps": 2, "duration": "10ms", "jitter": 0},
        },
        "keyed": {"orderBy": "body.key"},
        "limited": {"rateLimit": {"unit": "Second", "requestsPerUnit": 5000}},
    }
    objects: list[dict[str, Any]] = [event_source("web", hooks)]
    for name, options in sensors.items():
        trigger = http_trigger("act", f"{url}{name}", values, **options)
        objects.append(sensor(name, [dependency("d")], [trigger]))
    pair = http_trigger(
        "act",
        f"{url}both",
        {"n": "d:body.n", "partner": "p:body.n"},
        conditions="d && p",
        conditionsJoin={"key": {"d": "body.n", "p": "body.n"}, "window": "1h"},
    )
    both = [dependency("d"), dependency("p", event="pair")]
    objects.append(sensor("both", both, [pair]))
    return dumped(*objects)


class Targets(Receiver):
    """What each sensor did; one is slow, one fails for every fifth number."""

    def __init__(self) -> None:
        super().__init__()
        self.did: dict[str, list[dict[str, Any]]] = collections.defaultdict(list)

    async def _handle(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        name = request.path.strip("/")
        if name == "slow":
            await asyncio.sleep(0.02)
        if name == "failing" and body["n"] % 5 == 0:
            return web.Response(status=500)
        self.did[name].append(body)
        return web.Response(text="done")

    def numbers(self, name: str) -> set[int]:
        return {body["n"] for body in self.did[name]}


class Keyed(Ledger):
    """Events with a key."""

    def body(self, number: int) -> dict[str, Any]:
        return {"n": number, "key": f"k{number % KEYS}"}


async def dead_letters(program: Program) -> set[int]:
    """The numbers whose actions were given up."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{program.api}/api/v1/dead-letters?sensor=failing") as answer,
    ):
        letters = await answer.json()
    return {json.loads(letter["payload"])["n"] for letter in letters}


@pytest.mark.timeout(1200)
async def test_five_sensors_lose_nothing_and_keep_the_order_per_key(program: Program) -> None:
    targets = Targets()
    port = free_port()
    program.options = ("--log-level=error",)
    async with targets.running():
        program.write("all.yaml", pipelines(port, targets.url))
        await program.start()
        hook = Keyed(f"http://127.0.0.1:{port}/hook")
        pair = Ledger(f"http://127.0.0.1:{port}/pair")
        partners = range(0, EVENTS, 20)
        async with background(kill_at_random(program, 4, PAUSES)):
            # One sender a key, so that the events of a key are accepted in order.
            keys = [hook.send(range(key, EVENTS, KEYS), senders=1) for key in range(KEYS)]
            await asyncio.gather(pair.send(partners), *keys)
        await program.revive()

        async def missing() -> dict[str, int]:
            given_up = await dead_letters(program)
            wanted = dict.fromkeys(("slow", "keyed", "limited"), hook.accepted)
            wanted["failing"] = hook.accepted - given_up
            wanted["both"] = pair.accepted
            return {name: len(wanted[name] - targets.numbers(name)) for name in SENSORS}

        async with asyncio.timeout(400):
            while any((await missing()).values()):
                await asyncio.sleep(1)
        given_up = await dead_letters(program)

    assert len(hook.accepted) == EVENTS
    assert given_up == {n for n in range(EVENTS) if n % 5 == 0}
    assert all(body["n"] == body["partner"] for body in targets.did["both"])
    _assert_order(targets.did["keyed"])


def _assert_order(actions: list[dict[str, Any]]) -> None:
    """The first executions of each key come in the order in which its events were accepted."""
    first: dict[str, dict[int, None]] = collections.defaultdict(dict)
    for body in actions:
        first[body["key"]].setdefault(body["n"])
    for numbers in first.values():
        assert list(numbers) == sorted(numbers)
