"""Request headers as Go's server presents them to a handler (spec: event sources 5.7)."""

from __future__ import annotations

from collections.abc import Iterable

MASK = "*** Masked Auth Secret ***"
ABSENT = frozenset((b"host", b"transfer-encoding", b"trailer"))  # not among a Go request's headers
KNOWN = 1024  # names remembered; senders choose names, so the memory must be bounded
_names: dict[bytes, str] = {}


def canonical_name(name: bytes) -> str:
    """``x-gitHub-event`` → ``X-Github-Event``."""
    known = _names.get(name)
    if known is None:
        text = name.decode("latin-1")
        known = "-".join(part[:1].upper() + part[1:].lower() for part in text.split("-"))
        if len(_names) < KNOWN:
            _names[name] = known
    return known


def request_headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, list[str]]:
    """The headers by canonical name, each with its values in order of arrival."""
    headers: dict[str, list[str]] = {}
    for name, value in raw:
        if name in ABSENT:
            continue
        canonical = _names.get(name) or canonical_name(name)
        text = value.decode("utf-8", "replace")
        values = headers.get(canonical)
        if values is None:
            headers[canonical] = [text]
        else:
            values.append(text)
    return headers


def mask_authorization(headers: dict[str, list[str]]) -> None:
    """Replace what authorizes the sender, so that it does not travel in the event."""
    if "Authorization" in headers:
        headers["Authorization"] = [MASK]
