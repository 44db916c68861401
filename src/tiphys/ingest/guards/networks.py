"""The networks that may send (extension ``allowedCIDRs``)."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from tiphys.errors import ManifestError
from tiphys.ingest._types import Refused, Request


class NetworkGuard:
    """
    Lets in the addresses of some networks.

    The address is the one of the peer; what a header such as ``X-Forwarded-For`` claims is not
    believed.
    """

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks = [_network(text) for text in networks]

    async def check(self, request: Request) -> None:
        """Refuse a request from elsewhere."""
        address = parse_address(request.client)
        if address is None or not any(address in network for network in self._networks):
            raise Refused(403, "this address may not send here", reason="network")


def parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address of a peer, IPv4 also where the socket shows it mapped into IPv6."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text.strip())
    except ValueError as error:
        raise ManifestError(
            f"{error}; write a network as 192.0.2.0/24, or a single address", path="allowedCIDRs"
        ) from error
