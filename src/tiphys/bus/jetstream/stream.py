"""Streams: the one that carries events, and those behind buckets and journals."""

from __future__ import annotations

from typing import Any

from tiphys.bus.jetstream.api import (
    INVALID_STREAM,
    REPLICAS_NOT_SUPPORTED,
    STREAM_NAME_IN_USE,
    STREAM_NOT_FOUND,
    JetStreamApi,
    Refusal,
)
from tiphys.errors import ManifestError

_OUR_FAULT = (INVALID_STREAM, REPLICAS_NOT_SUPPORTED)  # which the server calls its own, 500


async def ensure(api: JetStreamApi, config: dict[str, Any]) -> dict[str, Any]:
    """
    Find the stream of *config*'s name or create it; returns the configuration that it has.

    One that exists is used as it is.  Raises :exc:`ManifestError` when the server does not accept
    *config* and :exc:`BusError` for everything else.
    """
    name = config["name"]
    found = await api.find(f"STREAM.INFO.{name}", STREAM_NOT_FOUND)
    if found is None:
        try:
            found = await api.call(f"STREAM.CREATE.{name}", config)
        except Refusal as refusal:
            if refusal.code == STREAM_NAME_IN_USE:  # somebody else was faster
                found = await api.call(f"STREAM.INFO.{name}")
            elif refusal.status == 400 or refusal.code in _OUR_FAULT:
                raise ManifestError(
                    f"the event bus does not accept the settings of its stream {name!r}: "
                    f"{refusal.description}",
                    path="streamConfig",
                ) from refusal
            else:
                raise
    existing: dict[str, Any] = found["config"]
    return existing
