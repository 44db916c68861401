"""One connection of nats-py, which is never mended: :mod:`connection` makes a new one."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

import nats.aio.client
import nats.errors
import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from tiphys.aio import stop
from tiphys.bus.jetstream.settings import Endpoint

log = structlog.get_logger("argo-events.eventbus")

CONNECT_TIMEOUT = 2  # seconds for each step of a connection, and for its end
_PING_INTERVAL = 5  # seconds; a silent server is given up after the third
_UNLIMITED = 0

Receiver = Callable[[Msg], Awaitable[None]]


class Client(nats.aio.client.Client):
    """A client that knows its inboxes, and that keeps its secrets to itself without TLS."""

    def __init__(self, endpoint: Endpoint, broken: asyncio.Event) -> None:
        super().__init__()
        self._endpoint = endpoint
        self._broken = broken
        self._inbox_subscriptions: dict[str, Subscription] = {}

    @property
    def address(self) -> str:
        """The server at the other end."""
        url = self.connected_url
        return "" if url is None else url.geturl()

    @property
    def ssl_context(self) -> ssl.SSLContext:
        """What nats-py uses when the server demands TLS."""
        return self._endpoint.context()

    async def open_inbox(self, subject: str, receive: Receiver) -> None:
        """Have what is sent below *subject* handled, without a limit to what may wait."""
        self._inbox_subscriptions[subject] = await self.subscribe(
            f"{subject}.*",
            cb=receive,
            pending_msgs_limit=_UNLIMITED,
            pending_bytes_limit=_UNLIMITED,
        )

    async def close_inbox(self, subject: str) -> None:
        """Handle what is on its way, then no more."""
        if (subscription := self._inbox_subscriptions.pop(subject, None)) is None:
            return
        await self._send_unsubscribe(subscription._id)
        # nats-py sends the PING of a flush ahead of what waits to be sent, so the first only makes
        # sure that the server hears of our loss of interest before the second.
        await self.flush()
        await self.flush()
        await subscription.drain()  # type: ignore[no-untyped-call]

    async def forget_inboxes(self) -> None:
        """Stop the tasks of all inboxes; nats-py leaves them when its ``close`` fails half-way."""
        for subscription in self._inbox_subscriptions.values():
            with suppress(nats.errors.Error, OSError):
                await subscription.unsubscribe()
            subscription._stop_processing()
        self._inbox_subscriptions.clear()

    def abort(self) -> None:
        """Drop the socket, with what could not be sent."""
        writer = getattr(self._transport, "_io_writer", None)
        if writer is not None:
            writer.transport.abort()

    def _connect_command(self) -> bytes:
        # The last moment before the credentials go out, and the only one at which the server's
        # offer is known: nats-py goes on in plain text when TLS is wanted and not offered.
        if self._endpoint.demands_tls and not self._server_info.get("tls_required"):
            raise nats.errors.SecureConnWantedError
        command: bytes = super()._connect_command()
        return command

    async def on_disconnect(self) -> None:
        """Called by nats-py when the connection broke."""
        self._broken.set()
        if self.is_reconnecting:
            await asyncio.Event().wait()  # until discard() ends nats-py's own attempt to reconnect

    async def on_error(self, error: Exception) -> None:
        """Called by nats-py for errors that have no caller."""
        if isinstance(error, OSError | nats.errors.Error):
            if "permissions violation" in str(error).lower():
                log.error("The event bus denies permission", error=str(error))
            return  # otherwise it is why the link breaks, which is reported once
        log.error("Handling a message of the event bus failed", exc_info=error)


async def connect(
    endpoint: Endpoint, name: str, inboxes: Mapping[str, Receiver], broken: asyncio.Event
) -> Client:
    """
    Make one attempt to connect, and open *inboxes*; *broken* is set when the connection breaks.

    Raises OSError and :exc:`nats.errors.Error`.
    """
    client = Client(endpoint, broken)
    credentials = endpoint.credentials
    try:
        async with asyncio.timeout(3 * CONNECT_TIMEOUT * len(endpoint.servers)):
            await client.connect(
                servers=list(endpoint.servers),
                name=name,
                error_cb=client.on_error,
                disconnected_cb=client.on_disconnect,
                allow_reconnect=False,  # the first error ends this attempt
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=CONNECT_TIMEOUT,
                ping_interval=_PING_INTERVAL,
                user=(credentials and credentials.username) or None,
                password=(credentials and credentials.password) or None,
                token=(credentials and credentials.token) or None,
                skip_subject_validation=True,  # names makes them, or the server refuses
                pending_size=0,  # publish never waits, and refuses when there is no link
            )
            # From here on a broken link is told through on_disconnect, which nats-py does for
            # certain only when it believes that it will reconnect.
            client.options["allow_reconnect"] = True
            broken.clear()
            for subject, receive in inboxes.items():
                await client.open_inbox(subject, receive)
    except BaseException:
        await discard(client)
        raise
    return client


async def discard(client: Client) -> None:
    """End a connection in whatever state it is, in bounded time."""
    await client.forget_inboxes()
    patience: float = CONNECT_TIMEOUT
    if not client.is_connected:
        client.abort()
        patience = 0.1  # there is nothing left to say; asyncio never tells the end of a failed TLS
    # In a task of its own, because closing cancels nats-py's tasks and with them, at times, the
    # very future that it waits for itself.
    closing = asyncio.create_task(client.close())
    try:
        await asyncio.wait([closing], timeout=patience)
    finally:
        await stop(closing)
    if closing.cancelled() or closing.exception() is not None:
        client.abort()
