"""Certificates for servers and clients on the loopback."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple


class Pair(NamedTuple):
    """A certificate that vouches for itself, and its key; both PEM."""

    certificate: Path
    key: Path


def self_signed(directory: Path, name: str) -> Pair:
    """Make a certificate for 127.0.0.1."""
    directory.mkdir(parents=True, exist_ok=True)
    pair = Pair(directory / f"{name}.crt", directory / f"{name}.key")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"),
            *("-pkeyopt", "ec_paramgen_curve:P-256", "-subj", f"/CN={name}"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-out", pair.certificate, "-keyout", pair.key),
        ],
        check=True,
        capture_output=True,
    )
    return pair
