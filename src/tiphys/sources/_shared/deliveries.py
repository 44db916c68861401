"""What the deliveries of providers have in common: their payload and their identity."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from tiphys.ingest import Refused, Request
from tiphys.sources._base import SourceContext
from tiphys.sources._shared.embedding import NotJSON, raw_json

_PLAIN = re.compile(r"[!-+\--~]{1,128}")  # what may stand in any header, and no comma


def raw_payload(request: Request, *, failure: bool = True) -> dict[str, Any]:
    """
    Headers and body, the body's text as it came.

    Raises :exc:`Refused` with status 400 for a body that is not one JSON value; *failure* says
    whether that counts as failed processing.
    """
    try:
        body = raw_json(request.body)
    except NotJSON:
        raise Refused(400, "invalid event", reason="body", failure=failure) from None
    return {"headers": request.headers, "body": body}


def event_id(ctx: SourceContext, *identity: str) -> str:
    """
    The id of an event with this identity upstream, unique among all events of all sources.

    What a sender may choose is replaced by its digest unless it is short and plain.
    """
    parts = [part if _PLAIN.fullmatch(part) else digest(part.encode()) for part in identity]
    return ":".join((ctx.event_source, ctx.event_name, *parts))


def digest(data: bytes) -> str:
    """A short text that other data do not have."""
    return hashlib.sha256(data).hexdigest()[:32]
