"""NATS: the messages of a subject become events (spec: event sources 8.5)."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from typing import Any

from nats.aio.msg import Msg
from pydantic import Field

from tiphys.manifests.common import TLS, BackoffBlock, NATSAuth, SourceConfig
from tiphys.sources._base import Incoming, Source, SourceContext, source
from tiphys.sources._shared.embedding import NotJSON, embedded
from tiphys.sources._shared.nats import (
    Connection,
    Login,
    connected,
    messages,
    queue_problems,
    servers_of,
    subject_problems,
    url_problems,
)
from tiphys.sources._shared.rules import missing, tls_problems

ID = "Nats-Msg-Id"  # the header by which JetStream recognises duplicates
REPLACED = "\ufffd"  # stands for what is no UTF-8, so texts that differ may look the same


class Config(SourceConfig):
    """Where to listen, and to what."""

    url: str = Field(
        "",
        description="The servers, separated by commas; `tls://` demands TLS.",
        examples=["nats://nats:4222"],
    )
    subject: str = Field("", description="Subject; the wildcards `*` and `>` are allowed.")
    queue: str | None = Field(
        None, description="Queue group, whose members share the messages among themselves."
    )
    connection_backoff: BackoffBlock | None = Field(
        None, description="Without effect: connecting is tried again without end."
    )
    json_body: bool = Field(
        False, description="Messages are JSON and embedded as such, otherwise as base64."
    )
    tls: TLS | None = Field(None, description="TLS to the servers.")
    auth: NATSAuth | None = Field(None, description="Who connects.")


@source("nats", delivery="at-most-once", replicas="one")
class NATS(Source[Config]):
    """
    One subscription, on a new connection whenever the one before broke.

    The id of an event derives from the subject and the message's ``Nats-Msg-Id``, where there is
    one: it is unique within a stream of JetStream only, and subjects may belong to several.
    """

    def check(self) -> list[str]:
        """What is wrong with the options."""
        config = self.config
        problems = missing(url=config.url, subject=config.subject) + tls_problems(config.tls)
        if config.url:
            problems += url_problems(config.url)
        if config.subject:
            problems += subject_problems(config.subject)
        if config.queue == "" and config.tls is None:
            problems.append("`queue` must not be empty; leave it out to listen alone")
        return problems + queue_problems(config.queue or "") + self._login_problems()

    def _login_problems(self) -> list[str]:
        auth = self.config.auth
        if auth is None or auth.basic is None:
            return []
        basic = {"username": auth.basic.username, "password": auth.basic.password}
        return missing(**{f"auth.basic.{part}": secret for part, secret in basic.items()})

    async def events(self, ctx: SourceContext) -> AsyncIterator[Incoming]:
        """Subscribe, and turn each message into an event."""
        config = self.config
        parts = (config.auth or NATSAuth()).parts()
        login = Login(**{part: await ctx.maybe_secret(ref) or "" for part, ref in parts.items()})
        context: ssl.SSLContext | None = await ctx.tls(config.tls) if config.tls else None
        async with connected(servers_of(config.url), login, context) as client:
            await client.listen(config.subject, config.queue or "", ctx.connected)
            async for message in messages(client):
                if (lost := _dropped(client)) is not None:
                    yield lost
                yield self._incoming(ctx, message)

    def _incoming(self, ctx: SourceContext, message: Msg) -> Incoming:
        try:
            body = embedded(message.data, as_json=self.config.json_body)
        except NotJSON as error:
            return Incoming({}, problem=f"a message on {message.subject!r} is not JSON: {error}")
        data = {"subject": message.subject, "body": body}
        headers: Any = message.headers
        if not headers:
            return Incoming(data)
        return Incoming({**data, "header": headers}, _identity(ctx, message.subject, headers))


def _identity(ctx: SourceContext, subject: str, headers: dict[str, list[str]]) -> str | None:
    message_id = headers.get(ID, [""])[0]
    if not message_id or REPLACED in subject + message_id:
        return None
    return f"{ctx.event_source}:{ctx.event_name}:{subject}:{message_id}"


def _dropped(client: Connection) -> Incoming | None:
    """What says that messages were lost because the bus did not keep up, once."""
    if not client.dropped:
        return None
    number, client.dropped = client.dropped, 0
    return Incoming({}, problem=f"{number} messages came faster than the bus took them")
