"""AMQP 0-9-1: the messages of a queue become events (spec: event sources 8.1)."""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import orjson
from aiormq.abc import AbstractChannel, DeliveredMessage
from pydantic import Field
from yarl import URL

from tiphys.errors import ManifestError
from tiphys.languages import LanguageError, yaml_json
from tiphys.manifests.common import TLS, BackoffBlock, BasicAuth, Block, SecretRef, SourceConfig
from tiphys.sources._base import Incoming, Source, SourceContext, source
from tiphys.sources._shared.amqp import connected, deliveries, parse_url
from tiphys.sources._shared.embedding import NotJSON, embedded
from tiphys.sources._shared.failures import CONNECT
from tiphys.sources._shared.rules import basic_auth_problems, missing, tls_problems
from tiphys.sources._shared.timestamps import long_timestamp

NO_TIME = "0001-01-01 00:00:00 +0000 UTC"
REPLACED = "\ufffd"  # stands for what is no UTF-8, so texts that differ may look the same
NO_WAIT = "Without effect: what is asked for is always waited for."


class ExchangeDeclare(Block):
    """The exchange."""

    durable: bool = Field(False, description="Survives a restart of the broker.")
    auto_delete: bool = Field(False, description="Goes when its last queue does.")
    internal: bool = Field(False, description="Nobody may publish to it directly.")
    no_wait: bool = Field(False, description=NO_WAIT)


class QueueDeclare(Block):
    """The queue."""

    name: str = Field("", description="Name; the broker makes one when empty.")
    durable: bool = Field(False, description="Survives a restart of the broker.")
    auto_delete: bool = Field(False, description="Goes when its last consumer does.")
    exclusive: bool = Field(False, description="Of this connection only, and goes with it.")
    no_wait: bool = Field(False, description=NO_WAIT)
    arguments: str = Field(
        "", description="Further arguments, YAML in a string.", examples=["x-queue-type: quorum"]
    )

    def table(self) -> dict[str, Any]:
        """The further arguments.  Raises :exc:`ManifestError`."""
        path = "queueDeclare.arguments"
        try:
            table = orjson.loads(yaml_json.convert(self.arguments.encode()))
        except LanguageError as error:
            raise ManifestError(str(error), path=path) from error
        if not isinstance(table, dict | None):
            raise ManifestError("it must be YAML with `name: value` lines", path=path)
        return table or {}


class QueueBind(Block):
    """The binding of the queue to the exchange."""

    no_wait: bool = Field(False, description=NO_WAIT)


class Consume(Block):
    """How the queue is read."""

    consumer_tag: str = Field("", description="Name of the consumer; made up when empty.")
    auto_ack: bool = Field(
        False, description="Messages are done with once they are read, whatever becomes of them."
    )
    exclusive: bool = Field(False, description="Nobody else may read the queue.")
    no_local: bool = Field(False, description="Without effect: nothing is published here.")
    no_wait: bool = Field(False, description=NO_WAIT)


class Config(SourceConfig):
    """Where the messages come from."""

    url: str = Field(
        "",
        description="The broker; this or `urlSecret`.",
        examples=["amqp://rabbitmq:5672/vhost"],
    )
    url_secret: SecretRef | None = Field(None, description="Secret that holds the URL.")
    exchange_name: str = Field("", description="Exchange to declare.")
    exchange_type: str = Field(
        "", description="`direct`, `fanout`, `topic`, `headers` or what plugins add."
    )
    routing_key: str = Field("", description="Key that binds the queue to the exchange.")
    exchange_declare: ExchangeDeclare | None = Field(
        None, description="The exchange; without this block it is durable."
    )
    queue_declare: QueueDeclare | None = Field(
        None, description="The queue; without this block it is exclusive."
    )
    queue_bind: QueueBind | None = Field(None, description="The binding.")
    consume: Consume | None = Field(
        None, description="How to read; without this block `autoAck` is true."
    )
    connection_backoff: BackoffBlock | None = Field(
        None, description="Without effect: connecting is tried again without end."
    )
    json_body: bool = Field(
        False, description="Messages are JSON and embedded as such, otherwise as base64."
    )
    tls: TLS | None = Field(None, description="TLS to the broker, whatever the URL says.")
    auth: BasicAuth | None = Field(None, description="User and password, instead of the URL's.")


@source("amqp", delivery="at-least-once", replicas="one")
class AMQP(Source[Config]):
    """
    Declares exchange, queue and binding, and consumes.

    With ``autoAck`` a message is acknowledged when it is read, otherwise when its event is stored;
    what the bus refuses goes back into the queue.  The id of an event derives from the message's
    exchange, key and id, where it has an id: those of several senders meet in one queue.
    """

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._consume = config.consume or Consume(auto_ack=True)
        if self._consume.auto_ack:
            self.delivery = "at-most-once"

    def check(self) -> list[str]:
        """What is wrong with the options."""
        config = self.config
        problems = missing(
            exchangeName=config.exchange_name,
            exchangeType=config.exchange_type,
            routingKey=config.routing_key,
        )
        if bool(config.url) == (config.url_secret is not None):
            problems.append("exactly one of `url` and `urlSecret` is needed")
        try:
            if config.url:
                parse_url(config.url)
            (config.queue_declare or QueueDeclare()).table()
        except ManifestError as error:
            problems.append(f"`{error.path}`: {error.message}")
        if config.tls is not None:
            return problems + tls_problems(config.tls)
        return problems + basic_auth_problems(config.auth)

    async def events(self, ctx: SourceContext) -> AsyncIterator[Incoming]:
        """Consume, and turn each message into an event."""
        url, context = await self._broker(ctx)
        async with connected(url, context) as channel:
            async with asyncio.timeout(CONNECT):
                queue = await self._declare(channel)
            async for message in deliveries(
                channel,
                queue,
                ctx.connected,
                exclusive=self._consume.exclusive,
                consumer_tag=self._consume.consumer_tag,
            ):
                if self._consume.auto_ack:
                    await channel.basic_ack(_tag(message), wait=False)
                yield self._incoming(ctx, channel, message)

    async def _broker(self, ctx: SourceContext) -> tuple[URL, ssl.SSLContext | None]:
        config = self.config
        if config.url_secret is not None:
            url = parse_url(await ctx.secret(config.url_secret), "urlSecret")
        else:
            url = parse_url(config.url)
        if config.auth is not None:
            user, password = config.auth.username, config.auth.password
            url = url.with_user(await ctx.maybe_secret(user))
            url = url.with_password(await ctx.maybe_secret(password))
        tls = config.tls or (TLS(enabled=True) if url.scheme == "amqps" else None)
        return url, await ctx.tls(tls) if tls else None

    async def _declare(self, channel: AbstractChannel) -> str:
        """Declare the exchange and the queue, bind them, and return the name of the queue."""
        config = self.config
        exchange = config.exchange_declare or ExchangeDeclare(durable=True)
        await channel.exchange_declare(
            config.exchange_name,
            exchange_type=config.exchange_type,
            durable=exchange.durable,
            auto_delete=exchange.auto_delete,
            internal=exchange.internal,
        )
        wanted = config.queue_declare or QueueDeclare(exclusive=True)
        declared = await channel.queue_declare(
            wanted.name,
            durable=wanted.durable,
            exclusive=wanted.exclusive,
            auto_delete=wanted.auto_delete,
            arguments=wanted.table(),
        )
        assert declared.queue is not None
        await channel.queue_bind(declared.queue, config.exchange_name, config.routing_key)
        return declared.queue

    def _incoming(
        self, ctx: SourceContext, channel: AbstractChannel, message: DeliveredMessage
    ) -> Incoming:
        tag = _tag(message)
        try:
            data = self._payload(message)
        except NotJSON as error:
            # It would be none the next time either, so it does not go back into the queue.
            discard = functools.partial(channel.basic_reject, tag, requeue=False)
            settle: dict[str, Any] = {} if self._consume.auto_ack else {"ack": discard}
            problem = f"a message with the key {message.routing_key!r} is not JSON: {error}"
            return Incoming({}, problem=problem, **settle)
        id = _identity(ctx, data)
        if self._consume.auto_ack:
            return Incoming(data, id)
        return Incoming(
            data,
            id,
            functools.partial(channel.basic_ack, tag),
            functools.partial(channel.basic_reject, tag, requeue=True),
        )

    def _payload(self, message: DeliveredMessage) -> dict[str, Any]:
        properties = message.header.properties
        return {
            "contentType": properties.content_type or "",
            "contentEncoding": properties.content_encoding or "",
            "deliveryMode": properties.delivery_mode or 0,
            "priority": properties.priority or 0,
            "correlationId": properties.correlation_id or "",
            "replyTo": properties.reply_to or "",
            "expiration": properties.expiration or "",
            "messageId": properties.message_id or "",
            "timestamp": _timestamp(properties.timestamp),
            "type": properties.message_type or "",
            "appId": properties.app_id or "",
            "exchange": message.exchange or "",
            "routingKey": message.routing_key or "",
            "body": embedded(message.body, as_json=self.config.json_body),
        }


def _identity(ctx: SourceContext, data: dict[str, Any]) -> str | None:
    members = [data[member] for member in ("exchange", "routingKey", "messageId")]
    if not members[-1] or REPLACED in "".join(members):
        return None
    return ":".join([ctx.event_source, ctx.event_name, *members])


def _tag(message: DeliveredMessage) -> int:
    assert message.delivery_tag is not None  # it was delivered
    return message.delivery_tag


def _timestamp(moment: datetime | None) -> str:
    """In the zone of the process."""
    try:
        return NO_TIME if moment is None else long_timestamp(moment.astimezone())
    except OverflowError:  # on the last day that there is, in the zone of the process
        return NO_TIME
