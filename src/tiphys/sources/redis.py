"""Redis: the messages of channels become events (spec: event sources 8.8)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from pydantic import Field
from redis.asyncio.client import PubSub
from redis.exceptions import TimeoutError

from tiphys.sources._base import Incoming, Source, SourceContext, source
from tiphys.sources._shared.embedding import NotJSON, raw_json, text
from tiphys.sources._shared.redis import ANSWER, RedisServer, connected, server_problems

QUIET = 10.0  # seconds without a message after which the server is asked whether it is there


class Config(RedisServer):
    """Which channels."""

    channels: list[str] = Field([], description="Names of the channels; no patterns.")
    json_body: bool = Field(
        False, description="Messages are JSON and embedded as such, otherwise as strings."
    )
    namespace: str = Field(
        "", description="Must not be empty when there is a password; otherwise without effect."
    )


@source("redis", delivery="at-most-once", replicas="one")
class RedisChannels(Source[Config]):
    """
    Listens on one connection.

    While the bus is away nothing is read, so the server keeps what comes, up to its limit for slow
    subscribers.
    """

    def check(self) -> list[str]:
        """What is wrong with the options."""
        problems = server_problems(self.config)
        if not self.config.channels:
            problems.append("`channels` is empty")
        if self.config.password is not None and not self.config.namespace:
            problems.append("`namespace` must not be empty when there is a `password`")
        return problems

    async def events(self, ctx: SourceContext) -> AsyncIterator[Incoming]:
        """Subscribe, and turn each message into an event."""
        async with connected(self.config, ctx, decode=False) as client, client.pubsub() as pubsub:
            await pubsub.subscribe(*self.config.channels)
            async for message in _messages(pubsub):
                if message["type"] == "message":
                    yield self._incoming(message)
                elif message["type"] == "subscribe" and message["data"] == len(pubsub.channels):
                    ctx.connected()  # that was the last of the channels

    def _incoming(self, message: dict[str, Any]) -> Incoming:
        channel = text(message["channel"])
        try:
            body = (raw_json if self.config.json_body else text)(message["data"])
        except NotJSON as error:
            return Incoming({}, problem=f"a message in {channel!r} is not JSON: {error}")
        return Incoming({"channel": channel, "pattern": "", "body": body})


async def _messages(pubsub: PubSub) -> AsyncIterator[dict[str, Any]]:
    """
    What the server sends, messages and answers.

    Raises the library's :exc:`TimeoutError` when it has fallen silent.
    """
    asked = False
    while True:
        message = await pubsub.get_message(timeout=ANSWER if asked else QUIET)
        if message is not None:
            asked = False
            yield message
        elif asked:
            raise TimeoutError("no answer in time")
        else:
            asked = True
            await pubsub.ping()
