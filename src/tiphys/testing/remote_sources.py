"""What every event source must do whose service is somewhere on the network."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar

import pytest
from structlog.testing import capture_logs

from tiphys.aio import stop
from tiphys.observe.metrics import Metrics
from tiphys.sources import Incoming, SourceContext
from tiphys.sources._dispatch import Dispatcher
from tiphys.sources._link import BusLink
from tiphys.sources._runtime import PullService
from tiphys.sources._status import Status
from tiphys.testing.bus import MemoryBus
from tiphys.testing.sources import (
    QUIET,
    Service,
    SourceContract,
    data_of,
    make_source,
    started_bus,
)

ATTEMPTS = 3  # to connect, after which trying is taken to be endless
WRONG = "wrong-and-secret"  # the password of blocks that must be refused


class RemoteService(Service):
    """A service that can go away and come back, keeping its address."""

    @abc.abstractmethod
    async def stop(self) -> None:
        """End the service; what it stores must survive."""

    @abc.abstractmethod
    async def start(self) -> None:
        """Start the service again."""

    @abc.abstractmethod
    async def pause(self) -> None:
        """Let the service keep its connections and answer nothing."""

    @abc.abstractmethod
    async def resume(self) -> None:
        """Let the service go on."""

    @abc.abstractmethod
    def unreachable_block(self) -> dict[str, Any]:
        """A block with an address at which nobody listens."""

    @abc.abstractmethod
    def refused_block(self) -> dict[str, Any]:
        """
        A block whose credentials the service does not accept.

        The wrong one of them is :data:`WRONG`, which the service adds to its secrets.
        """


class RemoteSourceContract(SourceContract):
    """
    The tests of a source that keeps a connection; none of them is skipped.

    *soon* holds, by dotted name, the constants that make the source notice sooner that its service
    has fallen silent.
    """

    soon: ClassVar[Mapping[str, object]]

    @abc.abstractmethod
    def service(self) -> AbstractAsyncContextManager[RemoteService]:
        """Start the service; everything it holds is fresh."""

    async def test_an_event_that_was_not_published_survives_a_crash(self) -> None:
        """Exactly where the source says that events come at least once."""
        async with self.service() as service:
            expected = [1, 2] if self._keeps(service) else [2]
            stuck, bus = await started_bus(), await started_bus()
            stuck.refuse = 10**9
            async with self.running(service, stuck):
                await service.emit(1)
                await service.until(lambda: stuck.refuse < 10**9)
            async with self.running(service, bus):
                await service.emit(2)
                await service.until(lambda: len(bus.published) >= len(expected))
                await service.wait(QUIET)

                assert sorted(_numbers(service, bus)) == expected

    async def test_it_goes_on_when_the_service_was_restarted(self) -> None:
        bus = await started_bus()
        async with self.service() as service, self.running(service, bus) as (pull, task):
            await service.emit(1)
            await service.until(lambda: _numbers(service, bus) == [1])
            await service.stop()
            await service.until(lambda: pull.status.error is not None)
            assert not pull.status.ready
            await service.start()
            await service.connected()
            await service.emit(2)
            await service.until(lambda: 2 in _numbers(service, bus))

            assert _numbers(service, bus) == [1, 2]
            assert not task.done()

    async def test_an_event_that_was_not_published_survives_a_restart_of_the_service(self) -> None:
        """Exactly where the source says that events come at least once."""
        bus = await started_bus()
        async with self.service() as service, self.running(service, bus) as (pull, _):
            if not self._keeps(service):
                bus.connected = False  # what was read is kept, whatever becomes of the service
            bus.refuse = 10**9
            await service.emit(1)
            await service.until(lambda: bus.refuse < 10**9 or not bus.connected)
            await service.wait(QUIET)
            await service.stop()
            await service.start()
            bus.refuse, bus.connected = 0, True
            await service.until(lambda: _numbers(service, bus) == [1])
            await service.until(lambda: pull.status.sent == 1)

    async def test_a_service_that_falls_silent_is_noticed(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in self.soon.items():
            monkeypatch.setattr(name, value)
        bus = await started_bus()
        async with self.service() as service, self.running(service, bus) as (pull, _):
            await service.wait(10 * QUIET)
            assert pull.status.error is None
            await service.pause()
            try:
                await service.until(lambda: pull.status.error is not None)
            finally:
                await service.resume()
            await service.connected()
            await service.emit(1)
            await service.until(lambda: _numbers(service, bus) == [1])

    async def test_a_service_that_cannot_be_reached_is_tried_without_end(self) -> None:
        async with self.service() as service:
            text = await self._cannot_work(service, service.unreachable_block())

        assert "cannot be reached" in text

    async def test_wrong_credentials_are_reported_without_the_secret(self) -> None:
        async with self.service() as service:
            text = await self._cannot_work(service, service.refused_block())

        assert "refuses the credentials" in text
        assert WRONG not in text

    async def _cannot_work(self, service: RemoteService, block: dict[str, Any]) -> str:
        """
        Run a block that cannot work beside one that does, and return what its status says.

        Checks that it is said once, that trying goes on, and that the other does not notice.
        """
        bus, ignored = await started_bus(), await started_bus()
        with _library_logs() as library, capture_logs() as logs:
            async with (
                _attempts(self.key, service, block, ignored) as (pull, attempts),
                self.running(service, bus),
            ):
                await service.emit(1)
                await service.until(lambda: len(attempts) >= ATTEMPTS)
                await service.until(lambda: _numbers(service, bus) == [1])
                text = pull.status.error
                assert not pull.status.ready
        failures = [line for line in logs if line["log_level"] in ("warning", "error")]

        assert [line["error"] for line in failures] == [text]
        assert WRONG not in repr(logs)
        assert library == []
        assert ignored.published == []
        assert text is not None
        return text

    def _keeps(self, service: Service) -> bool:
        source = make_source(self.key, service.block())
        return bool(source.delivery == "at-least-once")


@contextlib.asynccontextmanager
async def _attempts(
    key: str, service: Service, block: dict[str, Any], bus: MemoryBus
) -> AsyncIterator[tuple[PullService, list[None]]]:
    """Run *block*, and note each time that it is tried."""
    source = make_source(key, block)
    attempts: list[None] = []
    events = source.events

    def counted(ctx: SourceContext) -> AsyncIterator[Incoming]:
        attempts.append(None)
        stream: AsyncIterator[Incoming] = events(ctx)
        return stream

    source.events = counted
    ctx = service.context()
    dispatcher = Dispatcher(source, ctx, bus, Metrics(), Status("bad", key))
    pull = PullService(source, ctx, dispatcher, BusLink(bus))
    task = asyncio.create_task(pull.run())
    try:
        yield pull, attempts
    finally:
        assert await stop(task, limit=1), f"{key} did not stop within a second"


@contextlib.contextmanager
def _library_logs() -> Iterator[list[str]]:
    """The lines that libraries write for people, while the source has said it all."""
    lines: list[str] = []

    class _Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    handler = _Keep(logging.WARNING)
    logging.getLogger().addHandler(handler)
    try:
        yield lines
    finally:
        logging.getLogger().removeHandler(handler)


def _numbers(service: Service, bus: MemoryBus) -> list[int]:
    return [service.number(data_of(event)) for event in bus.published]
