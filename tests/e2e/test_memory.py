"""How much memory a program holds that handles many events."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from benchmarks._load import Load
from tests._ports import free_port
from tests.e2e._manifests import dependency, dumped, event_source, sensor, webhook
from tests.e2e._program import Program
from tests.e2e.test_run import get

EVENTS = 200_000
MEASURED = 50_000  # events between two looks
SAME_KEY = 500  # events in a row that have one
# Ids are remembered for a minute, in few bytes each.  A leak of 200 bytes an event, which is less
# than an id and its place in a dictionary, would be a growth of about a fifth.
GROWTH = 1.15


def resident(program: Program) -> int:
    """KiB of the program's memory."""
    assert program.process is not None
    status = Path(f"/proc/{program.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


async def acted(program: Program) -> float:
    """How many actions the program's metrics count."""
    _, text = await get(f"http://127.0.0.1:{program.metrics_port}/metrics")
    lines = [line for line in text.splitlines() if "action_triggered_total{" in line]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


@pytest.mark.timeout(900)
async def test_memory_is_flat_over_many_events(program: Program) -> None:
    port = free_port()
    is_even = [{"path": "body.kind", "type": "string", "value": ["even"]}]
    log = {"template": {"name": "note", "log": {"intervalSeconds": 3600}}}
    keyed = {"template": {"name": "keyed", "log": {"intervalSeconds": 3600}}, "orderBy": "body.key"}
    program.write(
        "all.yaml",
        dumped(
            event_source("web", {"hook": webhook(port)}),
            sensor("filtered", [dependency("d", filters={"data": is_even})], [log]),
            sensor("ordered", [dependency("d")], [keyed]),
        ),
    )
    program.options = ("--log-level=warn",)
    await program.start()
    sizes = []
    for sent in range(SAME_KEY, EVENTS + 1, SAME_KEY):
        body = json.dumps({"kind": "even", "key": str(sent), "text": "x" * 500}).encode()
        load = Load(port, "/hook", body, SAME_KEY, 64)
        await load.run()
        assert load.refused == 0
        if sent % MEASURED == 0:
            while await acted(program) < 2 * sent:
                await asyncio.sleep(0.1)
            sizes.append(resident(program))

    assert sizes[-1] < sizes[0] * GROWTH, sizes
