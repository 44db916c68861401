"""One EventSource object: its services run each for itself."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from tests._ports import free_port
from tiphys.ingest import IngestServer
from tiphys.manifests.common import SourceConfig
from tiphys.observe.history import History, Step
from tiphys.observe.metrics import Metrics
from tiphys.sources import Incoming, Source, SourceContext, source
from tiphys.sources._runner import EventSourceRunner, Surroundings
from tiphys.sources._status import Status
from tiphys.testing.bus import MemoryBus
from tiphys.testing.clock import VirtualClock
from tiphys.testing.sources import FixedSecrets, MemoryStore


class Witness(History):
    """Keeps the steps that it is told."""

    def __init__(self, metrics: Metrics) -> None:
        super().__init__(metrics)
        self.steps: list[tuple[Any, ...]] = []

    def add(
        self, step: Step, events: tuple[str, ...], owner: str, part: str, **details: Any
    ) -> None:
        self.steps.append((step, events, owner, part, details))


class Process:
    """What the runners of one process share."""

    def __init__(self, bus: MemoryBus) -> None:
        self.bus = bus
        self.clock = VirtualClock()
        self.metrics = Metrics()
        self.secrets = FixedSecrets()
        self.ingest = IngestServer("127.0.0.1")
        self.surroundings = Surroundings(
            bus,
            self.ingest,
            self.secrets,
            self.metrics,
            lambda _namespace, _name: MemoryStore(),
            self.clock,
        )

    @asynccontextmanager
    async def running(self, name: str, **types: Any) -> AsyncIterator[EventSourceRunner]:
        runner = EventSourceRunner(name, "ns", types, self.surroundings)
        await runner.start()
        try:
            yield runner
        finally:
            await runner.stop(1)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.01)
                await self.clock.advance(0.25)

    def services(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(
            "argo_events_event_service_running_total",
            {"namespace": "ns", "eventsource_name": name},
        )


@pytest.fixture
async def process() -> AsyncIterator[Process]:
    bus = MemoryBus()
    await bus.start()
    process = Process(bus)
    yield process
    await process.ingest.close(1)


def hook(port: int, endpoint: str = "/a", **more: Any) -> dict[str, Any]:
    return {"endpoint": endpoint, "port": str(port), "method": "POST", **more}


async def post(port: int, path: str = "/a", body: bytes = b"{}") -> int:
    url = f"http://127.0.0.1:{port}{path}"
    async with aiohttp.ClientSession() as session, session.post(url, data=body) as answer:
        return answer.status


def named(statuses: list[Status], name: str) -> Status:
    return next(status for status in statuses if status.name == name)


async def test_all_event_services_of_an_object_run_and_stop(process: Process) -> None:
    port = free_port()
    types = {"webhook": {"one": hook(port, "/1"), "two": hook(port, "/2")}}
    async with process.running("es", **types, calendar={"three": {"interval": "60s"}}) as runner:
        await process.until(lambda: all(status.ready for status in runner.statuses))
        assert process.services("es") == 3
        assert [await post(port, path) for path in ("/1", "/2")] == [200, 200]
        await process.clock.advance(60)
        await process.until(lambda: len(process.bus.published) == 3)
        assert named(runner.statuses, "one").endpoint == f":{port}/1"
        assert [status.sent for status in runner.statuses] == [1, 1, 1]

    assert {event.subject for event in process.bus.published} == {"one", "two", "three"}
    assert process.services("es") == 0
    assert not any(status.running or status.ready for status in runner.statuses)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", port))


class FaultyOptions(SourceConfig):
    """No options."""


@source("faulty", delivery="at-least-once", replicas="one")
class Faulty(Source[FaultyOptions]):
    """Has a bug that shows as soon as it is made."""

    def __init__(self, config: FaultyOptions) -> None:
        raise KeyError("a bug")

    def events(self, ctx: SourceContext) -> AsyncIterator[Incoming]:
        raise NotImplementedError


BROKEN: list[tuple[str, Any, str]] = [
    ("webhooks", {"endpoint": "/a"}, "did you mean 'webhook'?"),
    ("webhook", {"endpoint": "/a", "port": "none"}, "'none' is not a port"),
    ("webhook", {"endpoint": "/a", "port": "1", "maxPayloadSize": "much"}, "maxPayloadSize"),
    ("webhook", None, "Input should be"),
    ("calendar", {"schedule": "* *"}, "`schedule`"),
    ("calendar", {"interval": "1s", "expectEvery": 10}, "write a duration such as `30s`"),
    ("calendar", {"interval": "1s", "expectEvery": "0s"}, "must be longer than 0"),
    ("faulty", {}, "KeyError: 'a bug'"),
]


@pytest.mark.parametrize(("key", "block", "text"), BROKEN)
async def test_a_broken_service_says_why_and_the_others_run(
    process: Process, key: str, block: Any, text: str
) -> None:
    port = free_port()
    types: dict[str, dict[str, Any]] = {key: {"bad": block}}
    types.setdefault("webhook", {})["good"] = hook(port)
    with capture_logs() as logs:
        async with process.running("es", **types) as runner:
            bad = named(runner.statuses, "bad")
            await process.until(lambda: bad.error is not None)
            await process.until(lambda: named(runner.statuses, "good").ready)
            assert await post(port) == 200
            assert process.services("es") == 1

    assert text in str(bad.error)
    assert not bad.running
    assert [log["eventName"] for log in logs if log["log_level"] == "error"] == ["bad"]


async def test_a_service_without_events_for_too_long_is_silent_until_the_next_one(
    process: Process,
) -> None:
    port = free_port()
    labels = {"namespace": "ns", "eventsource_name": "es", "event_name": "one"}
    async with process.running("es", webhook={"one": hook(port, expectEvery="1m")}) as runner:
        status = named(runner.statuses, "one")
        await process.until(lambda: status.ready)
        seen = []
        for seconds, sent in ((30, False), (31, False), (1, True)):
            await process.clock.advance(seconds)
            if sent:
                assert await post(port) == 200
                await process.clock.advance(1)
            metric = "argo_events_eventsource_silent"
            seen.append((status.silent, process.metrics.registry.get_sample_value(metric, labels)))

    assert seen == [(False, 0), (True, 1), (False, 0)]


async def test_the_alarm_about_a_silent_service_ends_with_the_service(process: Process) -> None:
    def silent() -> float | None:
        labels = {"namespace": "ns", "eventsource_name": "es", "event_name": "one"}
        return process.metrics.registry.get_sample_value("argo_events_eventsource_silent", labels)

    async with process.running(
        "es", calendar={"one": {"interval": "1h", "expectEvery": "1m"}}
    ) as runner:
        (status,) = runner.statuses
        await process.until(lambda: status.silent)
        assert silent() == 1

    assert (status.silent, silent()) == (False, None)


async def test_a_name_that_is_used_twice_belongs_to_the_first(process: Process) -> None:
    types = {"webhook": {"a": hook(free_port())}, "calendar": {"a": {"interval": "1m"}}}
    async with process.running("es", **types) as runner:
        first, second = runner.statuses
        await process.until(lambda: first.ready)

        assert "used twice" in str(second.error)


async def test_a_port_that_another_program_has_is_taken_when_it_becomes_free(
    process: Process,
) -> None:
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    port = taken.getsockname()[1]
    with capture_logs() as logs:
        async with process.running("es", webhook={"a": hook(port)}) as runner:
            (status,) = runner.statuses
            await process.until(lambda: status.error is not None)
            await process.clock.advance(30)
            assert status.running
            assert not status.ready
            assert f"event source 'es', event 'a': port {port} is in use" in str(status.error)
            taken.close()
            await process.until(lambda: status.ready)
            assert (status.error, await post(port)) == (None, 200)

    assert [log["log_level"] for log in logs if log["log_level"] == "error"] == ["error"]


async def test_two_objects_share_a_port_but_not_an_endpoint(process: Process) -> None:
    port = free_port()
    async with process.running("one", webhook={"a": hook(port)}) as one:
        await process.until(lambda: one.statuses[0].ready)
        both = {"a": hook(port), "b": hook(port, "/b")}
        async with process.running("two", webhook=both) as two:
            await process.until(lambda: two.statuses[1].ready)
            await process.until(lambda: two.statuses[0].error is not None)
            assert "already belongs to event source 'one', event 'a'" in str(two.statuses[0].error)
            assert await post(port, "/b") == 200
            await one.stop()
            await process.until(lambda: two.statuses[0].ready)
            assert await post(port) == 200

    assert [event.source for event in process.bus.published] == ["two", "two"]


async def test_a_certificate_that_comes_later_is_waited_for(process: Process) -> None:
    keys: dict[str, Any] = {
        "serverCertSecret": {"name": "tls", "key": "crt"},
        "serverKeySecret": {"name": "tls", "key": "key"},
    }
    async with process.running("es", webhook={"a": hook(free_port(), **keys)}) as runner:
        (status,) = runner.statuses
        await process.until(lambda: status.error is not None)
        assert (status.running, status.error) == (True, "there is no tls/crt")
        process.secrets.values.update({"tls/crt": "x", "tls/key": "y"})
        await process.until(lambda: "cannot be used" in str(status.error))


async def test_whether_many_may_run_depends_on_the_types(process: Process) -> None:
    def replicas(**types: Any) -> str:
        return EventSourceRunner("es", "ns", types, process.surroundings).replicas

    assert replicas(webhook={}) == "many"
    assert replicas(webhook={}, calendar={}) == "one"
    assert replicas(nothing={}) == "many"


async def test_what_was_published_and_what_was_dropped_goes_into_the_history(
    process: Process,
) -> None:
    port = free_port()
    history = Witness(process.metrics)
    process.surroundings = dataclasses.replace(process.surroundings, history=history)
    block = hook(port, filter={"expression": "body.n > 1"})
    async with process.running("es", webhook={"a": block}) as runner:
        await process.until(lambda: runner.statuses[0].ready)
        for n in (1, 2):
            await post(port, body=b'{"n": %d}' % n)

    (event,) = process.bus.published
    filtered, published = history.steps
    assert filtered[0] == "filtered"
    assert filtered[2:] == ("es", "a", {"reason": "the expression is false"})
    assert published == ("published", (event.id,), "es", "a", {})


async def test_an_object_can_be_started_again(process: Process) -> None:
    port = free_port()
    runner = EventSourceRunner("es", "ns", {"webhook": {"a": hook(port)}}, process.surroundings)
    for _ in range(2):
        await runner.start()
        await process.until(lambda: runner.statuses[0].ready)
        assert await post(port) == 200
        await runner.stop()

    assert len(process.bus.published) == 2
