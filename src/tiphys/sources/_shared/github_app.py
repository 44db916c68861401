"""Exchanging the claim of a GitHub App for a token of an installation."""

from __future__ import annotations

import importlib.util

from tiphys.errors import MissingExtraError
from tiphys.sources._shared.rest import API, APIError


def require_cryptography() -> None:
    """Raises :exc:`MissingExtraError` when nothing can be signed."""
    try:
        found = importlib.util.find_spec("cryptography") is not None
    except ValueError:  # it is blocked
        found = False
    if not found:
        raise MissingExtraError("event source", "github", "cryptography")


async def installation_token(api: API, installation: int, claim: str) -> str:
    """
    A token that works for an hour.

    Raises :exc:`APIError`, also when GitHub does not accept the claim.
    """
    api.headers["Authorization"] = f"Bearer {claim}"
    answer = await api.call("POST", f"app/installations/{installation}/access_tokens")
    token = answer.data.get("token") if isinstance(answer.data, dict) else None
    if not isinstance(token, str):
        raise APIError("GitHub answers without a token for the installation")
    return token
