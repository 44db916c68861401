"""Azure Service Bus: sends the payload to a queue or a topic (spec: triggers 14)."""

from __future__ import annotations

import ssl

from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.exceptions import (
    MessageSizeExceededError,
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
    ServiceBusError,
)
from pydantic import Field

from tiphys.errors import TriggerError
from tiphys.manifests.common import TLS, Parameter, SecretRef, TriggerConfig
from tiphys.triggers import Firing, Outcome, Trigger, TriggerContext, trigger
from tiphys.triggers._shared import payload
from tiphys.triggers._shared.azure import Pool
from tiphys.triggers._shared.clients import ClientCache, digest, tls_key
from tiphys.triggers._shared.secrets import retrieving

SEND = 10  # seconds for the service to say that it has the message, connecting included
_REFUSALS = (
    MessageSizeExceededError,
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
)


class Config(TriggerConfig):
    """Options of the azureServiceBus trigger."""

    connection_string: SecretRef | None = Field(
        None, description="Secret that holds the connection string of the namespace."
    )
    queue_name: str = Field("", description="The queue; wins over `topicName`.")
    topic_name: str = Field("", description="The topic.")
    subscription_name: str = Field("", description="Accepted, and without effect.")
    tls: TLS | None = Field(
        None, description="TLS to the service; the library's defaults if absent."
    )
    payload: list[Parameter] | None = Field(None, description="Values that make up the message.")


@trigger("azureServiceBus", log_name="AzureServiceBus")
class AzureServiceBus(Trigger[Config]):
    """Sends over connections that are kept open between firings."""

    async def start(self, ctx: TriggerContext) -> None:
        """Prepare the connections, which are closed with the sensor."""
        await super().start(ctx)
        self._senders = await ctx.enter(ClientCache[Pool[Sender]]())

    async def fire(self, firing: Firing[Config]) -> Outcome:
        """Send one message, and wait for the service to accept it."""
        config = firing.config
        body = payload.required(config.payload, firing.payload)
        entity = config.queue_name or config.topic_name
        failed = f"failed to send a message to the service bus, {entity!r}"
        pool = await self._pool(config)
        try:
            async with pool.client(SEND) as sender:
                await sender.send(ServiceBusMessage(body, message_id=firing.action_id))
        except TimeoutError as error:
            raise TriggerError(f"{failed}: no answer within {SEND} s") from error
        except (ServiceBusError, OSError, ValueError) as error:
            final = isinstance(error, (*_REFUSALS, ValueError))
            # The texts of the library alone do not always say what it was.
            reason = f"{type(error).__name__}: {error}"
            raise TriggerError(f"{failed}: {reason}", retryable=not final) from error
        return Outcome(detail=f"sent to {entity}")

    @classmethod
    def check(cls, config: Config) -> list[str]:
        """What cannot work, found before the sensor runs."""
        problems = []
        if config.connection_string is None:
            problems.append("connectionString is not specified")
        if not config.queue_name and not config.topic_name:
            problems.append("neither queue name nor topic name is specified")
        if config.payload is None:
            problems.append("payload parameters are not specified")
        return problems

    async def _pool(self, config: Config) -> Pool[Sender]:
        ref = config.connection_string
        with retrieving("connection string or certificates"):
            key = (
                config.queue_name,
                config.topic_name,
                await digest(self.ctx, ref),
                await tls_key(self.ctx, config.tls),
            )

            async def opened() -> Pool[Sender]:
                text = await self.ctx.secret(ref) if ref else ""
                context = await self.ctx.tls(config.tls) if config.tls else None
                return Pool(lambda: Sender(config, text.strip(), context))

            return await self._senders.get(key, opened)


class Sender:
    """
    A connection to one queue or topic.

    Raises :exc:`ValueError` for a connection string that is none.
    """

    def __init__(
        self, config: Config, connection_string: str, context: ssl.SSLContext | None
    ) -> None:
        self._client = ServiceBusClient.from_connection_string(
            connection_string,
            # One more attempt, at once, because the service ends connections that are idle; all
            # further ones are the retry strategy's.
            retry_total=1,
            retry_backoff_factor=0,
            ssl_context=context,
        )
        if config.queue_name:
            self._sender = self._client.get_queue_sender(config.queue_name)
        else:
            self._sender = self._client.get_topic_sender(config.topic_name)

    async def send(self, message: ServiceBusMessage) -> None:
        """Send, and wait until the service has it."""
        await self._sender.send_messages(message)

    async def close(self) -> None:
        """Close the connection."""
        await self._sender.close()
        await self._client.close()
