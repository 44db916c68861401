"""The bearer token of ``authSecret`` (spec: event sources 5.5)."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable

from tiphys.errors import SecretError
from tiphys.ingest._types import Refused, Request
from tiphys.manifests.common import SecretRef

PREFIX = "Bearer "


class BearerGuard:
    """Demands the token; the Secret is read for every request, so it may be rotated."""

    def __init__(self, ref: SecretRef, secret: Callable[[SecretRef], Awaitable[str]]) -> None:
        self._ref = ref
        self._secret = secret

    async def check(self, request: Request) -> None:
        """Refuse a request without the token."""
        try:
            expected = await self._secret(self._ref)
        except SecretError as error:
            raise Refused(
                500, "Error loading auth token", reason="secret", cause=str(error)
            ) from None
        given = request.header("Authorization")
        if not given.startswith(PREFIX):
            raise Refused(401, "Invalid Authorization Header", reason="token")
        token = given.removeprefix(PREFIX)
        if not hmac.compare_digest(token.encode(), expected.encode()):
            raise Refused(401, "Invalid Auth token", reason="token")
