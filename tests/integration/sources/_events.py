"""Short ways to run a source for the sake of one event."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from structlog.testing import capture_logs

from tests.integration._certificates import Pair
from tiphys.aio import stop
from tiphys.events import CloudEvent
from tiphys.observe.metrics import Metrics
from tiphys.runtime.secrets import SecretStore
from tiphys.sources._runtime import PullService
from tiphys.testing.bus import MemoryBus
from tiphys.testing.sources import Service, pull_service, started_bus

Send = Callable[[], Awaitable[object]]
LABELS = {"namespace": "ns", "eventsource_name": "es", "event_name": "ev"}


@asynccontextmanager
async def running(
    key: str, service: Service, bus: MemoryBus, metrics: Metrics | None = None
) -> AsyncIterator[PullService]:
    """Run the source until the body ends."""
    pull = pull_service(key, service, bus, metrics=metrics)
    task = asyncio.create_task(pull.run())
    try:
        await service.connected()
        yield pull
    finally:
        assert await stop(task, limit=1)


async def event_of(
    key: str, service: Service, send: Send, secrets: SecretStore | None = None
) -> CloudEvent:
    """The one event that comes of what *send* does."""
    if secrets is not None:
        service.secrets = secrets  # type: ignore[assignment]
    bus = await started_bus()
    async with running(key, service, bus):
        await send()
        await service.until(lambda: bool(bus.published))
    (event,) = bus.published
    return event


async def failures_of(key: str, service: Service, send: Send) -> list[str]:
    """
    The problems that are logged for what *send* does.

    An event that is sent behind it must come, and each problem must be counted.
    """
    bus, metrics = await started_bus(), Metrics()
    with capture_logs() as logs:
        async with running(key, service, bus, metrics):
            await send()
            await service.emit(1)
            await service.until(lambda: bool(bus.published))
    problems = [line["error"] for line in logs if line["log_level"] == "error"]
    name = "argo_events_events_processing_failed_total"
    assert metrics.registry.get_sample_value(name, LABELS) == len(problems)
    assert len(bus.published) == 1
    return problems


def secrets_of(service: Service, server: Pair, client: Pair) -> SecretStore:
    """What a block with :func:`tls_block` refers to, and the secrets that the service has."""
    values: dict[Any, dict[str, bytes]] = {
        ("Secret", "ns", "tls"): {
            "ca": server.certificate.read_bytes(),
            "cert": client.certificate.read_bytes(),
            "key": client.key.read_bytes(),
        }
    }
    for path, value in service.secrets.values.items():
        name, _, key = path.partition("/")
        values.setdefault(("Secret", "ns", name), {})[key] = value.encode()
    return SecretStore("ns", lambda: values)


def tls_block(*, client: bool = False) -> dict[str, Any]:
    """A block that trusts the test servers, and shows a certificate if *client*."""
    block = {"caCertSecret": {"name": "tls", "key": "ca"}}
    if client:
        block["clientCertSecret"] = {"name": "tls", "key": "cert"}
        block["clientKeySecret"] = {"name": "tls", "key": "key"}
    return block
