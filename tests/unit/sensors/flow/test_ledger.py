"""Nothing is lost: whatever happens, every event acts or is told to have been dropped."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.sensors.flow.conftest import Timed, World, dependency, timed
from tiphys.observe.history import Step

ENDS: set[Step] = {
    "succeeded", "dead-lettered", "superseded", "dropped", "disarmed", "duplicate", "expired"
}  # fmt: skip

TRIGGERS: dict[str, dict[str, Any]] = {
    "plain": timed(),
    "in order": timed(atLeastOnce=True),
    "at most once": timed(atLeastOnce=False),
    "by key": timed(orderBy="k", concurrency=2),
    "debounce": timed(debounce={"period": "10s", "key": "k"}),
    "leading": timed(debounce={"period": "10s", "key": "k", "leading": True}),
    "batch": timed(batch={"count": 3, "period": "20s", "key": "k"}),
    "throttle": timed(throttle={"count": 2, "period": "30s"}),
    "latest": timed(throttle={"count": 1, "period": "30s", "key": "k", "strategy": "latest"}),
    "absence": timed(absence={"dependency": "b", "after": "10s"}),
    "heartbeat": timed(absence={"after": "10s"}),
    "join": timed("a && b", conditionsJoin={"key": "k", "window": "20s"}),
    "everything": timed(
        absence={"dependency": "b", "after": "5s"},
        batch={"count": 2, "period": "20s"},
        throttle={"count": 1, "period": "15s", "strategy": "latest"},
        orderBy="k",
    ),
    "everything at most once": timed(
        absence={"dependency": "b", "after": "5s"},
        batch={"count": 2, "period": "20s"},
        throttle={"count": 1, "period": "15s", "strategy": "latest"},
        orderBy="k",
        atLeastOnce=False,
    ),
}
DEPENDENCIES = [dependency("a", dedupe={"key": "same", "window": "30s"}), dependency("b")]

Deed = tuple[str, int]
DEEDS: st.SearchStrategy[list[Deed]] = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["a", "a", "a", "b"]), st.integers(0, 5)),
        st.tuples(st.just("wait"), st.integers(1, 25)),
        st.tuples(st.sampled_from(["kill", "stop", "pause", "resume", "cut"]), st.integers(0, 3)),
    ),
    max_size=25,
)


@pytest.mark.parametrize("name", TRIGGERS)
@settings(max_examples=20)
@given(deeds=DEEDS, takes=st.sampled_from([0.0, 3.0]))
def test_every_event_acts_or_is_told_to_be_dropped(
    name: str, deeds: list[Deed], takes: float
) -> None:
    asyncio.run(_told(TRIGGERS[name], deeds, takes))


async def _told(trigger: dict[str, Any], deeds: list[Deed], takes: float) -> None:
    world = World()
    await world.bus.start()
    Timed.takes = takes
    spec = {"dependencies": DEPENDENCIES, "triggers": [trigger]}
    sensor = await world.start(spec)
    published: dict[str, str] = {}
    for number, (deed, amount) in enumerate(deeds):
        if deed in "ab":
            same = {"same": amount} if amount > 3 else {}
            event = await world.publish(deed, k=amount % 2, n=number, **same)
            published[event] = deed
        elif deed == "wait":
            await world.clock.advance(amount)
        elif deed == "kill":
            await world.kill(sensor)
            await world.clock.advance(amount * 20)
            sensor = await world.start(spec)
        elif deed == "stop":
            await sensor.stop(grace=0)
            await world.clock.advance(amount * 20)
            sensor = await world.start(spec)
        elif deed == "cut":
            world.bus.connected = False
            await world.clock.advance(amount)
            world.bus.connected = True
        elif sensor.statuses["t"].phase != "starting":
            await (sensor.pause() if deed == "pause" else sensor.resume())
    await sensor.resume()
    await world.clock.advance(150)
    await sensor.stop(grace=0)

    if trigger.get("atLeastOnce") is False:
        actions = [acted.id for acted in world.acted]
        assert len(actions) == len(set(actions))
    awaited = ("absence" in trigger and "b") or ""
    for event, source in published.items():
        if source == awaited or (source == "b" and trigger["template"]["conditions"] == "a"):
            continue
        assert ENDS & set(world.steps(event)), (event, world.steps(event))
    assert world.unsettled("a") == world.unsettled("b") == 0
    assert await world.waiting() == []
    await world.scripts.close()
