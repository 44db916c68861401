"""How many requests an address may send (extension ``rateLimit``)."""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict

from tiphys.aio import Clock
from tiphys.ingest._types import Refused, Request
from tiphys.ingest.guards.networks import parse_address
from tiphys.manifests.webhook import RequestRate

ADDRESSES = 10_000  # remembered at once; the one that was quiet for longest is forgotten first


class RateGuard:
    """
    A token bucket per address, or one for the endpoint.

    A bucket is kept as the moment at which it will be full again, so an idle one needs no memory.
    IPv6 addresses count by their /64 network, which is what one sender has.
    """

    def __init__(self, limit: RequestRate, clock: Clock) -> None:
        self._interval = limit.period / limit.requests
        self._credit = (limit.burst or limit.requests) * self._interval
        self._per_address = limit.per == "address"
        self._clock = clock
        self._full_at: OrderedDict[str, float] = OrderedDict()

    async def check(self, request: Request) -> None:
        """Refuse a request that comes too soon, and say when to come again."""
        now = self._clock.monotonic()
        key = _sender(request.client) if self._per_address else ""
        full_at = max(now, self._full_at.get(key, now)) + self._interval
        excess = full_at - now - self._credit
        if excess > 1e-9:
            wait = str(max(1, math.ceil(excess)))
            raise Refused(429, "too many requests", reason="rate", headers={"retry-after": wait})
        self._full_at[key] = full_at
        self._full_at.move_to_end(key)
        self._forget(now)

    def _forget(self, now: float) -> None:
        while self._full_at:
            key, full_at = next(iter(self._full_at.items()))
            if full_at > now and len(self._full_at) <= ADDRESSES:
                break
            del self._full_at[key]


def _sender(client: str) -> str:
    address = parse_address(client)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))
    return str(address or client)
