"""
The whole engine under fire: seven kinds of sensors, numbered events, and kills at random.

Accepted − executed − dead-lettered is zero for each sensor that acknowledges after acting; what is
executed again carries the key of the first execution, so that a target which remembers keys does
nothing twice.  With ``atLeastOnce: false`` nothing is executed again.  The order per key and the
rate limit hold, too.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import json
import time
from collections.abc import Iterable, Sequence
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests._ports import free_port
from tests.e2e._manifests import dependency, dumped, event_source, http_trigger, sensor, webhook
from tests.e2e._program import Program, Receiver
from tests.e2e.test_nothing_is_lost import Ledger, background, kill_at_random

EVENTS = 20_000
SENSORS = ("slow", "failing", "keyed", "limited", "serial", "both")  # those that lose nothing
KEYS = 50
PAUSES = (0.5, 4.0)  # seconds between two kills; with less, the program hardly gets to work
FOURTH = {"expr": "n % 4 == 0", "fields": [{"name": "n", "path": "body.n"}]}
RATE = 150  # actions a second; fewer events come on the average, more wait after a kill
LIMITED_AT_ONCE = 32  # actions of the limited sensor that are under way at once
WINDOW = 5.0  # seconds in which actions are counted


def pipelines(port: int, url: str) -> str:
    """Six sensors on the events of one webhook, and one that joins them with those of another."""
    values = {"n": "d:body.n", "key": "d:body.key"}
    hooks = {"hook": webhook(port), "pair": webhook(port, "/pair")}
    sensors = {
        "slow": {"concurrency": 50},
        "failing": {
            "policy": {"status": {"allow": [200]}},
            "retryStrategy": {"steps": 2, "duration": "10ms", "jitter": 0},
        },
        "keyed": {"orderBy": "body.key"},
        "limited": {
            "rateLimit": {"unit": "Second", "requestsPerUnit": RATE},
            "concurrency": LIMITED_AT_ONCE,
        },
        "serial": {"atLeastOnce": True},
        "once": {"atLeastOnce": False},
    }
    filters = {name: {"filters": {"exprs": [FOURTH]}} for name in ("serial", "once")}
    objects: list[dict[str, Any]] = [event_source("web", hooks)]
    for name, options in sensors.items():
        trigger = with_ids(http_trigger("act", f"{url}{name}", values, **options), "d")
        objects.append(sensor(name, [dependency("d", **filters.get(name, {}))], [trigger]))
    pair = http_trigger(
        "act",
        f"{url}both",
        {"n": "d:body.n", "partner": "p:body.n"},
        conditions="d && p",
        conditionsJoin={"key": {"d": "body.n", "p": "body.n"}, "window": "1h"},
    )
    both = [dependency("d"), dependency("p", event="pair")]
    objects.append(sensor("both", both, [with_ids(pair, "d", "p")]))
    return dumped(*objects)


def with_ids(trigger: dict[str, Any], *dependencies: str) -> dict[str, Any]:
    """The HTTP trigger *trigger*, which also sends the ids of its events."""
    payload = trigger["template"]["http"]["payload"]
    for name in dependencies:
        src = {"dependencyName": name, "contextKey": "id"}
        payload.append({"src": src, "dest": f"events.{name}"})
    return trigger


@dataclasses.dataclass(frozen=True)
class Execution:
    """One request of a trigger: when it came, its key, and its events' ids by dependency."""

    at: float
    key: str
    events: dict[str, str]


class Targets(Receiver):
    """What each sensor did; one is slow, one fails for every fifth number."""

    def __init__(self) -> None:
        super().__init__()
        self.did: dict[str, list[dict[str, Any]]] = collections.defaultdict(list)
        self.executions: dict[str, list[Execution]] = collections.defaultdict(list)

    async def _handle(self, request: web.Request) -> web.Response:
        at = time.monotonic()
        body = json.loads(await request.read())
        name = request.path.strip("/")
        execution = Execution(at, request.headers["Idempotency-Key"], body["events"])
        self.executions[name].append(execution)
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
async def test_under_fire_nothing_is_lost_repetitions_have_their_key_and_order_and_rate_hold(
    program: Program,
) -> None:
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
            wanted["serial"] = {number for number in hook.accepted if number % 4 == 0}
            wanted["both"] = pair.accepted
            return {name: len(wanted[name] - targets.numbers(name)) for name in SENSORS}

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(400):
                while any((await missing()).values()):
                    await asyncio.sleep(1)
        assert await missing() == dict.fromkeys(SENSORS, 0)
        given_up = await dead_letters(program)

    assert len(hook.accepted) == EVENTS
    assert given_up == {n for n in range(EVENTS) if n % 5 == 0}
    assert all(body["n"] == body["partner"] for body in targets.did["both"])
    _assert_order(targets.did["keyed"])
    _assert_order(targets.did["serial"])
    for executions in targets.executions.values():
        _assert_one_key_per_event(executions)
    _assert_rate(targets.executions["limited"])
    # What was under way at a kill may be lost here.
    assert len(targets.numbers("once")) > EVENTS / 4 * 0.9
    assert _repeated(targets.executions["once"]) == []


def _assert_order(actions: list[dict[str, Any]]) -> None:
    """The first executions of each key come in the order in which its events were accepted."""
    first: dict[str, dict[int, None]] = collections.defaultdict(dict)
    for body in actions:
        first[body["key"]].setdefault(body["n"])
    for numbers in first.values():
        assert list(numbers) == sorted(numbers)


def _assert_one_key_per_event(executions: Iterable[Execution]) -> None:
    """Executions of one event have one key, those of others have others."""
    keys: dict[tuple[str, str], set[str]] = collections.defaultdict(set)
    events: dict[str, set[tuple[str, ...]]] = collections.defaultdict(set)
    for execution in executions:
        events[execution.key].add(tuple(execution.events.values()))
        for event in execution.events.items():
            keys[event].add(execution.key)
    assert {event: found for event, found in keys.items() if len(found) > 1} == {}
    assert {key: found for key, found in events.items() if len(found) > 1} == {}


def _repeated(executions: Sequence[Execution]) -> list[str]:
    """The keys that came more than once."""
    counts = collections.Counter(execution.key for execution in executions)
    return [key for key, count in counts.items() if count > 1]


def _assert_rate(executions: Sequence[Execution]) -> None:
    """
    No window has more actions than the limit allows.

    The limit is exact where actions begin.  Those that are under way when a window begins may be
    counted in it, and a restarted program begins anew, at most once in the shortest pause.
    """
    most = RATE * WINDOW + LIMITED_AT_ONCE + WINDOW / PAUSES[0]
    times = sorted(execution.at for execution in executions)
    window: collections.deque[float] = collections.deque()
    for at in times:
        window.append(at)
        while window[0] <= at - WINDOW:
            window.popleft()
        assert len(window) <= most
