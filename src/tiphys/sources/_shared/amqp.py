"""One connection to an AMQP 0-9-1 broker: made once, and given up when it breaks."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator, Callable

from aiormq.abc import AbstractChannel, DeliveredMessage
from aiormq.exceptions import AMQPError, InvalidFrameError, ProbableAuthenticationError
from yarl import URL

from tiphys.aio import finish
from tiphys.errors import ManifestError, SourceError
from tiphys.sources._shared.amqp_frames import Connection
from tiphys.sources._shared.failures import CONNECT, lost, reason, refused, unreachable

HEARTBEAT = 10  # seconds
READ_AHEAD = 128  # messages that the broker sends before earlier ones are settled

# What the library would log is in the errors that it raises.
logging.getLogger("aiormq").setLevel(logging.CRITICAL)


def parse_url(text: str, option: str = "url") -> URL:
    """Raises :exc:`ManifestError` for what is no URL of a broker; never repeats the password."""
    try:
        url = URL(text)
    except ValueError:  # which may quote what is meant to be the password
        raise ManifestError("it is no URL", path=option) from None
    if url.scheme not in ("amqp", "amqps") or not url.host:
        raise ManifestError("it is no URL of the form amqp://host:port/vhost", path=option)
    return url


@contextlib.asynccontextmanager
async def connected(url: URL, context: ssl.SSLContext | None) -> AsyncIterator[AbstractChannel]:
    """
    A channel on a connection of its own; a *context* demands TLS whatever the URL says.

    Whatever the client raises becomes a :exc:`SourceError`.
    """
    if context is not None:
        url = url.with_scheme("amqps")
    service = f"the AMQP broker at {url.host}:{url.port or (5671 if context else 5672)}"
    async with contextlib.AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(CONNECT):
                connection = Connection(url.update_query(heartbeat=HEARTBEAT), context=context)
                stack.push_async_callback(lambda: finish(connection.close()))
                await connection.connect()
                channel = await connection.channel(publisher_confirms=False)
        except ProbableAuthenticationError as error:
            raise refused(service, error) from error
        except InvalidFrameError as error:  # which does not say what came instead of a consent
            raise SourceError(
                f"{service} does not open the virtual host {connection.vhost!r}; it is not there, "
                "or the user may not use it"
            ) from error
        except (AMQPError, OSError, TimeoutError) as error:
            raise unreachable(service, error) from error
        try:
            yield channel
        except (AMQPError, TimeoutError) as error:
            if connection.is_opened:
                raise SourceError(f"{service} refuses: {reason(error)}") from error
            raise lost(service, error) from error


async def deliveries(
    channel: AbstractChannel,
    queue: str,
    consuming: Callable[[], None],
    *,
    exclusive: bool,
    consumer_tag: str,
) -> AsyncIterator[DeliveredMessage]:
    """
    The messages of a queue; each is to be acknowledged, rejected, or left to the next consumer.

    Calls *consuming* when the broker has agreed.  Raises :exc:`AMQPError` when no more can come.
    """
    arrived: asyncio.Queue[DeliveredMessage | None] = asyncio.Queue()

    async def receive(message: DeliveredMessage) -> None:
        arrived.put_nowait(message)

    def ended(_: object) -> None:
        arrived.put_nowait(None)

    closing = channel.closing
    closing.add_done_callback(ended)
    channel.on_consumer_cancel_callbacks.add(ended)
    try:
        async with asyncio.timeout(CONNECT):
            await channel.basic_qos(prefetch_count=READ_AHEAD)
            await channel.basic_consume(
                queue, receive, exclusive=exclusive, consumer_tag=consumer_tag or None
            )
        consuming()
        while (message := await arrived.get()) is not None:
            yield message
    finally:
        closing.remove_done_callback(ended)
    if closing.done():
        cause = None if closing.cancelled() else closing.exception()
        raise cause if isinstance(cause, AMQPError) else AMQPError("it was closed")
    raise AMQPError(f"further reading of the queue {queue!r}")
