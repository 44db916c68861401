"""What ``concurrency`` brings where a target is slow."""

from __future__ import annotations

from benchmarks._load import Load
from tests._ports import free_port
from tests.e2e._manifests import dependency, dumped, event_source, http_trigger, sensor, webhook
from tests.e2e._program import Program, Receiver

EVENTS = 500


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
        load = Load(port, "/hook", b'{"n": 1}', EVENTS, 25)
        await load.run()
        # From here on there is a backlog, and the pace of the sender does not count.
        slow, fast = len(one.requests), len(fifty.requests)
        await fifty.wait(EVENTS)
        ratio = (EVENTS - fast) / (len(one.requests) - slow)
        await program.kill()

    assert load.refused == 0
    assert 25 < ratio < 75
