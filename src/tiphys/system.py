"""Small questions that several parts ask: hosts, addresses and files."""

from __future__ import annotations

import ipaddress
import os
import re
from pathlib import Path

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def is_loopback(host: str) -> bool:
    """Whether *host*, a name or an address, is only of this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def without_login(address: str) -> str:
    """
    An address as people may see it, be it a URL or only meant to be one: no login and no query.

    All that stands before the last ``@`` goes, because a password may hold what should end it.
    """
    scheme = _SCHEME.match(address)
    start = scheme[0] if scheme else ""
    return start + address[len(start) :].rpartition("@")[2].partition("?")[0]


def write_whole(path: Path, text: str) -> None:
    """
    Write *path* as a whole or not at all, readable by the owner only.

    Raises :exc:`OSError`.
    """
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    with new.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
