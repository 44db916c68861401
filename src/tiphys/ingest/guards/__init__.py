"""
What stands before an endpoint, one module a check.

A guard lets a request pass by returning, and refuses it by raising :exc:`tiphys.ingest.Refused`.
It sees the request as it came: the ``Authorization`` header is not masked yet.
"""

from __future__ import annotations

from typing import Protocol

from tiphys.aio import Clock
from tiphys.errors import ManifestError
from tiphys.ingest._types import Request
from tiphys.ingest.guards._key import SecretReader, key_of
from tiphys.ingest.guards.bearer import BearerGuard
from tiphys.ingest.guards.networks import NetworkGuard
from tiphys.ingest.guards.rate import RateGuard
from tiphys.ingest.guards.signature import AUTHORIZATION, SignatureGuard, covered_by
from tiphys.manifests.webhook import WebhookContext

__all__ = [
    "BearerGuard",
    "Guard",
    "NetworkGuard",
    "RateGuard",
    "SignatureGuard",
    "covered_by",
    "guards_of",
    "key_of",
]


class Guard(Protocol):
    """One check of a request."""

    async def check(self, request: Request) -> None:
        """Return, or raise :exc:`tiphys.ingest.Refused`."""
        ...


def guards_of(
    webhook: WebhookContext, secret: SecretReader, clock: Clock
) -> tuple[list[Guard], list[Guard]]:
    """
    The guards that a webhook context asks for: before the body is read, cheapest first, and after.

    Raises :exc:`tiphys.errors.ManifestError` for settings that make no sense.
    """
    before: list[Guard] = []
    after: list[Guard] = []
    if webhook.allowed_cidrs:
        before.append(NetworkGuard(webhook.allowed_cidrs))
    if webhook.rate_limit:
        before.append(RateGuard(webhook.rate_limit, clock))
    if webhook.auth_secret:
        before.append(BearerGuard(webhook.auth_secret, secret))
    if webhook.hmac:
        if webhook.auth_secret and webhook.hmac.header.title() == AUTHORIZATION:
            raise ManifestError(
                f"the header {AUTHORIZATION} has the token of `authSecret`", path="hmac.header"
            )
        after.append(SignatureGuard(webhook.hmac, secret, clock))
    return before, after
