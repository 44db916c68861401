"""Redis Streams: each entry of a stream becomes an event (spec: event sources 8.9)."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from typing import Annotated, Any, cast

from pydantic import Field
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from tiphys.errors import SourceError
from tiphys.manifests.common import go_default
from tiphys.sources._base import Incoming, Source, SourceContext, source
from tiphys.sources._shared.redis import RedisServer, connected, server_problems

CONSUMER = "argo-events-worker"  # as in Argo Events, so that its pending entries are taken over
BLOCK = 2000  # milliseconds that a read waits for new entries
PENDING, NEW = "0-0", ">"

Entries = list[tuple[str, dict[str, str]]]


class Config(RedisServer):
    """Which streams, and through which group."""

    streams: list[str] = Field([], description="The streams; each must exist.")
    consumer_group: Annotated[str, go_default("argo-events-cg")] = Field(
        "argo-events-cg", description="Group to read through; created where it is not there."
    )
    max_msg_count_per_read: Annotated[int, go_default(10)] = Field(
        10, ge=0, description="Entries to take from each stream at a time."
    )


@source("redisStream", delivery="at-least-once", replicas="one", ordered=True)
class RedisStream(Source[Config]):
    """
    Reads through a consumer group.

    An entry stays in the group's list of pending entries until its event is stored, so it comes
    again after a crash, before what is new.
    """

    def check(self) -> list[str]:
        """What is wrong with the options."""
        problems = server_problems(self.config)
        return problems if self.config.streams else [*problems, "`streams` is empty"]

    async def events(self, ctx: SourceContext) -> AsyncIterator[Incoming]:
        """Take what is pending from an earlier run, then what is new."""
        position = dict.fromkeys(self.config.streams, PENDING)
        async with connected(self.config, ctx, decode=True) as client:
            for stream in position:
                await self._join(client, stream)
            while True:
                read = await self._read(client, position)  # the first time without waiting
                ctx.connected()
                for stream, entries in read:
                    is_pending = position[stream] != NEW and bool(entries)
                    position[stream] = entries[-1][0] if is_pending else NEW
                    for id, values in entries:
                        yield self._incoming(ctx, client, stream, id, values)

    async def _join(self, client: Redis, stream: str) -> None:
        """Make the group, which begins at the end of the stream, unless it is there."""
        try:
            await client.xgroup_create(stream, self.config.consumer_group, "$")
        except ResponseError as error:
            if str(error).startswith("BUSYGROUP"):
                return
            address = self.config.host_address
            if not await client.exists(stream):
                raise SourceError(f"Redis at {address} has no stream {stream!r}") from error
            raise

    async def _read(self, client: Redis, position: dict[str, str]) -> list[tuple[str, Entries]]:
        reply = await client.xreadgroup(
            self.config.consumer_group,
            CONSUMER,
            cast(dict[Any, Any], position),
            count=self.config.max_msg_count_per_read,
            block=BLOCK,
        )
        return cast(list[tuple[str, Entries]], reply or [])

    def _incoming(
        self, ctx: SourceContext, client: Redis, stream: str, id: str, values: dict[str, str]
    ) -> Incoming:
        ack = functools.partial(client.xack, stream, self.config.consumer_group, id)
        if not values:  # no entry is without fields
            problem = f"the pending entry {id} of {stream!r} was deleted or trimmed"
            return Incoming({}, problem=problem, ack=ack)
        return Incoming(
            {"stream": stream, "message_id": id, "values": values},
            f"{ctx.event_source}:{ctx.event_name}:{stream}:{id}",
            ack,
        )
