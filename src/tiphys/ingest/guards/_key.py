"""The secret that a guard compares with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tiphys.errors import SecretError
from tiphys.ingest._types import Refused
from tiphys.manifests.common import SecretRef

SecretReader = Callable[[SecretRef], Awaitable[str]]


async def key_of(
    ref: SecretRef, secret: SecretReader, message: str, *, failure: bool = True
) -> bytes:
    """
    The bytes of a Secret, read for every request, so that it may be rotated.

    Raises :exc:`Refused` with status 500 and *message* when it is missing, and when it is empty,
    because an empty key proves nothing; *failure* says whether that counts as failed processing.
    """
    try:
        value = await secret(ref)
    except SecretError as error:
        raise Refused(500, message, reason="secret", failure=failure, cause=str(error)) from None
    if not value:
        cause = f"{ref.name}/{ref.key} is empty, so anybody could send"
        raise Refused(500, message, reason="secret", failure=failure, cause=cause)
    return value.encode("utf-8", "surrogateescape")
