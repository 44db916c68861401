"""With ``atLeastOnce: false`` nothing is done twice, whatever a bus delivers again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.unit.sensors.flow.conftest import Timed, World, timed
from tiphys.errors import BusUnavailable
from tiphys.sensors.claims import INHERITED, INTERVAL, KEPT, Claims, bucket
from tiphys.sensors.delivery import REPEATED

TRIGGERS: dict[str, dict[str, Any]] = {
    "plain": timed("a"),
    "either": timed("a || b"),
    "both": timed("a && b"),
    "by key": timed("a", orderBy="k"),
    "joined": timed("a && b", conditionsJoin={"key": "k", "window": "1h"}),
    "debounce": timed("a", debounce={"period": "1s"}),
    "batch": timed("a", batch={"count": 3, "period": "1s"}),
    "throttle": timed("a", throttle={"count": 1, "period": "1s", "strategy": "latest"}),
}


def spec(trigger: dict[str, Any]) -> dict[str, Any]:
    """A sensor with one trigger at most once."""
    dependencies = [{"name": n, "eventSourceName": n, "eventName": "ev"} for n in "ab"]
    return {"dependencies": dependencies, "triggers": [{**trigger, "atLeastOnce": False}]}


async def claimed(world: World) -> list[str]:
    """The keys of all claims."""
    return await (await world.bus.state(bucket("sn"))).keys()


@pytest.mark.parametrize("name", TRIGGERS)
@pytest.mark.parametrize("takes", [0.0, 5.0])
async def test_what_the_bus_forgot_to_be_acknowledged_acts_not_again(
    world: World, name: str, takes: float
) -> None:
    Timed.takes = takes
    sensor = await world.start(spec(TRIGGERS[name]))
    for n in range(5):
        await world.publish("a", n=n, k=0)
        await world.publish("b", n=n, k=0)
    await world.at(20)
    before = [acted.data for acted in world.acted]
    assert before
    for source in "ab":
        await world.kill(sensor)
        if ("sn", "t", source) in world.bus._durables:
            world.bus.forget("sn", "t", source)
        await world.clock.advance(30)
        sensor = await world.start(spec(TRIGGERS[name]))
        await world.clock.advance(30)

    await world.publish("a", n=5, k=0)
    await world.publish("b", n=5, k=0)
    await world.clock.advance(30)
    assert [acted.data for acted in world.acted[: len(before)]] == before
    for acted in world.acted[len(before) :]:
        events = acted.data["a"].get("events", [acted.data["a"]]) if "a" in acted.data else []
        assert [event["n"] for event in events] in ([5], [])
    assert world.unsettled("a") == world.unsettled("b") == 0
    await sensor.stop()


async def test_a_part_of_a_batch_that_comes_again_acts_not_again(world: World) -> None:
    sensor = await world.start(spec(TRIGGERS["batch"]))
    await world.publish("a", n=0)
    await world.publish("a", n=1)
    await world.at(20)
    await world.kill(sensor)
    world.bus.forget("sn", "t", "a", after=1)
    sensor = await world.start(spec(TRIGGERS["batch"]))
    await world.at(60)
    await sensor.stop()

    assert [acted.data["a"]["count"] for acted in world.acted] == [2]


@pytest.mark.parametrize("name", TRIGGERS)
async def test_an_action_that_a_crash_cut_off_is_told_and_not_repeated(
    world: World, name: str
) -> None:
    Timed.takes = 10.0
    sensor = await world.start(spec(TRIGGERS[name]))
    first = await world.publish("a", n=0, k=0)
    await world.publish("b", n=0, k=0)
    await world.clock.advance(5)
    begun = len(world.acted)
    assert begun == len({acted.id for acted in world.acted}) > 0
    await world.kill(sensor)
    sensor = await world.start(spec(TRIGGERS[name]))
    await world.clock.advance(60)
    await sensor.stop()

    assert (len(world.acted), len(Timed.ended)) == (begun, 0)
    told = [events for step, events in world.history.told if step == "duplicate"]
    assert told
    assert name in ("both", "joined") or (first,) in told
    assert world.history.reasons["duplicate"] == REPEATED
    assert world.unsettled("a") == world.unsettled("b") == 0
    assert await world.kept("=firing") == []
    assert await world.waiting() == []


async def test_a_message_at_two_replicas_acts_in_one(world: World) -> None:
    Timed.takes = 10.0
    trigger = {**timed("a"), "atLeastOnce": False}
    async with world.running(trigger, replicas=2), world.running(trigger, replicas=2):
        await world.publish("a", n=0)
        await world.clock.advance(1)
        world.bus.forget("sn", "t", "a")
        await world.clock.advance(60)

    assert len(world.acted) == 1


async def test_claims_go_when_nothing_can_come_again(world: World) -> None:
    async with world.running({**timed("a"), "atLeastOnce": False}):
        for n in range(40):
            await world.publish("a", n=n)
        await world.clock.advance(INTERVAL * (KEPT - 1))
        assert len(await claimed(world)) == 40
        await world.clock.advance(INTERVAL * 2)
        assert await claimed(world) == []


async def test_claims_stay_while_nothing_can_come_again_yet(world: World) -> None:
    async with world.running({**timed("a"), "atLeastOnce": False}) as sensor:
        await world.publish("a", n=0)
        world.bus.connected = False
        await world.clock.advance(INTERVAL * KEPT)
        world.bus.connected = True
        await world.clock.advance(INTERVAL)
        assert len(await claimed(world)) == 1
        await sensor.pause()
        await world.clock.advance(INTERVAL * KEPT)
        assert len(await claimed(world)) == 1


async def test_claims_of_a_process_before_stay_longer_and_go_as_well(world: World) -> None:
    Timed.takes = 10.0
    sensor = await world.start(spec(timed("a")))
    await world.publish("a", n=0)
    await world.kill(sensor)
    world.bus._durables["sn", "t", "a"].pending.clear()  # acknowledged, and never told of
    sensor = await world.start(spec(timed("a")))
    await world.clock.advance(INTERVAL * (INHERITED - 1))
    assert len(await claimed(world)) == 1
    await world.clock.advance(INTERVAL * 2)
    assert await claimed(world) == []
    await sensor.stop()


async def test_claims_of_triggers_that_are_gone_or_may_repeat_now_go(world: World) -> None:
    once = [{**timed("a", name=name), "atLeastOnce": False} for name in ("t", "t/u", "gone")]
    async with world.running(*once):
        await world.publish("a", n=0)
        assert len(await claimed(world)) == 3
    async with world.running(once[0], timed("a", name="t/u")):
        assert [key.rpartition("/")[0] for key in await claimed(world)] == ["t"]
    broken = {**timed("nobody"), "atLeastOnce": False}
    async with world.running(broken):
        assert len(await claimed(world)) == 1
    async with world.running(timed()):
        assert await claimed(world) == []


RATE = {"rateLimit": {"unit": "Minute", "requestsPerUnit": 1}}


@pytest.mark.parametrize("more", [{}, {"orderBy": "k"}])
async def test_what_waits_for_the_rate_limit_at_a_stop_has_not_begun(
    world: World, more: dict[str, Any]
) -> None:
    sensor = await world.start(spec(timed("a", **RATE, **more)))
    for n in range(5):
        await world.publish("a", n=n)
    await world.at(30)
    assert len(world.acted) == len(await claimed(world)) == 1
    await sensor.stop(grace=0)
    sensor = await world.start(spec(timed("a", **RATE, **more)))
    await world.at(1000)
    await sensor.stop()

    assert [acted.data["a"]["n"] for acted in world.acted] == [0, 1, 2, 3, 4]
    assert world.unsettled() == 0


@pytest.mark.parametrize("more", [{}, {"orderBy": "k"}, {"batch": {"count": 1, "period": "1s"}}])
@pytest.mark.parametrize("rate", [{}, RATE])
async def test_what_waits_for_another_attempt_at_a_stop_is_tried_again(
    world: World, more: dict[str, Any], rate: dict[str, Any]
) -> None:
    Timed.failing = {0, None}
    retry = {"steps": 5, "duration": "40s", "jitter": 0, "factor": 1}
    trigger = timed("a", retryStrategy=retry, **more, **rate)
    sensor = await world.start(spec(trigger))
    await world.publish("a", n=0)
    await world.at(50 if rate else 10)
    assert len(world.acted) == 1
    await sensor.stop(grace=0)
    Timed.failing = set()
    sensor = await world.start(spec(trigger))
    await world.at(200)
    await sensor.stop()

    assert (len(world.acted), len(Timed.ended)) == (2, 1)
    assert world.unsettled() == 0


async def test_of_several_actions_of_an_event_those_that_wait_for_the_rate_limit_have_not_begun(
    world: World,
) -> None:
    event = {"eventSourceName": "a", "eventName": "ev"}
    twice = {
        "dependencies": [{"name": name, **event} for name in ("x", "y")],
        "triggers": [timed("x || y", atLeastOnce=False, **RATE)],
    }
    sensor = await world.start(twice)
    await world.publish("a", n=0)
    await world.at(30)
    assert [list(acted.data) for acted in world.acted] == [["x"]]
    await sensor.stop(grace=0)
    sensor = await world.start(twice)
    await world.at(1000)
    await sensor.stop()

    assert [list(acted.data) for acted in world.acted] == [["x"], ["y"]]
    assert world.unsettled("x") == 0


@pytest.mark.parametrize(
    "names", [("plain", "debounce"), ("debounce", "plain"), ("plain", "by key")]
)
async def test_flow_control_that_is_added_or_removed_changes_no_claim(
    world: World, names: tuple[str, str]
) -> None:
    before, after = (spec(TRIGGERS[name]) for name in names)
    sensor = await world.start(before)
    await world.publish("a", n=0)
    await world.at(20)
    await world.kill(sensor)
    world.bus.forget("sn", "t", "a")
    sensor = await world.start(after)
    await world.at(100)
    await sensor.stop()

    assert len(world.acted) == 1


async def test_a_claim_whose_confirmation_was_lost_is_still_ones_own(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = await world.bus.state(bucket("sn"))
    put, lost = state.put, [True]

    async def without_answer(*arguments: Any, **options: Any) -> int:
        written = await put(*arguments, **options)
        if lost.pop() if lost else False:
            raise BusUnavailable("the link broke")
        return written

    monkeypatch.setattr(state, "put", without_answer)
    claims = Claims(world.bus, state, "t", world.clock)
    laying = asyncio.create_task(claims.lay("1.1"))
    await world.clock.advance(1)

    assert await laying
    assert not await claims.lay("1.1")
    assert not await Claims(world.bus, state, "t", world.clock).lay("1.1")
    assert await Claims(world.bus, state, "other", world.clock).lay("1.1")
