"""What every event source that is an HTTP endpoint must do, whoever sends."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import dataclasses
import io
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import unquote

import aiohttp
import pytest
from yarl import URL

from tiphys.aio import Clock, SystemClock, stop
from tiphys.events import CloudEvent
from tiphys.ingest import IngestServer
from tiphys.manifests.common import unknown_keys
from tiphys.observe.history import History
from tiphys.observe.metrics import Metrics
from tiphys.sources import PushSource, SourceContext, sources
from tiphys.sources._dispatch import Dispatcher
from tiphys.sources._push import PushService
from tiphys.sources._status import Status
from tiphys.testing.bus import MemoryBus
from tiphys.testing.clock import VirtualClock
from tiphys.testing.sources import FixedSecrets, MemoryStore, data_of, make_source, started_bus

ENDPOINT = "/contract"
TOKEN = "a-token-that-must-stay-secret"
SOON = 1.0  # seconds within which a source that nobody waits for must have stopped
# Argo Events has two texts for an endpoint that goes (spec: event sources 5.3).
ENDPOINT_IS_INACTIVE = ("cloudevents", "github", "slack", "stripe", "webhook")


@dataclasses.dataclass(frozen=True)
class Sent:
    """A request that a sender makes; *events* is how many events come of it."""

    body: bytes
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    method: str = "POST"
    events: int = 1


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the sender gets."""

    status: int
    body: str
    headers: Mapping[str, str]


class Endpoint:
    """A running push source, and what it is connected with; *secrets* may be changed."""

    def __init__(
        self,
        service: PushService,
        port: int,
        bus: MemoryBus,
        metrics: Metrics,
        secrets: dict[str, str],
    ) -> None:
        self.service = service
        self.port = port
        self.bus = bus
        self.metrics = metrics
        self.secrets = secrets

    async def send(self, sent: Sent, path: str = ENDPOINT) -> Answer:
        """Make a request on a connection of its own."""
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                sent.method,
                URL(f"http://127.0.0.1:{self.port}{path}", encoded=True),
                data=io.BytesIO(sent.body) if sent.body else b"",
                headers=sent.headers,
                skip_auto_headers=["Content-Type", "User-Agent"],
            ) as answer,
        ):
            return Answer(answer.status, await answer.text(), answer.headers.copy())

    def value(self, metric: str, **labels: str) -> float:
        """The value of a sample of the event's metrics."""
        names = {"namespace": "ns", "eventsource_name": "es", "event_name": "ev", **labels}
        return self.metrics.registry.get_sample_value(f"argo_events_{metric}", names) or 0.0


class PushSourceContract(abc.ABC):
    """
    The tests of a source whose events are requests.

    A subclass names the manifest key, gives a block without its webhook context, and the requests
    of its sender.
    """

    key: ClassVar[str]
    context_at: ClassVar[str] = "webhook"  # the member that holds the context; empty: the block

    @abc.abstractmethod
    def block(self) -> dict[str, Any]:
        """The manifest block, without what says where the endpoint is."""

    @abc.abstractmethod
    def request(self, n: int) -> Sent:
        """Request number *n*, signed if the source demands it."""

    @abc.abstractmethod
    def number(self, data: dict[str, Any]) -> int:
        """Read *n* back from an event's data."""

    def secrets(self) -> dict[str, str]:
        """The Secrets that the block refers to, under ``<object>/<key>``."""
        return {}

    def full_block(self, port: int, /, **context: Any) -> dict[str, Any]:
        """The block with its webhook context."""
        context = {"endpoint": ENDPOINT, "port": str(port), "method": "POST", **context}
        if not self.context_at:
            return {**self.block(), **context}
        return {**self.block(), self.context_at: context}

    @contextlib.asynccontextmanager
    async def running(
        self,
        *,
        bus: MemoryBus | None = None,
        timeout: float = 5.0,
        clock: Clock | None = None,
        options: Mapping[str, Any] | None = None,
        event_name: str = "ev",
        history: History | None = None,
        secrets: Mapping[str, str] | None = None,
        ready: bool = True,
        **context: Any,
    ) -> AsyncIterator[Endpoint]:
        """
        Run the source on a free port, its block with more *options* and webhook context.

        *secrets* stands for the contract's Secrets.  *ready* says whether to wait until the source
        is ready, else until it tells why it is not.

        At the end it must stop soon, once the requests on their way are answered.
        """
        bus = bus or await started_bus()
        port = _free_port()
        block = {**self.full_block(port, **context), **(options or {})}
        store = FixedSecrets(dict(self._all_secrets() if secrets is None else secrets))
        ctx = _context(store, event_name, clock or SystemClock())
        metrics = Metrics()
        service, task = await _start(self.key, block, bus, timeout, ctx, metrics, history)
        status = service.status
        while not (task.done() or (status.ready if ready else status.error)):  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # the status is plain data
        endpoint = Endpoint(service, port, bus, metrics, store.values)
        try:
            yield endpoint
        finally:
            endpoint.service.stop()
            await asyncio.wait([task], timeout=SOON)
            stopped = task.done()
            await stop(task)
            assert stopped, f"{self.key} did not stop within a second"
        task.result()

    async def test_every_request_is_an_event_on_the_bus_and_its_answer_names_it(self) -> None:
        async with self.running() as endpoint:
            sent = [self.request(n) for n in range(5)]
            answers = [await endpoint.send(request) for request in sent]

        events = endpoint.bus.published
        assert {answer.status for answer in answers} == {200}
        ids = [id for answer in answers for id in answer.headers["X-Event-Id"].split(",")]
        assert ids == [event.id for event in events]
        assert len(set(ids)) == sum(request.events for request in sent)
        assert _in_order(self._numbers(events)) == list(range(5))
        assert {event.type for event in events} == {sources.get(self.key).event_type}

    async def test_requests_at_the_same_time_are_all_stored(self) -> None:
        async with self.running() as endpoint:
            answers = await asyncio.gather(*(endpoint.send(self.request(n)) for n in range(40)))

        assert {answer.status for answer in answers} == {200}
        assert set(self._numbers(endpoint.bus.published)) == set(range(40))

    async def test_a_request_that_the_bus_refuses_fails_and_the_next_one_does_not(self) -> None:
        async with self.running() as endpoint:
            endpoint.bus.refuse = self.request(1).events
            failed = await endpoint.send(self.request(1))
            assert (failed.status, "X-Event-Id" in failed.headers) == (500, False)
            assert (await endpoint.send(self.request(2))).status == 200

        assert set(self._numbers(endpoint.bus.published)) == {2}
        assert endpoint.value("events_processing_failed_total") > 0

    async def test_a_sender_is_told_to_come_again_while_the_bus_is_away(self) -> None:
        async with self.running(timeout=0.1) as endpoint:
            endpoint.bus.connected = False
            answer = await endpoint.send(self.request(1))
            assert (answer.status, int(answer.headers["Retry-After"]) > 0) == (503, True)
            endpoint.bus.connected = True
            assert (await endpoint.send(self.request(1))).status == 200

        assert set(self._numbers(endpoint.bus.published)) == {1}

    async def test_a_body_over_the_limit_is_refused_and_the_port_lives_on(self) -> None:
        async with self.running(maxPayloadSize=100_000) as endpoint:
            large = dataclasses.replace(self.request(1), body=b"x" * 100_001)
            assert (await endpoint.send(large)).status >= 400
            assert endpoint.bus.published == []
            assert (await endpoint.send(self.request(2))).status == 200

    async def test_the_token_is_demanded_and_does_not_travel_in_the_event(self) -> None:
        reference = {"name": "contract", "key": "token"}
        async with self.running(authSecret=reference) as endpoint:
            request = self.request(1)
            wrong = {**request.headers, "Authorization": f"Bearer x{TOKEN}"}
            right = {**request.headers, "Authorization": f"Bearer {TOKEN}"}
            refused = await endpoint.send(dataclasses.replace(request, headers=wrong))
            assert (refused.status, refused.body) == (401, "Invalid Auth token")
            assert (await endpoint.send(request)).status == 401
            assert endpoint.bus.published == []
            assert (await endpoint.send(dataclasses.replace(request, headers=right))).status == 200

        assert all(TOKEN.encode() not in (event.data or b"") for event in endpoint.bus.published)
        assert endpoint.value("http_requests_refused_total", reason="token") == 2

    async def test_a_key_that_is_missing_or_empty_is_told_and_waited_for(self) -> None:
        token = {"name": "contract", "key": "token"}
        source = make_source(self.key, self.full_block(1, authSecret=token))
        assert isinstance(source, PushSource)
        request = self.request(1)
        headers = {**request.headers, "Authorization": f"Bearer {TOKEN}"}
        request = dataclasses.replace(request, headers=headers)
        for option, ref in {"authSecret": source.webhook.auth_secret, **source.keys()}.items():
            if ref is None:
                continue
            name, clock = f"{ref.name}/{ref.key}", VirtualClock(datetime.now(UTC))
            others = {key: value for key, value in self._all_secrets().items() if key != name}
            async with self.running(
                secrets=others, ready=False, clock=clock, authSecret=token
            ) as endpoint:
                status, secrets = endpoint.service.status, endpoint.secrets
                assert (status.ready, status.error) == (False, f"`{option}`: there is no {name}")
                assert (await endpoint.send(request)).status == 500

                secrets[name] = ""
                await _until(lambda status=status: "is empty" in (status.error or ""), clock)  # type: ignore[misc]
                assert not status.ready
                assert all(part in (status.error or "") for part in (option, ref.name, ref.key))
                assert endpoint.bus.published == []

                secrets[name] = self._all_secrets()[name]
                await _until(lambda status=status: status.ready, clock)  # type: ignore[misc]
                assert status.error is None
                assert (await endpoint.send(request)).status == 200

    async def test_it_stops_within_a_second_and_leaves_no_task(self) -> None:
        before: set[asyncio.Task[Any]] = asyncio.all_tasks()
        async with self.running() as endpoint:
            assert (await endpoint.send(self.request(1))).status == 200
        await asyncio.sleep(0.01)

        assert asyncio.all_tasks() <= before

    async def test_while_it_stops_it_answers_what_is_on_its_way_and_refuses_what_is_new(
        self,
    ) -> None:
        async with self.running(timeout=30.0) as endpoint:
            endpoint.bus.connected = False
            asking = asyncio.create_task(endpoint.send(self.request(1)))
            await asyncio.sleep(0.2)
            endpoint.service.stop()
            await asyncio.sleep(0.1)
            late = await endpoint.send(self.request(2))
            endpoint.bus.connected = True
            assert (await asking).status == 200

        first = self.key in ENDPOINT_IS_INACTIVE
        text = "endpoint is inactive" if first else "inactive endpoint"
        assert (late.status, late.body) == (400, text)
        assert set(self._numbers(endpoint.bus.published)) == {1}

    @pytest.mark.parametrize("name", ["заказ", "été, 100 %\n", "e" * 5000])
    async def test_the_name_of_the_event_may_be_any_text(self, name: str) -> None:
        async with self.running(event_name=name) as endpoint:
            answer = await endpoint.send(self.request(1))

        events = endpoint.bus.published
        assert answer.status == 200
        assert {event.subject for event in events} == {name}
        named = answer.headers.get("X-Event-Id", "").split(",")
        assert [unquote(id) for id in named if id] == [
            event.id for event in events if len(event.id) < 4000
        ]

    async def test_a_misspelt_key_is_reported_by_name(self) -> None:
        source = make_source(self.key, {**self.full_block(1), "noSuchKey": 1})

        assert unknown_keys(source.config) == ["noSuchKey"]

    async def test_the_block_has_nothing_to_complain_about_unless_its_place_is_missing(
        self,
    ) -> None:
        missing = make_source(self.key, self.full_block(12000, endpoint="", port=""))

        assert make_source(self.key, self.full_block(12000)).check() == []
        assert len(missing.check()) == 2

    def _all_secrets(self) -> dict[str, str]:
        return {"contract/token": TOKEN, **self.secrets()}

    def _numbers(self, events: list[CloudEvent]) -> list[int]:
        return [self.number(data_of(event)) for event in events]


async def _start(
    key: str,
    block: dict[str, Any],
    bus: MemoryBus,
    timeout: float,
    ctx: SourceContext,
    metrics: Metrics,
    history: History | None,
) -> tuple[PushService, asyncio.Task[None]]:
    source = make_source(key, block)
    assert isinstance(source, PushSource)
    status = Status(ctx.event_name, key)
    dispatcher = Dispatcher(source, ctx, bus, metrics, status, timeout=timeout, history=history)
    service = PushService(source, ctx, dispatcher, IngestServer("127.0.0.1"), metrics)
    return service, asyncio.create_task(service.run())


async def _until(condition: Callable[[], bool], clock: VirtualClock) -> None:
    """Wait until something has happened; the clock runs fast meanwhile."""
    async with asyncio.timeout(10):
        while not condition():
            await clock.advance(0.5)
            await asyncio.sleep(0.01)


def _context(store: FixedSecrets, event_name: str, clock: Clock) -> SourceContext:
    return SourceContext(
        namespace="ns",
        event_source="es",
        event_name=event_name,
        secret=store.secret,
        config_map=store.config_map,
        tls=store.tls,
        store=MemoryStore(),
        clock=clock,
    )


def _in_order(numbers: list[int]) -> list[int]:
    """The numbers without repetitions in a row, which are the events of one request."""
    return [n for at, n in enumerate(numbers) if not at or numbers[at - 1] != n]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
