"""Calendar: an event at every activation of a schedule (spec: event sources 9.1)."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson
from pydantic import Field

from tiphys.aio import Backoff, Clock
from tiphys.errors import ManifestError, SourceError, TiphysError
from tiphys.languages import LanguageError, cron, durations, zones
from tiphys.manifests.common import Block, SourceConfig
from tiphys.sources._base import Incoming, Source, SourceContext, source
from tiphys.sources._shared.timestamps import long_timestamp, parse_long_timestamp

LONGEST_SLEEP = 30.0  # seconds; then the time of day is looked at again, it may have been set
SECOND = 1_000_000_000  # nanoseconds
T = TypeVar("T")


class Catchup(Block):
    """Whether activations that were missed while nothing ran are made up for."""

    enabled: bool = Field(False, description="Emit the missed activations at the start.")
    max_duration: str = Field(
        "", description="How old a missed activation may be, such as `5m`; empty: any age."
    )


class StateConfigMap(Block):
    """Where the time of the last event is kept."""

    name: str = Field("", description="Name of the ConfigMap; outside Kubernetes, of the record.")
    create_if_not_exist: bool = Field(
        False, description="Create the ConfigMap; outside Kubernetes that is always done."
    )


class Persistence(Block):
    """Remembers the last event across restarts."""

    catchup: Catchup | None = Field(None, description="What to do about missed activations.")
    config_map: StateConfigMap | None = Field(
        None, description="Where to remember; without it nothing is remembered."
    )


class Config(SourceConfig):
    """When to emit."""

    schedule: str = Field(
        "",
        description="Cron expression of five fields; a prefix `TZ=<zone> ` sets its zone.",
        examples=["30 6 * * mon-fri"],
    )
    interval: str = Field(
        "",
        description="Pause between events, at least `1s`; not looked at when `schedule` is set.",
        examples=["10s"],
    )
    exclusion_dates: list[str] = Field(
        [], description="Days without events, as `EXDATE:YYYYMMDDTHHMMSSZ`; only the day counts."
    )
    timezone: str = Field(
        "", description="Zone in which the schedule is read; the process's zone when empty."
    )
    persistence: Persistence | None = Field(
        None, description="Remembers the last event across restarts."
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """The options, understood."""

    schedule: cron.Schedule
    zone: tzinfo
    exclusions: frozenset[date]
    oldest: timedelta | None

    @classmethod
    def of(cls, config: Config) -> Plan:
        """Raises :exc:`ManifestError`, with the path of the option that is wrong."""
        zone = _understood("timezone", lambda: _zone(config.timezone))
        schedule = (
            _understood("schedule", lambda: cron.parse(config.schedule))
            if config.schedule
            else _understood("interval", lambda: _interval(config.interval))
        )
        exclusions = _understood(
            "exclusionDates", lambda: cron.parse_exclusion_dates(config.exclusion_dates)
        )
        catchup = config.persistence.catchup if config.persistence else None
        oldest = None
        if catchup and catchup.max_duration:
            limit = catchup.max_duration
            nanoseconds = _understood(
                "persistence.catchup.maxDuration", lambda: durations.parse(limit)
            )
            oldest = timedelta(microseconds=nanoseconds / 1000)
        return cls(schedule, zone, exclusions, oldest)

    def next(self, after: datetime) -> datetime:
        """
        The first activation after *after* that is not excluded, in the plan's zone.

        Raises :exc:`ManifestError` when there is none within five years.
        """
        moment = self.schedule.next(after.astimezone(self.zone))
        while moment is not None and moment.date() in self.exclusions:
            moment = self._behind_the_day_of(moment)
        if moment is None:
            raise ManifestError("the schedule has no activation within five years", path="schedule")
        return moment

    def _behind_the_day_of(self, moment: datetime) -> datetime | None:
        """The first activation on a later day."""
        day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        end = (day + timedelta(days=1)).astimezone(UTC)
        if isinstance(self.schedule, cron.Interval):
            step = timedelta(microseconds=self.schedule.nanoseconds // 1000)
            steps = -((moment - end) // step)
            return (moment.astimezone(UTC) + max(1, steps) * step).astimezone(self.zone)
        return self.schedule.next((end - timedelta(microseconds=1)).astimezone(self.zone))


@source("calendar", delivery="at-least-once", replicas="one")
class Calendar(Source[Config]):
    """
    Emits the activations of a plan, one after the other.

    The next one waits until the one before is stored.  Its id derives from the time of activation,
    so the bus recognises one that comes again.
    """

    def check(self) -> list[str]:
        """What is wrong with the schedule."""
        if not (self.config.schedule or self.config.interval):
            return ["`schedule` or `interval` is required"]
        try:
            Plan.of(self.config).next(datetime.now(UTC))
        except ManifestError as error:
            return [f"`{error.path}`: {error.message}"]
        return []

    async def events(self, ctx: SourceContext) -> AsyncIterator[Incoming]:
        """Emit each activation in turn; those that were missed come at once."""
        plan = Plan.of(self.config)
        clock = ctx.clock
        started = clock.monotonic()
        last = await self._start(plan, ctx)
        ctx.connected()
        while True:
            due = plan.next(last)
            missed = due <= clock.now()
            if missed:
                text = long_timestamp(due)
            else:
                await _sleep_until(clock, due)
                wake = clock.now().astimezone(_local_zone())
                text = f"{long_timestamp(wake)} m={clock.monotonic() - started:+.9f}"
            woken = clock.now()
            stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            yield self._incoming(ctx, due, text, stored)
            if await stored:
                # Without catch-up, what was missed while the machine slept is not made up for.
                last = due if missed or self._catches_up() else woken

    def _incoming(
        self, ctx: SourceContext, due: datetime, text: str, stored: asyncio.Future[bool]
    ) -> Incoming:
        data = {"eventTime": text}

        async def ack() -> None:
            try:
                await self._remember(ctx, data)
            finally:
                stored.set_result(True)

        async def nack() -> None:
            stored.set_result(False)

        moment = due.astimezone(UTC).isoformat().replace("+00:00", "Z")
        return Incoming(data, f"{ctx.event_source}:{ctx.event_name}:{moment}", ack, nack)

    def _catches_up(self) -> bool:
        catchup = self.config.persistence and self.config.persistence.catchup
        return bool(catchup and catchup.enabled and self._remembers)

    @property
    def _remembers(self) -> bool:
        return bool(self.config.persistence and self.config.persistence.config_map)

    def _record(self, ctx: SourceContext) -> str:
        """The key of the event's record: the object's name, and the key inside it."""
        assert self.config.persistence and self.config.persistence.config_map
        name = self.config.persistence.config_map.name
        return f"{name}/{ctx.event_source}.{ctx.event_name}"

    async def _start(self, plan: Plan, ctx: SourceContext) -> datetime:
        """The moment after which the first activation is looked for."""
        now = ctx.clock.now()
        if not self._catches_up():
            return now
        saved = await ctx.store.get(self._record(ctx))
        if saved is None:
            return now
        try:
            last = parse_long_timestamp(str(orjson.loads(saved)["eventTime"]))
        except (orjson.JSONDecodeError, KeyError, TypeError, LanguageError) as error:
            raise SourceError(
                f"the remembered time {saved.decode(errors='replace')!r} cannot be read: {error}; "
                f"correct or remove the record {self._record(ctx)!r}"
            ) from error
        return max(last, now - plan.oldest) if plan.oldest else last

    async def _remember(self, ctx: SourceContext, data: dict[str, str]) -> None:
        """Keep the time of the event that was stored; raises when that failed every time."""
        if not self._remembers:
            return
        pauses = Backoff().pauses()
        while True:
            try:
                await ctx.store.put(self._record(ctx), orjson.dumps(data))
            except TiphysError:
                pause = next(pauses, None)
                if pause is None:
                    raise
            else:
                return
            await ctx.clock.sleep(pause)


async def _sleep_until(clock: Clock, moment: datetime) -> None:
    while (left := (moment - clock.now()).total_seconds()) > 0:
        await clock.sleep(min(left, LONGEST_SLEEP))


def _interval(text: str) -> cron.Schedule:
    nanoseconds = durations.parse(text)
    if nanoseconds < SECOND:
        raise ManifestError("an interval must be at least 1s", path="interval")
    return cron.Interval(nanoseconds)


def _zone(name: str) -> tzinfo:
    return (zones.load_zone(name) if name else None) or _local_zone()


def _local_zone() -> tzinfo:
    """The zone of the process, with its changes of offset where the system tells them."""
    name = os.environ.get("TZ", "").removeprefix(":")
    try:
        if name:
            return ZoneInfo(name)
        with Path("/etc/localtime").open("rb") as file:
            return ZoneInfo.from_file(file)
    except (OSError, ValueError, ZoneInfoNotFoundError):
        return datetime.now().astimezone().tzinfo or UTC


def _understood(path: str, read: Callable[[], T]) -> T:
    """The option at *path*, read; what its language says against it is the manifest's fault."""
    try:
        return read()
    except LanguageError as error:
        raise ManifestError(str(error), path=path) from error
