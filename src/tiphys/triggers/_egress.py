"""Which addresses actions may reach; manifests may come from people who should not reach all."""

from __future__ import annotations

import dataclasses
import ipaddress
import socket
from collections.abc import Iterable

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver

from tiphys.errors import ManifestError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
PRIVATE = "private"
PRIVATE_NETWORKS = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
    *("172.16.0.0/12", "192.168.0.0/16", "::/128", "::1/128", "fc00::/7", "fe80::/10"),
)


@dataclasses.dataclass(frozen=True)
class Egress:
    """
    Networks that may be reached and that may not.

    What is in *allow* may always be reached.  With *deny*, so may everything that is not in it;
    with *allow* alone, nothing else.
    """

    allow: tuple[Network, ...] = ()
    deny: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, allow: Iterable[str], deny: Iterable[str]) -> Egress:
        """
        Read networks (``10.0.0.0/8``), addresses, and ``private`` for all that are not public.

        Raises :exc:`ManifestError`.
        """
        return cls(_networks(allow), _networks(deny))

    def __bool__(self) -> bool:
        """Whether there is any rule."""
        return bool(self.allow or self.deny)

    def permits(self, address: str) -> bool:
        """Whether *address*, an IP address in text, may be reached."""
        ip = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        if any(ip in network for network in self.allow):
            return True
        if self.deny:
            return not any(ip in network for network in self.deny)
        return not self.allow

    def permits_host(self, host: str) -> bool:
        """Whether *host* may be asked for; names are decided on when they are resolved."""
        try:
            return self.permits(host.strip("[]"))
        except ValueError:
            return True


class GuardedResolver(AbstractResolver):
    """
    Resolves names to permitted addresses only.

    The connection is made to what this returns, so that a name cannot lead elsewhere afterwards.
    """

    def __init__(self, egress: Egress) -> None:
        self._egress = egress
        self._resolver = DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The permitted addresses of *host*.  Raises :exc:`OSError` when there are none."""
        found = await self._resolver.resolve(host, port, family)
        permitted = [each for each in found if self._egress.permits(each["host"])]
        if not permitted:
            raise OSError(f"{host} leads to addresses that actions may not reach")
        return permitted

    async def close(self) -> None:
        """Release the resolver."""
        await self._resolver.close()


def _networks(texts: Iterable[str]) -> tuple[Network, ...]:
    networks: list[Network] = []
    for text in texts:
        for part in PRIVATE_NETWORKS if text == PRIVATE else (text,):
            try:
                networks.append(_plain(ipaddress.ip_network(part)))
            except ValueError as error:
                raise ManifestError(
                    f"{text!r} is no network; write one such as 10.0.0.0/8, or {PRIVATE!r}"
                ) from error
    return tuple(networks)


def _plain(network: Network) -> Network:
    """An IPv4 network also where it is written as a part of IPv6."""
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None or network.prefixlen < 96:
        return network
    return ipaddress.IPv4Network((mapped, network.prefixlen - 96))
