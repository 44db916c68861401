"""Blackout: no action begins in a window, and nothing is lost by it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.sensors.flow.conftest import Timed, World, timed
from tiphys.errors import ManifestError
from tiphys.languages import cron
from tiphys.manifests.flow import DAYS, BlackoutWindow
from tiphys.sensors.flow.blackout import Blackout, compile_blackout

HOUR = 3600.0


def blackout(*blocks: dict[str, Any]) -> Blackout:
    """The compiled windows."""
    compiled = compile_blackout([BlackoutWindow.model_validate(block) for block in blocks])
    assert compiled is not None
    return compiled


async def test_events_wait_on_the_bus_until_the_window_is_over(world: World) -> None:
    windows = [{"start": "01:00", "stop": "02:00"}]
    async with world.running(timed(blackout=windows)) as sensor:
        await world.publish("a", n=0)
        await world.at(HOUR)
        await world.publish("a", n=1)
        status = sensor.statuses["t"]
        assert (status.phase, status.reason) == ("paused", "blackout until 2026-01-01T02:00:00Z")
        assert world.unsettled() == 0
        await world.at(2 * HOUR)
        assert status.phase == "running"

    assert [(a.at, a.data["a"]["n"]) for a in world.acted] == [(0, 0), (2 * HOUR, 1)]


async def test_what_has_begun_before_a_window_ends_in_it(world: World) -> None:
    Timed.takes = 600.0
    async with world.running(timed(blackout=[{"start": "01:00", "stop": "02:00"}])):
        await world.at(HOUR - 1)
        await world.publish("a", n=0)
        await world.at(2 * HOUR)

        assert [a.at for a in Timed.ended] == [HOUR - 1]
        assert world.unsettled() == 0
    assert len(world.acted) == 1


async def test_what_waits_for_its_turn_at_the_beginning_of_a_window_acts_after_it(
    world: World,
) -> None:
    Timed.takes = 600.0
    trigger = timed(blackout=[{"start": "01:00", "stop": "02:00"}], orderBy="k")
    async with world.running(trigger):
        await world.at(HOUR - 1)
        await world.publish("a", k=1, n=0)
        await world.publish("a", k=1, n=1)
        await world.at(3 * HOUR)

    assert [a.at for a in Timed.ended] == [HOUR - 1, 2 * HOUR]


async def test_a_debounced_action_due_in_a_window_acts_after_it(world: World) -> None:
    trigger = timed(blackout=[{"start": "01:00", "stop": "02:00"}], debounce={"period": "10s"})
    async with world.running(trigger):
        await world.at(HOUR - 5)
        await world.publish("a", n=0)
        await world.at(2 * HOUR)
        assert world.acted == []
        await world.at(2 * HOUR + 2)

        assert [a.data["a"]["n"] for a in world.acted] == [0]


def test_a_window_may_cross_midnight() -> None:
    windows = blackout({"start": "22:00", "stop": "06:00", "days": ["fri"]})
    friday = datetime(2026, 1, 2, tzinfo=UTC)

    assert windows.covering(friday) is None
    assert windows.covering(friday.replace(hour=22)) == datetime(2026, 1, 3, 6, tzinfo=UTC)
    assert windows.covering(datetime(2026, 1, 3, 5, 59, tzinfo=UTC)) is not None
    assert windows.covering(datetime(2026, 1, 3, 6, tzinfo=UTC)) is None
    assert windows.next_start(friday) == friday.replace(hour=22)
    assert windows.next_start(friday.replace(hour=22)) == datetime(2026, 1, 9, 22, tzinfo=UTC)


def test_times_of_day_are_those_of_the_zone_on_both_sides_of_a_change() -> None:
    windows = blackout({"start": "08:00", "stop": "09:00", "timezone": "Europe/Berlin"})

    assert windows.next_start(datetime(2026, 3, 27, 12, tzinfo=UTC)) == datetime(
        2026, 3, 28, 7, tzinfo=UTC
    )
    assert windows.next_start(datetime(2026, 3, 28, 12, tzinfo=UTC)) == datetime(
        2026, 3, 29, 6, tzinfo=UTC
    )


def test_a_window_may_follow_a_schedule() -> None:
    windows = blackout({"cron": "0 3 1 * *", "duration": "90m", "timezone": "America/New_York"})
    start = datetime(2026, 2, 1, 8, tzinfo=UTC)

    assert windows.next_start(datetime(2026, 1, 10, tzinfo=UTC)) == start
    assert windows.covering(start - timedelta(microseconds=1)) is None
    assert windows.covering(start) == start + timedelta(minutes=90)
    assert windows.covering(start + timedelta(minutes=90)) is None


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"start": "1", "stop": "2:00"}, "`1` is no time of day"),
        ({"start": "25:00", "stop": "2:00"}, "`25:00` is no time of day"),
        ({"start": "2:00", "stop": "2:00"}, "are equal"),
        ({"start": "2:00", "stop": "3:00", "timezone": "Mars"}, "unknown time zone Mars"),
        ({"cron": "0 0 * * *"}, "needs a `duration`"),
        ({"cron": "nonsense", "duration": "1h"}, "nonsense"),
    ],
)
def test_windows_that_make_no_sense_are_refused(block: dict[str, Any], message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        blackout(block)


MINUTES = st.integers(0, 24 * 60 - 1)


@given(
    start=MINUTES,
    stop=MINUTES,
    days=st.sets(st.sampled_from(DAYS)),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]),
    offset=st.integers(0, 366 * 24 * 60),
)
def test_a_window_covers_the_moments_whose_wall_clock_lies_in_it(
    start: int, stop: int, days: set[Any], zone: str, offset: int
) -> None:
    if start == stop:
        stop = (start + 1) % (24 * 60)
    windows = blackout(
        {
            "start": f"{start // 60:02}:{start % 60:02}",
            "stop": f"{stop // 60:02}:{stop % 60:02}",
            "days": sorted(days),
            "timezone": zone,
        }
    )
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=offset)
    wall = now.astimezone(ZoneInfo(zone))
    near = (now + timedelta(hours=shift) for shift in (-26, 26))
    if len({moment.astimezone(ZoneInfo(zone)).utcoffset() for moment in near}) > 1:
        return  # a change of offset is near: the wall clock alone does not tell
    minute = wall.hour * 60 + wall.minute
    today, yesterday = DAYS[wall.weekday()], DAYS[wall.weekday() - 1]
    wanted = days or set(DAYS)
    if start < stop:
        inside = start <= minute < stop and today in wanted
    else:
        inside = (minute >= start and today in wanted) or (minute < stop and yesterday in wanted)

    end = windows.covering(now)

    assert (end is not None) == inside
    if end is not None:
        assert now < end <= now + timedelta(days=1)
    following = windows.next_start(now)
    assert following is not None
    assert following > now
    assert windows.covering(following) is not None
    assert windows.covering(following - timedelta(microseconds=1)) is None or inside


@given(minutes=st.integers(1, 59), at=st.integers(0, 7 * 24 * 3600))
def test_a_schedule_covers_what_follows_each_of_its_times(minutes: int, at: int) -> None:
    windows = blackout({"cron": "30 */2 * * *", "duration": f"{minutes}m"})
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=at)
    tick = cron.parse("30 */2 * * *").previous(now + timedelta(seconds=1))
    assert tick is not None

    assert (windows.covering(now) is not None) == (now < tick + timedelta(minutes=minutes))
