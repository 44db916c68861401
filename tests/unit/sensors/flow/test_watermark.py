"""How far the subscriptions of a trigger have been read."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.unit.sensors.flow.conftest import seconds
from tiphys.sensors.flow.watermark import QUIET, Watermark
from tiphys.testing.clock import VirtualClock

START = datetime(2026, 1, 1, tzinfo=UTC)


def test_nothing_may_act_before_the_subscriptions_had_time_to_be_read() -> None:
    clock = VirtualClock(START)
    watermark = Watermark(clock)
    watermark.begin(2)
    watermark.handled(0, START)
    assert watermark.limit() is None
    clock.jump(QUIET)

    assert watermark.limit() == clock.now()


def test_what_is_due_waits_for_the_subscription_that_is_furthest_behind() -> None:
    clock = VirtualClock(START)
    watermark = Watermark(clock)
    watermark.begin(2)
    watermark.handled(0, START - seconds(60))
    watermark.handled(1, START - seconds(3600))
    assert watermark.limit() == START - seconds(3600)
    watermark.handled(0, START)
    assert watermark.limit() == START - seconds(3600)
    clock.jump(QUIET / 2)
    watermark.handled(1, START - seconds(1800))
    clock.jump(QUIET / 2)
    assert watermark.limit() == START - seconds(1800)
    clock.jump(QUIET / 2)

    assert watermark.limit() == clock.now()


def test_nothing_waits_where_everything_is_read_as_it_comes() -> None:
    clock = VirtualClock(START)
    watermark = Watermark(clock)
    watermark.begin(1)
    watermark.handled(0, START - seconds(0.2))

    assert watermark.limit() == START
