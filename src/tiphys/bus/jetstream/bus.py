"""The bus on JetStream: the embedded server, a managed one, or one of the user's own."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

import structlog

from tiphys.aio import capped_backoff, stop
from tiphys.bus._base import Bus, Journal, Limits, State, Subscription
from tiphys.bus._parts import PartedState
from tiphys.bus.jetstream import durables, names, stream
from tiphys.bus.jetstream.api import CONSUMER_NOT_FOUND, STREAM_NOT_FOUND, JetStreamApi, Refusal
from tiphys.bus.jetstream.connection import Link, NobodyThere
from tiphys.bus.jetstream.consumer import JetStreamSubscription
from tiphys.bus.jetstream.journal import JetStreamJournal
from tiphys.bus.jetstream.publisher import publish
from tiphys.bus.jetstream.settings import Credentials, Endpoint, StreamSettings
from tiphys.bus.jetstream.state import JetStreamState
from tiphys.errors import BusError, ManifestError, PublishError
from tiphys.events import CloudEvent
from tiphys.manifests.common import TLS, SecretRef

log = structlog.get_logger("argo-events.eventbus")

CONNECT_TIMEOUT = 10.0  # seconds that start() gives the server


class JetStreamBus(Bus):
    """
    A bus on JetStream; see :class:`tiphys.bus.Bus`.

    *endpoint* may be a coroutine function, which is asked before each connection.  *stream* says
    how the stream of events is created when it is missing, also when it went missing meanwhile.
    *name* is what the server's monitoring shows.
    """

    def __init__(
        self,
        endpoint: Endpoint | Callable[[], Awaitable[Endpoint]],
        *,
        stream: StreamSettings | None = None,
        name: str = "tiphys",
        connect_timeout: float = CONNECT_TIMEOUT,
    ) -> None:
        self._link = Link(_provider(endpoint), name=name)
        self._api = JetStreamApi(self._link)
        self._settings = stream or StreamSettings()
        self._connect_timeout = connect_timeout
        self._replicas = 1
        self._doubtful = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._subscriptions: set[JetStreamSubscription] = set()
        self._link.on_change(lambda up: self._doubtful.set() if up else None)

    @classmethod
    def from_config(
        cls,
        config: Mapping[str, Any],
        *,
        secret: Callable[[SecretRef], Awaitable[str]],
        tls: Callable[[TLS], Awaitable[ssl.SSLContext]],
        name: str = "tiphys",
    ) -> JetStreamBus:
        """
        The bus of an EventBus' ``status.config.jetstream`` (spec: control plane 7.4.8, 7.5.1).

        Secrets are read before each connection, so that a rotation needs no restart.  Raises
        :exc:`ManifestError`.
        """
        url = str(config.get("url") or "")
        plain = Endpoint.at(url)
        access = config.get("accessSecret")
        block = config.get("tls")

        async def endpoint() -> Endpoint:
            credentials = None
            if access is not None:
                credentials = Credentials.parse(await secret(SecretRef.model_validate(access)))
            context = None if block is None else await tls(TLS.model_validate(block))
            return Endpoint(plain.servers, credentials, context)

        settings = StreamSettings().merged(str(config.get("streamConfig") or ""))
        return cls(endpoint, stream=settings, name=name)

    async def start(self) -> None:
        """Connect and create the stream of events if it is missing."""
        await self._link.open(self._connect_timeout)
        try:
            await self._ensure_stream()
        except BaseException:
            await self._link.close()
            raise
        self._doubtful.clear()
        self._keeper = asyncio.create_task(self._keep_stream(), name="keeper of the stream")

    async def close(self) -> None:
        """End all subscriptions, flush and disconnect."""
        await asyncio.gather(*(subscription.close() for subscription in self._subscriptions))
        if self._keeper is not None:
            await stop(self._keeper)
            self._keeper = None
        await self._link.close()

    @property
    def connected(self) -> bool:
        """Whether the link is up at this moment."""
        return self._link.connected

    def on_link_change(self, listener: Callable[[bool], None]) -> None:
        """Call *listener* whenever :attr:`connected` changes."""
        self._link.on_change(listener)

    async def publish(self, event: CloudEvent, *, timeout: float = 5.0) -> None:
        """Store *event*; concurrent calls are pipelined."""
        subject = names.event_subject(event.source, event.subject)
        try:
            await publish(self._link, subject, event.encode(), id=event.id, timeout=timeout)
        except PublishError:
            self._doubtful.set()
            raise

    async def subscribe(
        self,
        sensor: str,
        trigger: str,
        dependency: str,
        event_source: str,
        event_name: str,
        *,
        start: datetime | None = None,
        max_pending: int = 1000,
        in_order: bool = False,
    ) -> Subscription:
        """Open the durable subscription of a trigger's dependency, creating it if need be."""
        subject = names.event_subject(event_source, event_name)
        durable = durables.Durable(self._api, sensor, trigger, dependency, subject, max_pending)
        await durable.open(start)
        subscription = JetStreamSubscription(
            self._link, durable, max_pending, self._subscriptions.discard, in_order=in_order
        )
        await subscription.open()
        self._subscriptions.add(subscription)
        return subscription

    async def unsubscribe(self, sensor: str, trigger: str, dependency: str) -> None:
        """Delete the durable subscription; deleting what is not there is no error."""
        name = names.durable(sensor, trigger, dependency)
        try:
            await self._api.call(f"CONSUMER.DELETE.{durables.STREAM}.{name}")
        except Refusal as refusal:
            if refusal.code not in (CONSUMER_NOT_FOUND, STREAM_NOT_FOUND):
                raise

    async def state(self, name: str) -> State:
        """The bucket *name*, created if need be with as many replicas as the stream of events."""
        return PartedState(await JetStreamState.open(self._api, name, self._replicas))

    async def journal(self, name: str, limits: Limits) -> Journal:
        """The journal *name*, created if need be with as many replicas as the stream of events."""
        return await JetStreamJournal.open(self._api, name, limits, self._replicas)

    def events(self) -> Journal:
        """The event stream itself, for reading."""
        return JetStreamJournal(self._api, names.EVENTS, "")

    async def out_of_service(self) -> None:
        """Called when the server is there and JetStream is not; repeatedly, until it is back."""

    async def looked_after(self) -> None:
        """
        Called when the stream is found in order over a new link, or after a failed publication.

        Raises :exc:`BusError`, and is called again then.
        """

    async def _ensure_stream(self) -> None:
        subjects = [f"{names.EVENTS}.*.*"]
        config = await stream.ensure(self._api, self._settings.request(names.EVENTS, subjects))
        self._replicas = max(1, int(config.get("num_replicas") or 1))

    async def _keep_stream(self) -> None:
        """Look after the stream whenever a link is new or a publication failed."""
        while True:
            await self._doubtful.wait()
            reported = False
            trouble: Exception
            for pause in capped_backoff(0.2, 5.0):
                self._doubtful.clear()
                await self._link.until_up()
                try:
                    await self._ensure_stream()
                    await self.looked_after()
                    break
                except (BusError, ManifestError) as error:
                    trouble = error
                if not reported:
                    log.error("The stream of events cannot be used", error=str(trouble))
                reported = True
                if isinstance(trouble, NobodyThere):
                    with suppress(BusError):
                        await self.out_of_service()
                await asyncio.sleep(pause)
            if reported:
                log.info("The stream of events can be used again")


def _provider(
    endpoint: Endpoint | Callable[[], Awaitable[Endpoint]],
) -> Callable[[], Awaitable[Endpoint]]:
    if not isinstance(endpoint, Endpoint):
        return endpoint
    fixed = endpoint

    async def provide() -> Endpoint:
        return fixed

    return provide
