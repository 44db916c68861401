"""The bearer token of ``authSecret`` (spec: event sources 5.5)."""

from __future__ import annotations

import hmac

from tiphys.ingest._types import Refused, Request
from tiphys.ingest.guards._key import SecretReader, key_of
from tiphys.manifests.common import SecretRef

PREFIX = "Bearer "


class BearerGuard:
    """Demands the token; the Secret is read for every request, so it may be rotated."""

    def __init__(self, ref: SecretRef, secret: SecretReader) -> None:
        self._ref = ref
        self._secret = secret

    async def check(self, request: Request) -> None:
        """Refuse a request without the token."""
        expected = await key_of(self._ref, self._secret, "Error loading auth token")
        given = request.header("Authorization")
        if not given.startswith(PREFIX):
            raise Refused(401, "Invalid Authorization Header", reason="token")
        token = given.removeprefix(PREFIX)
        if not hmac.compare_digest(token.encode(), expected):
            raise Refused(401, "Invalid Auth token", reason="token")
