"""Message headers in the form in which the JetStream API gives them."""

from __future__ import annotations


def parse_headers(block: bytes) -> dict[str, str]:
    """Read a header block, ``NATS/1.0`` and lines of ``name: value``; an empty one has none."""
    headers = {}
    for line in block.split(b"\r\n")[1:]:
        name, colon, value = line.partition(b":")
        if colon:
            headers[name.decode(errors="replace").strip()] = value.decode(errors="replace").strip()
    return headers
