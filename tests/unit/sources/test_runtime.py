"""The runtime of sources that go and get their events, with virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from tiphys.aio import stop
from tiphys.errors import ManifestError, PublishError
from tiphys.events import CloudEvent
from tiphys.manifests.common import SourceConfig
from tiphys.observe.metrics import Metrics
from tiphys.sources import Incoming, Source, SourceContext, source
from tiphys.sources._dispatch import Dispatcher
from tiphys.sources._link import BusLink
from tiphys.sources._runtime import STEADY, TRIES, WINDOW, PullService
from tiphys.sources._status import Status
from tiphys.testing.bus import MemoryBus
from tiphys.testing.clock import VirtualClock
from tiphys.testing.sources import FixedSecrets, MemoryStore, data_of


class Config(SourceConfig):
    """Nothing of its own."""


class Script:
    """What the service behind the source does, and what it was told about each event."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[int | Exception | None] = asyncio.Queue()
        self.settled: list[tuple[str, int]] = []
        self.starts = 0
        self.open = 0
        self.read = 0
        self.redelivers = False
        self.anonymous = False
        self.connects = False
        self.connected: Callable[[], None]
        self.data: Callable[[int], Any] = lambda n: {"n": n}

    def emit(self, *numbers: int) -> None:
        for n in numbers:
            self.queue.put_nowait(n)

    def incoming(self, n: int) -> Incoming:
        async def ack() -> None:
            self.settled.append(("ack", n))

        async def nack() -> None:
            self.settled.append(("nack", n))
            if self.redelivers:
                self.emit(n)

        return Incoming(self.data(n), None if self.anonymous else f"id-{n}", ack, nack)

    async def events(self, ctx: SourceContext) -> AsyncIterator[Incoming]:
        self.starts += 1
        self.connected = ctx.connected
        self.open += 1
        if self.connects:
            ctx.connected()
        try:
            while (item := await self.queue.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                self.read += 1
                yield self.incoming(item)
        finally:
            self.open -= 1


script: Script


@source("scripted", delivery="at-least-once", replicas="one")
class Scripted(Source[Config]):
    def events(self, ctx: SourceContext) -> AsyncIterator[Incoming]:
        return script.events(ctx)


@source("scriptedOrdered", delivery="at-least-once", replicas="one", ordered=True)
class ScriptedOrdered(Source[Config]):
    def events(self, ctx: SourceContext) -> AsyncIterator[Incoming]:
        return script.events(ctx)


@source("scriptedLoose", delivery="at-most-once", replicas="one")
class ScriptedLoose(Source[Config]):
    def events(self, ctx: SourceContext) -> AsyncIterator[Incoming]:
        return script.events(ctx)


class SlowBus(MemoryBus):
    """Holds publications back until they are let through, and counts those that wait."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.waiting: dict[str, asyncio.Future[None]] = {}

    async def publish(self, event: CloudEvent, *, timeout: float = 5.0) -> None:
        gate = self.waiting[event.id] = asyncio.get_running_loop().create_future()
        await gate
        del self.waiting[event.id]
        await super().publish(event, timeout=timeout)

    def let(self, n: int, error: Exception | None = None) -> None:
        gate = self.waiting[f"id-{n}"]
        gate.set_exception(error) if error else gate.set_result(None)


class NotingBus(MemoryBus):
    """Writes down what is to be published, also in vain."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.tried: list[str] = []

    async def publish(self, event: CloudEvent, *, timeout: float = 5.0) -> None:
        self.tried.append(event.id)
        await super().publish(event, timeout=timeout)


class Run:
    """A running service with everything around it."""

    def __init__(self, cls: type[Source[Config]], bus: MemoryBus, clock: VirtualClock) -> None:
        self.bus, self.clock = bus, clock
        self.metrics = Metrics()
        self.status = Status("ev", cls.key)
        self.config: dict[str, Any] = {}
        self.cls = cls

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[PullService]:
        secrets = FixedSecrets()
        ctx = SourceContext(
            namespace="ns",
            event_source="es",
            event_name="ev",
            secret=secrets.secret,
            config_map=secrets.config_map,
            tls=secrets.tls,
            store=MemoryStore(),
            clock=self.clock,
        )
        made = self.cls(Config.model_validate(self.config))
        dispatcher = Dispatcher(made, ctx, self.bus, self.metrics, self.status)
        pull = PullService(made, ctx, dispatcher, BusLink(self.bus))
        self.task = asyncio.create_task(pull.run())
        await self.clock.settle()
        try:
            yield pull
        finally:
            assert await stop(self.task)

    def value(self, metric: str) -> float | None:
        labels = {"namespace": "ns", "eventsource_name": "es", "event_name": "ev"}
        return self.metrics.registry.get_sample_value(f"argo_events_{metric}", labels)

    @property
    def numbers(self) -> list[int]:
        return [data_of(event)["n"] for event in self.bus.published]


@pytest.fixture(autouse=True)
def _script() -> None:
    global script
    script = Script()


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def bus(clock: VirtualClock) -> MemoryBus:
    bus = MemoryBus(clock)
    await bus.start()
    return bus


@pytest.fixture
async def slow(clock: VirtualClock) -> SlowBus:
    bus = SlowBus(clock)
    await bus.start()
    return bus


async def test_an_event_is_acknowledged_after_the_bus_has_it(
    slow: SlowBus, clock: VirtualClock
) -> None:
    run = Run(Scripted, slow, clock)
    async with run():
        script.emit(1)
        await clock.settle()
        assert (script.settled, slow.published) == ([], [])
        slow.let(1)
        await clock.settle()

        assert script.settled == [("ack", 1)]
        assert run.numbers == [1]


async def test_an_event_is_the_cloud_event_of_the_specification(
    bus: MemoryBus, clock: VirtualClock
) -> None:
    run = Run(Scripted, bus, clock)
    run.config = {"metadata": {"a": "<b>"}}
    async with run():
        script.emit(1)
        await clock.settle()

    (event,) = bus.published
    assert event == CloudEvent(
        id="id-1",
        source="es",
        subject="ev",
        type="scripted",
        time="2026-01-01T00:00:00Z",
        datacontenttype="application/json",
        data=b'{"n":1,"metadata":{"a":"<b>"}}',
    )
    assert (run.status.sent, run.status.last_event) == (1, clock.now())


@pytest.mark.parametrize(
    ("data", "stored"),
    [
        (b'{"a": 1 } ', b'{"a": 1,"metadata":{"m":"x"}}'),
        (b"{}", b'{"metadata":{"m":"x"}}'),
        (b"{ }", b'{"metadata":{"m":"x"}}'),
    ],
)
async def test_metadata_is_added_to_data_that_is_a_text_already(
    bus: MemoryBus, clock: VirtualClock, data: bytes, stored: bytes
) -> None:
    run = Run(Scripted, bus, clock)
    run.config = {"metadata": {"m": "x"}}
    script.data = lambda _n: data
    async with run():
        script.emit(1)
        await clock.settle()

    assert [event.data for event in bus.published] == [stored]


async def test_events_without_an_id_of_their_own_get_a_random_one(
    bus: MemoryBus, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "incoming", lambda n: Incoming({"n": n}))
    run = Run(Scripted, bus, clock)
    async with run():
        script.emit(1, 2)
        await clock.settle()

    ids = {event.id for event in bus.published}
    assert len(ids) == 2
    assert all(len(id) == 32 and id[12] == "4" and id[16] in "89ab" for id in ids)


async def test_no_more_than_the_window_is_read_ahead_and_publications_overlap(
    slow: SlowBus, clock: VirtualClock
) -> None:
    run = Run(Scripted, slow, clock)
    async with run():
        script.emit(*range(WINDOW + 10))
        await clock.advance(0)
        await clock.settle()
        await clock.settle()
        await clock.settle()
        assert (script.read, len(slow.waiting)) == (WINDOW, WINDOW)
        slow.let(7)
        await clock.settle()

        assert script.read == WINDOW + 1
        assert script.settled == [("ack", 7)]


async def test_events_are_settled_as_they_are_stored(slow: SlowBus, clock: VirtualClock) -> None:
    run = Run(Scripted, slow, clock)
    async with run():
        script.emit(1, 2, 3)
        await clock.settle()
        for n in (3, 1, 2):
            slow.let(n)
            await clock.settle()

        assert script.settled == [("ack", 3), ("ack", 1), ("ack", 2)]


async def test_the_events_of_an_ordered_source_are_published_one_after_the_other(
    slow: SlowBus, clock: VirtualClock
) -> None:
    run = Run(ScriptedOrdered, slow, clock)
    async with run():
        script.emit(1, 2, 3)
        await clock.settle()
        for n in (1, 2, 3):
            assert list(slow.waiting) == [f"id-{n}"]
            slow.let(n)
            await clock.settle()

        assert script.settled == [("ack", 1), ("ack", 2), ("ack", 3)]


async def test_an_event_that_the_bus_refused_is_not_overtaken_by_those_behind_it(
    bus: MemoryBus, clock: VirtualClock
) -> None:
    run = Run(ScriptedOrdered, bus, clock)
    bus.refuse = 1
    async with run():
        script.emit(1, 2, 3, 4, 5)
        await clock.advance(1)

        assert run.numbers == [1, 2, 3, 4, 5]
        assert script.settled == [("ack", n) for n in (1, 2, 3, 4, 5)]


async def test_an_event_of_an_ordered_source_does_not_wait_for_acknowledgements(
    bus: MemoryBus, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []

    def incoming(n: int) -> Incoming:
        async def ack() -> None:
            begun.append(n)
            await asyncio.Event().wait()

        return Incoming({"n": n}, f"id-{n}", ack)

    monkeypatch.setattr(script, "incoming", incoming)
    run = Run(ScriptedOrdered, bus, clock)
    async with run():
        script.emit(1, 2, 3)
        await clock.settle()

        assert (run.numbers, begun) == ([1, 2, 3], [1, 2, 3])


async def test_what_the_bus_refuses_goes_back_after_a_pause(
    bus: MemoryBus, clock: VirtualClock
) -> None:
    script.redelivers = True
    run = Run(Scripted, bus, clock)
    bus.refuse = 1
    async with run():
        script.emit(1)
        await clock.settle()
        assert script.settled == []
        await clock.advance(0.3)

        assert script.settled == [("nack", 1), ("ack", 1)]
    assert (run.value("events_sent_failed_total"), run.value("events_sent_total")) == (1, 1)
    assert run.value("events_processing_failed_total") == 1


@pytest.mark.parametrize(("refusals", "failures"), [(3, 0), (5, 1), (9, 1)])
async def test_an_event_has_failed_when_its_attempts_are_used_up_and_not_before(
    bus: MemoryBus, clock: VirtualClock, refusals: int, failures: int
) -> None:
    run = Run(ScriptedOrdered, bus, clock)
    bus.refuse = refusals
    with capture_logs() as logs:
        async with run():
            script.emit(1)
            await clock.advance(60)
            settled = script.settled

    assert settled == [("ack", 1)]
    assert (run.value("events_sent_failed_total"), run.value("events_sent_total")) == (failures, 1)
    assert run.value("events_processing_failed_total") == failures
    assert len([line for line in logs if line["log_level"] == "error"]) == failures


async def test_an_event_without_an_id_gets_one_for_all_attempts(clock: VirtualClock) -> None:
    bus = NotingBus(clock)
    await bus.start()
    run = Run(ScriptedOrdered, bus, clock)
    bus.refuse = 2
    script.anonymous = True
    async with run():
        script.emit(1)
        await clock.advance(60)

    assert len(bus.tried) == 3
    assert len({*bus.tried}) == 1


async def test_an_event_that_no_bus_takes_is_reported_and_stops_nothing_behind_it(
    bus: MemoryBus, clock: VirtualClock
) -> None:
    script.redelivers = True
    bus.largest = 64
    run = Run(ScriptedOrdered, bus, clock)
    script.data = lambda n: {"n": "x" * 100 if n == 1 else n}
    with capture_logs() as logs:
        async with run():
            script.emit(1, 2)
            await clock.advance(1)
            settled = script.settled

    assert settled == [("ack", 1), ("ack", 2)]
    assert run.value("events_sent_failed_total") == 1
    assert [line["eventID"] for line in logs if line["log_level"] == "error"]


async def test_a_bus_that_goes_on_refusing_is_not_stormed(
    bus: MemoryBus, clock: VirtualClock
) -> None:
    script.redelivers = True
    bus.refuse = 10**9
    run = Run(Scripted, bus, clock)
    with capture_logs() as logs:
        async with run():
            script.emit(1)
            await clock.advance(59)

    assert 10 < 10**9 - bus.refuse < 60
    assert len(logs) == 1


async def test_a_source_that_cannot_give_again_keeps_trying_and_then_says_what_is_lost(
    bus: MemoryBus, clock: VirtualClock
) -> None:
    run = Run(ScriptedLoose, bus, clock)
    bus.refuse = TRIES + 1
    with capture_logs() as logs:
        async with run():
            script.emit(1)
            await clock.advance(30)
            assert script.settled == [("nack", 1)]
            script.emit(2)
            await clock.advance(30)
            assert script.settled == [("nack", 1), ("ack", 2)]

    assert [log["event"] for log in logs if "lost" in log["event"]] == [
        "An event was lost, because its service cannot give it again"
    ]


async def test_an_ordered_source_keeps_an_event_until_the_bus_takes_it(
    slow: SlowBus, clock: VirtualClock
) -> None:
    run = Run(ScriptedOrdered, slow, clock)
    async with run():
        script.emit(1, 2)
        await clock.settle()
        for _ in range(TRIES + 3):
            slow.let(1, PublishError("full"))
            await clock.advance(3)
        assert (list(slow.waiting), script.settled) == (["id-1"], [])
        for n in (1, 2):
            slow.let(n)
            await clock.settle()

        assert script.settled == [("ack", 1), ("ack", 2)]


async def test_behind_an_event_that_goes_back_an_ordered_source_settles_nothing_and_reads_again(
    bus: MemoryBus, clock: VirtualClock
) -> None:
    run = Run(ScriptedOrdered, bus, clock)
    script.data = lambda n: {"n": n} if n != 2 else {"n": object()}
    with capture_logs():
        async with run():
            script.emit(1, 2, 3)
            await clock.advance(0.25)

            assert script.settled == [("ack", 1), ("nack", 2), ("nack", 3)]
            await clock.advance(1)
            assert (script.starts, script.open) == (2, 1)


async def test_data_that_are_no_json_go_back_and_are_reported(
    bus: MemoryBus, clock: VirtualClock
) -> None:
    run = Run(Scripted, bus, clock)
    script.data = lambda n: {"n": object()} if n == 1 else {"n": n}
    with capture_logs() as logs:
        async with run():
            script.emit(1, 2)
            await clock.advance(1)

    assert sorted(script.settled) == [("ack", 2), ("nack", 1)]
    assert run.value("events_processing_failed_total") == 1
    assert any(log["log_level"] == "error" for log in logs)


async def test_while_the_bus_is_away_nothing_is_read_and_what_was_read_is_kept(
    bus: MemoryBus, clock: VirtualClock
) -> None:
    run = Run(Scripted, bus, clock)
    with capture_logs() as logs:
        async with run():
            bus.connected = False
            script.emit(1, 2, 3)
            await clock.advance(3600)
            assert (script.read, script.settled) == (1, [])
            bus.connected = True
            await clock.advance(3)

            assert sorted(script.settled) == [("ack", 1), ("ack", 2), ("ack", 3)]
    assert sorted(run.numbers) == [1, 2, 3]
    assert script.starts == 1
    assert len(logs) < 10
    assert run.value("events_sent_failed_total") == 0


async def test_a_source_starts_only_when_there_is_a_bus(
    clock: VirtualClock,
) -> None:
    bus = MemoryBus(clock)
    run = Run(Scripted, bus, clock)
    async with run():
        await clock.advance(60)
        assert script.starts == 0
        await bus.start()
        await clock.settle()

        assert script.starts == 1


async def test_a_source_that_raises_is_started_again_and_again_with_one_line_of_log(
    bus: MemoryBus, clock: VirtualClock
) -> None:
    run = Run(Scripted, bus, clock)
    with capture_logs() as logs:
        async with run():
            for _ in range(40):
                script.queue.put_nowait(OSError("connection lost"))
            await clock.advance(100)
            assert script.starts > 8
            assert (run.status.ready, run.status.error) == (False, "OSError: connection lost")
            script.emit(1)
            await clock.advance(900)
            assert (run.status.ready, run.status.error) == (True, None)

    assert [log["log_level"] for log in logs] == ["warning", "debug", "info"]
    assert run.numbers == [1]


async def test_a_source_that_connects_and_breaks_at_each_attempt_does_not_work_again(
    bus: MemoryBus, clock: VirtualClock
) -> None:
    script.connects = True
    run = Run(Scripted, bus, clock)
    with capture_logs() as logs:
        async with run():
            for _ in range(8):
                script.queue.put_nowait(OSError("connection lost"))
            while script.starts < 9:
                await clock.advance(1)
                assert run.status.error == "OSError: connection lost"
            assert len(logs) == 1
            assert run.status.ready
            await clock.advance(STEADY)
            assert run.status.error is None

    assert [log["event"] for log in logs] == [
        "The event source failed and is tried again",
        "The event source works again",
    ]


async def test_a_source_that_had_failed_works_again_with_its_first_event(
    slow: SlowBus, clock: VirtualClock
) -> None:
    run = Run(Scripted, slow, clock)
    async with run():
        script.queue.put_nowait(OSError("connection lost"))
        await clock.advance(1)
        script.emit(1)
        await clock.settle()
        assert run.status.error == "OSError: connection lost"
        slow.let(1)
        await clock.settle()

        assert run.status.error is None


async def test_a_source_is_ready_while_its_connection_stands(
    bus: MemoryBus, clock: VirtualClock
) -> None:
    run = Run(Scripted, bus, clock)
    async with run():
        for _ in range(2):
            await clock.advance(60)
            assert not run.status.ready
            script.connected()
            assert run.status.ready
            await clock.advance(STEADY)
            assert (run.status.ready, run.status.error) == (True, None)
            script.queue.put_nowait(OSError("connection lost"))
            await clock.settle()
            assert (run.status.ready, run.status.error) == (False, "OSError: connection lost")
        await clock.advance(60)
        script.connected()
    assert not run.status.ready


async def test_an_event_shows_that_the_connection_stands(
    bus: MemoryBus, clock: VirtualClock
) -> None:
    run = Run(Scripted, bus, clock)
    async with run():
        script.emit(1)
        await clock.settle()

        assert run.status.ready


async def test_a_source_whose_connection_is_lost_is_not_ready_while_events_are_under_way(
    slow: SlowBus, clock: VirtualClock
) -> None:
    run = Run(Scripted, slow, clock)
    async with run():
        script.emit(1)
        script.queue.put_nowait(OSError("connection lost"))
        await clock.settle()

        assert (run.status.ready, script.settled) == (False, [])


async def test_a_source_that_ends_is_started_again(bus: MemoryBus, clock: VirtualClock) -> None:
    run = Run(Scripted, bus, clock)
    async with run():
        script.queue.put_nowait(None)
        await clock.advance(1)

        assert (script.starts, script.open) == (2, 1)


async def test_a_manifest_that_is_wrong_ends_the_service(
    bus: MemoryBus, clock: VirtualClock
) -> None:
    run = Run(Scripted, bus, clock)
    async with run():
        script.queue.put_nowait(ManifestError("no such zone", path="timezone"))
        await clock.settle()
        assert run.task.done()

        with pytest.raises(ManifestError, match="no such zone"):
            await run.task


async def test_stopping_settles_what_is_under_way_and_leaves_what_is_not_read(
    slow: SlowBus, clock: VirtualClock
) -> None:
    run = Run(Scripted, slow, clock)
    async with run() as pull:
        script.emit(1)
        await clock.settle()
        pull.stop()
        script.emit(2)
        await clock.settle()
        assert not run.task.done()
        slow.let(1)
        await clock.settle()

        assert (run.task.done(), script.settled, script.open) == (True, [("ack", 1)], 0)


async def test_stopping_does_not_wait_out_a_pause(bus: MemoryBus, clock: VirtualClock) -> None:
    bus.refuse = 10**9
    run = Run(Scripted, bus, clock)
    async with run() as pull:
        script.emit(1)
        await clock.settle()
        pull.stop()
        await clock.settle()

        assert (run.task.done(), script.settled) == (True, [("nack", 1)])


async def test_being_cancelled_settles_nothing(slow: SlowBus, clock: VirtualClock) -> None:
    run = Run(Scripted, slow, clock)
    async with run():
        script.emit(1, 2)
        await clock.settle()
    await clock.settle()

    assert (script.settled, script.open) == ([], 0)
    assert len(asyncio.all_tasks()) == 1


async def test_an_acknowledgement_that_fails_is_reported_and_stops_nothing(
    bus: MemoryBus, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> None:
        raise OSError("connection lost")

    run = Run(Scripted, bus, clock)
    with capture_logs() as logs:
        async with run():
            monkeypatch.setattr(script, "incoming", lambda n: Incoming({"n": n}, "a", broken))
            script.emit(1)
            await clock.settle()
            monkeypatch.undo()
            script.emit(2)
            await clock.settle()

    assert run.numbers == [1, 2]
    assert [log["error"] for log in logs if log["log_level"] == "warning"] == ["connection lost"]


async def test_an_acknowledgement_that_fails_does_not_show_that_the_source_works_again(
    bus: MemoryBus, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> None:
        raise OSError("it was closed")

    run = Run(Scripted, bus, clock)
    async with run():
        script.queue.put_nowait(OSError("connection lost"))
        await clock.advance(1)
        monkeypatch.setattr(script, "incoming", lambda n: Incoming({"n": n}, "a", broken))
        script.emit(1)
        await clock.settle()

        assert (run.numbers, run.status.error) == ([1], "OSError: connection lost")


async def test_what_the_filter_drops_counts_as_done(bus: MemoryBus, clock: VirtualClock) -> None:
    run = Run(Scripted, bus, clock)
    run.config = {"filter": {"expression": "n > 1"}}
    async with run():
        script.emit(1, 2)
        await clock.settle()

    assert (run.numbers, sorted(script.settled)) == ([2], [("ack", 1), ("ack", 2)])
    assert (run.value("events_sent_total"), run.value("events_filtered_total")) == (1, 1)
    assert run.value("events_processing_failed_total") == 0


@pytest.mark.parametrize("expression", ["", "n >", "n + 1", "missing.member"])
async def test_a_filter_that_fails_drops_every_event_and_says_so_once(
    bus: MemoryBus, clock: VirtualClock, expression: str
) -> None:
    run = Run(Scripted, bus, clock)
    run.config = {"filter": {"expression": expression}}
    with capture_logs() as logs:
        async with run():
            script.emit(*range(5))
            await clock.settle()

    assert (bus.published, len(script.settled)) == ([], 5)
    assert {verdict for verdict, _ in script.settled} == {"ack"}
    assert len([log for log in logs if log["log_level"] == "error"]) == 1


async def test_the_metrics_tell_what_was_sent(bus: MemoryBus, clock: VirtualClock) -> None:
    run = Run(Scripted, bus, clock)
    async with run():
        assert run.value("events_sent_total") == run.value("events_sent_failed_total") == 0
        script.emit(1, 2, 3)
        await clock.settle()

    assert run.value("events_sent_total") == 3
    assert run.value("eventsource_events_count") == 3
    assert run.value("event_processing_duration_milliseconds_count") == 3
    assert run.value("event_processing_duration_seconds_count") == 3
