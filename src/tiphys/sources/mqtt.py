"""MQTT: the messages of a topic become events (spec: event sources 8.3)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiomqtt
from pydantic import Field

from tiphys.errors import ManifestError
from tiphys.manifests.common import TLS, BackoffBlock, BasicAuth, SourceConfig
from tiphys.sources._base import Incoming, Source, SourceContext, source
from tiphys.sources._shared.embedding import NotJSON, embedded
from tiphys.sources._shared.mqtt import Client, parse_address, subscribed, topic_problems
from tiphys.sources._shared.rules import basic_auth_problems, missing, tls_problems


class Config(SourceConfig):
    """Where to listen, and to what."""

    url: str = Field(
        "",
        description="The broker: `tcp://`, `ssl://`, `tls://`, `mqtts://`, `ws://` or `wss://`.",
        examples=["tcp://mosquitto:1883"],
    )
    topic: str = Field("", description="Topic filter; the wildcards `+` and `#` are allowed.")
    client_id: str = Field("", description="Identifier of the client, unique at the broker.")
    connection_backoff: BackoffBlock | None = Field(
        None, description="Without effect: connecting is tried again without end."
    )
    json_body: bool = Field(
        False, description="Messages are JSON and embedded as such, otherwise as base64."
    )
    tls: TLS | None = Field(None, description="TLS to the broker, whatever the URL says.")
    auth: BasicAuth | None = Field(None, description="User and password.")


@source("mqtt", delivery="at-most-once", replicas="one")
class MQTT(Source[Config]):
    """One subscription with QoS 0, made anew on every connection."""

    def check(self) -> list[str]:
        """What is wrong with the options."""
        config = self.config
        problems = missing(url=config.url, topic=config.topic, clientId=config.client_id)
        if config.url:
            try:
                parse_address(config.url)
            except ManifestError as error:
                problems.append(f"`{error.path}`: {error.message}")
        if config.topic:
            problems += topic_problems(config.topic)
        if config.tls is not None:
            return problems + tls_problems(config.tls)
        return problems + basic_auth_problems(config.auth)

    async def events(self, ctx: SourceContext) -> AsyncIterator[Incoming]:
        """Subscribe, and turn each message into an event."""
        config, auth = self.config, self.config.auth
        async with subscribed(
            parse_address(config.url),
            config.topic,
            identifier=config.client_id,
            username=await ctx.maybe_secret(auth.username) if auth else None,
            password=await ctx.maybe_secret(auth.password) if auth else None,
            context=await ctx.tls(config.tls) if config.tls else None,
        ) as client:
            ctx.connected()
            async for message in client.messages:
                if (lost := dropped(client)) is not None:
                    yield lost
                yield self._incoming(message)

    def _incoming(self, message: aiomqtt.Message) -> Incoming:
        topic = str(message.topic)
        try:
            body = embedded(bytes(message.payload), as_json=self.config.json_body)
        except NotJSON as error:
            return Incoming({}, problem=f"a message on {topic!r} is not JSON: {error}")
        return Incoming({"topic": topic, "messageId": message.mid, "body": body})


def dropped(client: Client) -> Incoming | None:
    """What says that messages were lost because the bus did not keep up, once."""
    if not client.backlog.dropped:
        return None
    number, client.backlog.dropped = client.backlog.dropped, 0
    return Incoming({}, problem=f"{number} messages came faster than the bus took them")
