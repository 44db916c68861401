"""Clients that triggers keep between firings."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Generic, Self, TypeVar

from tiphys.manifests.common import TLS, SecretRef
from tiphys.triggers._base import TriggerContext

T = TypeVar("T")
KEPT = 16


class ClientCache(Generic[T]):
    """
    Open clients by the settings they were opened with, the least recently used closed first.

    The key holds the rendered settings and a digest of secret values (:func:`digest`), so neither
    a changed parameter nor a rotated secret is served by an old client.
    """

    def __init__(self) -> None:
        self._clients: OrderedDict[Hashable, tuple[T, AsyncExitStack]] = OrderedDict()
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """Nothing is opened yet."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every client."""
        while self._clients:
            await self._close_oldest()

    async def get(
        self, key: Hashable, opened: Callable[[], Awaitable[AbstractAsyncContextManager[T]]]
    ) -> T:
        """The client of *key*, made by *opened* and entered if there is none."""
        if (known := self._clients.get(key)) is not None:
            self._clients.move_to_end(key)
            return known[0]
        async with self._lock:
            if (known := self._clients.get(key)) is not None:
                return known[0]
            async with AsyncExitStack() as stack:
                client = await stack.enter_async_context(await opened())
                self._clients[key] = client, stack.pop_all()
            if len(self._clients) > KEPT:
                await self._close_oldest()
            return client

    async def _close_oldest(self) -> None:
        _, (_, stack) = self._clients.popitem(last=False)
        await stack.aclose()


async def digest(ctx: TriggerContext, *refs: SecretRef | None) -> str:
    """A digest of secret values, for the key of a client.  Raises :exc:`SecretError`."""
    sum_ = hashlib.sha256()
    for ref in refs:
        value = "" if ref is None else await ctx.secret(ref)
        sum_.update(f"{len(value)}:{value}".encode())
    return sum_.hexdigest()


async def tls_key(ctx: TriggerContext, tls: TLS | None) -> Hashable:
    """The part of a client's key that stands for its TLS settings."""
    if tls is None:
        return None
    refs = (tls.ca_cert_secret, tls.client_cert_secret, tls.client_key_secret)
    values = "" if tls.insecure_skip_verify else await digest(ctx, *refs)
    return tls.model_dump_json(), values
