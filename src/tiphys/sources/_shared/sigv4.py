"""AWS Signature Version 4 for requests without a body."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote

EMPTY = hashlib.sha256(b"").hexdigest()
SIGNED = "host;x-amz-content-sha256;x-amz-date"


class Credentials(NamedTuple):
    """Who asks, and the region that the server is in."""

    access_key: str
    secret_key: str
    region: str


def query_of(parameters: Iterable[tuple[str, str]]) -> str:
    """The query in the one form that can be signed."""
    pairs = sorted((quote(name, safe="~"), quote(value, safe="~")) for name, value in parameters)
    return "&".join(f"{name}={value}" for name, value in pairs)


def signed_headers(
    who: Credentials, service: str, host: str, path: str, query: str, now: datetime
) -> dict[str, str]:
    """
    The headers of a signed GET.

    *host* is the value of the header ``Host``, *path* is escaped, *query* from :func:`query_of`.
    """
    moment = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{moment[:8]}/{who.region}/{service}/aws4_request"
    headers = {"host": host, "x-amz-content-sha256": EMPTY, "x-amz-date": moment}
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    request = "\n".join(("GET", path, query, lines, SIGNED, EMPTY))
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}"
    key = f"AWS4{who.secret_key}".encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    return {
        **headers,
        "authorization": f"AWS4-HMAC-SHA256 Credential={who.access_key}/{scope}, "
        f"SignedHeaders={SIGNED}, Signature={_hmac(key, text).hex()}",
    }


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
