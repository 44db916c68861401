"""Repeated log lines stay few."""

from __future__ import annotations

from tiphys.ingest.bursts import EVERY, Bursts
from tiphys.testing.clock import VirtualClock


async def test_one_line_a_minute_and_kind_tells_how_many_there_were() -> None:
    clock = VirtualClock()
    bursts = Bursts(clock)
    assert [bursts.count("a"), bursts.count("a"), bursts.count("b")] == [1, None, 1]
    await clock.advance(EVERY - 1)
    assert bursts.count("a") is None
    await clock.advance(1)

    assert [bursts.count("a"), bursts.count("a"), bursts.count("b")] == [3, None, 1]
