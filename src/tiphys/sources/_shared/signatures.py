"""Signatures and tokens of providers: what a sender must know; compared in constant time."""

from __future__ import annotations

import hmac
from collections.abc import Collection

from tiphys.ingest import Refused
from tiphys.ingest.guards import key_of
from tiphys.manifests.common import SecretRef
from tiphys.sources._base import SourceContext


async def shared_secret(
    ctx: SourceContext, ref: SecretRef, message: str = "Error loading webhook secret"
) -> bytes:
    """
    What both sides know; read for every request, so that it may be rotated.

    Raises :exc:`Refused` with status 500 and *message* when it is missing or empty: a request that
    cannot be checked is not let in.
    """
    return await key_of(ref, ctx.secret, message, failure=False)


def check_signature(given: str, key: bytes, body: bytes, algorithms: Collection[str]) -> None:
    """
    Demand ``<algorithm>=<hexadecimal HMAC of the body>``.

    Raises :exc:`Refused` with status 400 for a signature that is missing, malformed or wrong, and
    for an algorithm that is not among *algorithms*.
    """
    if not given:
        raise _bad("missing signature")
    algorithm, separator, digits = given.partition("=")
    if not separator:
        raise _bad("the signature is not of the form <algorithm>=<digits>")
    if algorithm not in algorithms:
        raise _bad(f"the signature must be made with {' or '.join(sorted(algorithms))}")
    try:
        signature = bytes.fromhex(digits)
    except ValueError:
        raise _bad("the signature is not hexadecimal") from None
    if not hmac.compare_digest(signature, hmac.digest(key, body, algorithm)):
        raise _bad("payload signature check failed")


def check_token(given: str, expected: bytes) -> None:
    """Demand a token.  Raises :exc:`Refused` with status 400 for another one."""
    if not hmac.compare_digest(given.encode(), expected):
        raise Refused(400, "token mismatch", reason="token", failure=False)


def _bad(message: str) -> Refused:
    return Refused(400, message, reason="signature", failure=False)
