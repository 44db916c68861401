"""What ``concurrency`` brings where a target is slow."""

from __future__ import annotations

import aiohttp

from tests._ports import free_port
from tests.e2e._manifests import dependency, dumped, event_source, http_trigger, sensor, webhook
from tests.e2e._program import Program, Receiver

EVENTS = 250


async def test_fifty_slow_actions_at_once_are_about_fifty_times_as_many_as_one(
    program: Program,
) -> None:
    port = free_port()
    async with Receiver().running() as one, Receiver().running() as fifty:
        one.delay = fifty.delay = 0.2
        triggers = [
            http_trigger("one", one.url, {"n": "d:body.n"}, concurrency=1),
            http_trigger("fifty", fifty.url, {"n": "d:body.n"}, concurrency=50),
        ]
        program.write(
            "all.yaml",
            dumped(
                event_source("web", {"hook": webhook(port)}),
                sensor("sn", [dependency("d")], triggers),
            ),
        )
        await program.start()
        async with aiohttp.ClientSession() as session:
            for n in range(EVENTS):
                async with session.post(f"http://127.0.0.1:{port}/hook", json={"n": n}) as answer:
                    assert answer.status == 200
        await fifty.wait(EVENTS)
        ratio = EVENTS / len(one.requests)
        await program.kill()

    assert 25 < ratio < 75
