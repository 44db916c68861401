"""
Having a server deliver again at once what nobody is at work on any more.

What was not acknowledged when program and server ended comes again only when the time of its
delivery has run out, half a minute later: a server does not remember over a restart that somebody
gave a message back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from tiphys.bus.jetstream.api import JetStreamApi
from tiphys.bus.jetstream.durables import ACK_WAIT, STREAM

_SHORT = 1_000_000  # nanoseconds
_LOOK = 0.3  # seconds; the server looks 0.1 s after a change for what has run out


async def deliver_again(api: JetStreamApi) -> None:
    """
    Have all consumers of the stream of events deliver again at once what is not acknowledged.

    Only for a server that nobody else uses: what others are at work on comes again as well.
    Raises :exc:`BusError`.
    """
    waiting = [config async for config in _waiting(api)]
    if not waiting:
        return
    await _set(api, waiting, _SHORT)
    await asyncio.sleep(_LOOK)
    await _set(api, waiting)


async def _waiting(api: JetStreamApi) -> AsyncIterator[dict[str, Any]]:
    """The configurations of consumers that wait for acknowledgements."""
    offset, total = 0, 1
    while offset < total:
        page = await api.call(f"CONSUMER.LIST.{STREAM}", {"offset": offset})
        consumers = page.get("consumers") or []
        for info in consumers:
            config = info["config"]
            if not config.get("durable_name"):
                continue
            if config["ack_wait"] == _SHORT:  # this was interrupted
                config["ack_wait"] = int(ACK_WAIT * 1e9)
                yield config
            elif info["num_ack_pending"]:
                yield config
        offset, total = offset + len(consumers), page["total"] if consumers else 0


async def _set(
    api: JetStreamApi, configs: list[dict[str, Any]], ack_wait: int | None = None
) -> None:
    """Write configurations, with another time to acknowledge if one is given."""
    for config in configs:
        changed = config if ack_wait is None else {**config, "ack_wait": ack_wait}
        body = {"stream_name": STREAM, "config": changed, "action": "update"}
        await api.call(f"CONSUMER.DURABLE.CREATE.{STREAM}.{config['name']}", body)
