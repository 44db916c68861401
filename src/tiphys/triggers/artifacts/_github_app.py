"""A token for reading repositories as a GitHub App."""

from __future__ import annotations

import aiohttp
import orjson

from tiphys.aio import Clock
from tiphys.errors import MissingExtraError, SecretError, TriggerError
from tiphys.github_app import signed_claim

API = "https://api.github.com"
TIMEOUT = aiohttp.ClientTimeout(total=30)


async def installation_token(app: int, installation: int, private_key: str, clock: Clock) -> str:
    """A token that works for an hour.  Raises :exc:`TriggerError`."""
    claim = _claim(app, private_key, clock)
    address = f"{API}/app/installations/{installation}/access_tokens"
    headers = {"Authorization": f"Bearer {claim}", "Accept": "application/vnd.github+json"}
    try:
        async with (
            aiohttp.ClientSession(timeout=TIMEOUT, trust_env=True) as session,
            session.post(address, headers=headers) as answer,
        ):
            text = await answer.text()
            if answer.status != 201:
                message = f"GitHub gives no token: status {answer.status}: {text[:200]}"
                raise TriggerError(message, retryable=answer.status >= 500)
            return str(orjson.loads(text)["token"])
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise TriggerError(f"no answer from {API}: {error or type(error).__name__}") from error
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise TriggerError("GitHub answers without a token for the installation") from error


def _claim(app: int, private_key: str, clock: Clock) -> str:
    try:
        return signed_claim(app, private_key, clock)
    except ModuleNotFoundError as error:
        missing = MissingExtraError("artifact source", "git", "cryptography")
        raise TriggerError(str(missing), retryable=False) from error
    except SecretError as error:
        raise TriggerError(str(error), retryable=False) from error
