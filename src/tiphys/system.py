"""Small questions about the machine that several parts ask: hosts and files."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path


def is_loopback(host: str) -> bool:
    """Whether *host*, a name or an address, is only of this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


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
