"""
Names on the wire: subjects, durables, buckets (spec: control plane 8.2, 24).

What is legal on NATS goes out unchanged, so that either side understands the other.  A character
that NATS does not allow, on which Argo Events fails, becomes ``=XX`` (``_XX`` in names of buckets)
for each of its UTF-8 bytes.  An escape sign that would read as an escape is escaped itself, hence
no two names ever meet.
"""

from __future__ import annotations

import functools
import re

from tiphys.errors import ManifestError

EVENTS = "default"
"""The stream of events, and the first token of their subjects."""

_TOKEN = re.compile(r"[\x00-\x20.*>\x7f\s]|=(?=[0-9A-F]{2})")
_KEY = re.compile(r"[^-/_=.a-zA-Z0-9]|=(?=[0-9A-F]{2})|^\.|\.(?=\.|$)")
_BUCKET = re.compile(r"[^-_a-zA-Z0-9]|_(?=[0-9A-F]{2})")
_LONGEST_BUCKET = 250  # a stream's name is a directory's, and "KV_" comes before it


def token(name: str) -> str:
    """*name* as one token of a subject.  Raises :exc:`ManifestError` when it is empty."""
    if not name:
        raise ManifestError("a name that travels on the bus must not be empty")
    return _escape(_TOKEN, "=", name)


def subject(dotted: str) -> str:
    """A dotted subject, or a filter with ``*`` and ``>``, whose tokens are all legal."""
    return ".".join(part if part in ("*", ">") else token(part) for part in dotted.split("."))


@functools.lru_cache(maxsize=4096)
def event_subject(event_source: str, event_name: str) -> str:
    """Where the events of one source and name go."""
    return f"{EVENTS}.{token(event_source)}.{token(event_name)}"


def key(name: str) -> str:
    """*name* as the key of a bucket.  Raises :exc:`ManifestError` when it is empty."""
    if not name:
        raise ManifestError("the key of a value on the bus must not be empty")
    return _escape(_KEY, "=", name)


def bucket(name: str) -> str:
    """
    *name* as the name of a bucket or journal.

    Raises :exc:`ManifestError` when it is empty or too long.
    """
    escaped = _escape(_BUCKET, "_", name)
    if not 0 < len(escaped) <= _LONGEST_BUCKET:
        raise ManifestError(f"the name {name!r} is empty or too long for a bucket on the bus")
    return escaped


def unescape(escaped: str, sign: str = "=") -> str:
    """The name that became *escaped*."""
    return re.sub(
        rf"(?:{sign}[0-9A-F]{{2}})+",
        lambda found: bytes.fromhex(found[0].replace(sign, "")).decode(errors="replace"),
        escaped,
    )


def durable(sensor: str, trigger: str, dependency: str) -> str:
    """The name of the consumer that keeps a trigger's position in a dependency's events."""
    return f"group-{fnv1a(f'{sensor}-{trigger}-{dependency}'.encode())}"


def fnv1a(data: bytes) -> int:
    """The 32-bit FNV-1a hash."""
    value = 2166136261
    for byte in data:
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return value


def _escape(pattern: re.Pattern[str], sign: str, name: str) -> str:
    return pattern.sub(
        lambda found: "".join(f"{sign}{byte:02X}" for byte in found[0].encode()), name
    )
