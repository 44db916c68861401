"""The calendar source; its service is the clock, which these tests move."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from tiphys.aio import stop
from tiphys.errors import BusUnavailable, ManifestError
from tiphys.sources._shared.timestamps import parse_long_timestamp
from tiphys.testing.bus import MemoryBus
from tiphys.testing.clock import VirtualClock
from tiphys.testing.sources import (
    Service,
    SourceContract,
    data_of,
    make_source,
    pull_service,
    started_bus,
)

START = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
RECORD = "state/es.ev"


class ClockService(Service):
    """A clock that stands still until an activation is asked for."""

    def __init__(self, block: dict[str, Any] | None = None, start: datetime = START) -> None:
        super().__init__()
        self.clock: VirtualClock = VirtualClock(start)
        self._numbers: dict[datetime, int] = {}
        self._block = block or {
            "schedule": "0 * * * *",
            "timezone": "UTC",
            "persistence": {"catchup": {"enabled": True}, "configMap": {"name": "state"}},
        }

    def block(self) -> dict[str, Any]:
        return self._block

    def remember(self, moment: str) -> None:
        self.store.values[RECORD] = orjson.dumps({"eventTime": moment})

    async def emit(self, n: int) -> None:
        hour = self.clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        self._numbers[hour] = n
        await self.clock.advance_to(hour)

    def number(self, data: dict[str, Any]) -> int:
        moment = parse_long_timestamp(data["eventTime"])
        return self._numbers[moment.replace(minute=0, second=0, microsecond=0)]

    async def connected(self) -> None:
        await self.clock.settle()

    async def wait(self, seconds: float) -> None:
        await self.clock.advance(seconds)


class TestCalendar(SourceContract):
    key = "calendar"
    no_outage = "a clock is always there"

    @asynccontextmanager
    async def service(self) -> AsyncIterator[Service]:
        service = ClockService()
        service.remember("2026-03-01 12:00:00 +0000 UTC")
        yield service


@asynccontextmanager
async def running(service: ClockService, bus: MemoryBus) -> AsyncIterator[None]:
    task = asyncio.create_task(pull_service("calendar", service, bus).run())
    await service.clock.settle()
    try:
        yield
    finally:
        assert await stop(task)


async def times(service: ClockService, seconds: float) -> list[str]:
    """The times of the events within some seconds of a fresh source."""
    bus = await started_bus()
    async with running(service, bus):
        await service.clock.advance(seconds)
    return [data_of(event)["eventTime"] for event in bus.published]


def cut(texts: list[str]) -> list[str]:
    return [text.partition(".")[0].partition(" +")[0] for text in texts]


async def test_an_event_tells_the_time_of_the_wake_up_and_its_id_that_of_the_activation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    service = ClockService({"schedule": "1 13 * * *", "metadata": {"a": "b"}})
    bus = await started_bus()
    async with running(service, bus):
        service.clock.jump(60.5)
        await service.clock.advance(0)

    (event,) = bus.published
    assert data_of(event) == {
        "eventTime": "2026-03-01 13:01:00.75 +0100 CET m=+60.500000000",
        "metadata": {"a": "b"},
    }
    assert event.id == "es:ev:2026-03-01T12:01:00Z"


async def test_an_interval_keeps_to_whole_seconds() -> None:
    assert cut(await times(ClockService({"interval": "90s"}), 300)) == [
        "2026-03-01 12:01:30",
        "2026-03-01 12:03:00",
        "2026-03-01 12:04:30",
    ]


async def test_a_schedule_is_read_in_its_zone_across_the_change_of_offset() -> None:
    start = datetime(2026, 3, 28, 12, tzinfo=UTC)
    service = ClockService({"schedule": "30 6 * * *", "timezone": "Europe/Berlin"}, start)
    bus = await started_bus()
    async with running(service, bus):
        await service.clock.advance(3 * 86_400)

    assert [event.id for event in bus.published] == [
        "es:ev:2026-03-29T04:30:00Z",
        "es:ev:2026-03-30T04:30:00Z",
        "es:ev:2026-03-31T04:30:00Z",
    ]


async def test_a_zone_in_the_schedule_wins() -> None:
    block = {"schedule": "TZ=Asia/Tokyo 0 9 * * *", "timezone": "America/New_York"}
    bus = await started_bus()
    service = ClockService(block)
    async with running(service, bus):
        await service.clock.advance(86_400)

    assert [event.id for event in bus.published] == ["es:ev:2026-03-02T00:00:00Z"]


@pytest.mark.parametrize("timing", [{"schedule": "0 */8 * * *"}, {"interval": "8h"}])
async def test_nothing_happens_on_excluded_days_whatever_the_time_of_the_stamp(
    timing: dict[str, str],
) -> None:
    block = {
        **timing,
        "timezone": "UTC",
        "exclusionDates": ["EXDATE:20260302T235959Z,20260303T000000Z", "RRULE:ignored"],
    }
    start = datetime(2026, 3, 1, 16, tzinfo=UTC)
    bus = await started_bus()
    service = ClockService(block, start)
    async with running(service, bus):
        await service.clock.advance(3 * 86_400)

    assert [event.id[-20:] for event in bus.published] == [
        "2026-03-04T00:00:00Z",
        "2026-03-04T08:00:00Z",
        "2026-03-04T16:00:00Z",
    ]


async def test_excluding_a_day_of_a_busy_schedule_takes_no_time() -> None:
    block = {"interval": "1s", "timezone": "UTC", "exclusionDates": ["EXDATE:20260302T000000Z"]}
    start = datetime(2026, 3, 1, 23, 59, 58, tzinfo=UTC)
    bus = await started_bus()
    service = ClockService(block, start)
    async with running(service, bus):
        await service.clock.advance(86_403)

    assert [event.id[-20:] for event in bus.published] == [
        "2026-03-01T23:59:59Z",
        "2026-03-03T00:00:00Z",
        "2026-03-03T00:00:01Z",
    ]


async def test_what_was_missed_while_nothing_ran_is_made_up_for_in_order() -> None:
    service = ClockService()
    service.remember("2026-03-01 08:00:00.0004 +0000 UTC m=+683.567066901")
    texts = await times(service, 3600)

    assert texts[:4] == [f"2026-03-01 {hour:02}:00:00 +0000 UTC" for hour in (9, 10, 11, 12)]
    assert texts[4].startswith("2026-03-01 13:00:00 +0000 UTC m=+")
    assert orjson.loads(service.store.values[RECORD])["eventTime"] == texts[4]


async def test_what_is_older_than_the_longest_age_is_not_made_up_for() -> None:
    service = ClockService()
    service.block()["persistence"]["catchup"]["maxDuration"] = "2h"
    service.remember("2026-02-01 08:00:00 +0000 UTC")

    assert cut(await times(service, 0)) == ["2026-03-01 11:00:00", "2026-03-01 12:00:00"]


@pytest.mark.parametrize(
    "persistence",
    [
        None,
        {"catchup": {"enabled": True}},
        {"catchup": {"enabled": False}, "configMap": {"name": "state"}},
        {"configMap": {"name": "state"}},
    ],
)
async def test_without_catch_up_or_record_nothing_is_made_up_for(
    persistence: dict[str, Any] | None,
) -> None:
    service = ClockService({"schedule": "0 * * * *", "persistence": persistence})
    service.remember("2026-03-01 08:00:00 +0000 UTC")

    assert cut(await times(service, 3600)) == ["2026-03-01 13:00:00"]
    remembered = orjson.loads(service.store.values[RECORD])["eventTime"]
    assert ("13:00:00" in remembered) is bool(persistence and "configMap" in persistence)


async def test_without_a_record_yet_there_is_nothing_to_make_up_for() -> None:
    assert len(await times(ClockService(), 3600)) == 1


async def test_a_record_that_cannot_be_read_is_reported_and_nothing_is_emitted() -> None:
    service = ClockService()
    service.remember("yesterday")
    pull = pull_service("calendar", service, await started_bus())
    task = asyncio.create_task(pull.run())
    await service.clock.advance(1)
    await stop(task)

    assert pull.status.error is not None
    assert "yesterday" in pull.status.error
    assert RECORD in pull.status.error


@pytest.mark.parametrize(("catches_up", "hours"), [(True, "13 14 15"), (False, "13 15")])
async def test_a_machine_that_slept_makes_up_for_what_it_missed_only_with_catch_up(
    catches_up: bool, hours: str
) -> None:
    service = ClockService()
    service.block()["persistence"]["catchup"]["enabled"] = catches_up
    bus = await started_bus()
    async with running(service, bus):
        service.clock.jump(3 * 3600 - 60)
        await service.clock.advance(3600)

    assert [event.id[-9:-7] for event in bus.published] == hours.split()


async def test_a_clock_that_is_set_back_does_not_repeat_an_event() -> None:
    service = ClockService({"schedule": "* * * * *"})
    bus = await started_bus()
    async with running(service, bus):
        await service.clock.advance(60)
        service.clock.jump(-30)
        await service.clock.advance(60)

    assert len({event.id for event in bus.published}) == len(bus.published) == 1


async def test_the_record_is_written_again_when_that_fails() -> None:
    service = ClockService()
    failures = 2
    put = service.store.put

    async def fails_at_first(key: str, value: bytes) -> None:
        nonlocal failures
        if failures:
            failures -= 1
            raise BusUnavailable("away")
        await put(key, value)

    service.store.put = fails_at_first  # type: ignore[method-assign]
    await times(service, 3610)

    assert "13:00:00" in service.store.values[RECORD].decode()


WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "required"),
    ({"schedule": "* * * *"}, "`schedule`"),
    ({"schedule": "@daily"}, "`schedule`"),
    ({"schedule": "0 0 30 2 *"}, "no activation within five years"),
    ({"schedule": "0 0 * * 7"}, "`schedule`"),
    ({"interval": "0.9s"}, "at least 1s"),
    ({"interval": "-5s"}, "at least 1s"),
    ({"interval": "10"}, "`interval`"),
    ({"interval": "1h", "timezone": "Mars/Base"}, "`timezone`"),
    ({"interval": "1h", "exclusionDates": ["EXDATE:tomorrow"]}, "`exclusionDates`"),
    (
        {"interval": "1h", "persistence": {"catchup": {"enabled": True, "maxDuration": "x"}}},
        "maxDuration",
    ),
]


@pytest.mark.parametrize(("block", "text"), WRONG)
def test_an_option_that_makes_no_sense_is_named(block: dict[str, Any], text: str) -> None:
    (problem,) = make_source("calendar", block).check()

    assert text in problem


@pytest.mark.parametrize(("block", "text"), WRONG[1:])
async def test_an_option_that_makes_no_sense_ends_the_service(
    block: dict[str, Any], text: str
) -> None:
    pull = pull_service("calendar", ClockService(block), await started_bus())
    until: Callable[[], Any] = pull.run

    with pytest.raises(ManifestError):
        await asyncio.wait_for(until(), 5)
