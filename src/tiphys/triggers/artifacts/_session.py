"""HTTP for reading manifests, within the networks that actions may reach."""

from __future__ import annotations

import asyncio
import ssl

import aiohttp
from yarl import URL

from tiphys.errors import TriggerError
from tiphys.triggers._egress import Egress, GuardedResolver


def guarded_session(egress: Egress, tls: ssl.SSLContext | bool) -> aiohttp.ClientSession:
    """A session for one read; rules on egress exclude proxies, which would not know them."""
    resolver = GuardedResolver(egress) if egress else None
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=tls, resolver=resolver),
        timeout=aiohttp.ClientTimeout(total=None),
        trust_env=not egress,
    )


def check_host(url: URL, egress: Egress) -> None:
    """Raise :exc:`TriggerError` for an address in numbers that may not be reached."""
    if not egress.permits_host(url.host or ""):
        raise TriggerError(f"{url.host} is an address that actions may not reach", retryable=False)


async def check_addresses(host: str, egress: Egress) -> None:
    """Raise :exc:`TriggerError` when a name leads to an address that may not be reached."""
    if not egress:
        return
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None)
    except OSError as error:
        raise TriggerError(f"{host} cannot be resolved: {error}") from error
    if not all(egress.permits(str(address[4][0])) for address in found):
        message = f"{host} leads to addresses that actions may not reach"
        raise TriggerError(message, retryable=False)
