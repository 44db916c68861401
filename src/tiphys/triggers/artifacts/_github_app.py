"""A token for reading repositories as a GitHub App."""

from __future__ import annotations

import base64

import aiohttp
import orjson

from tiphys.aio import Clock
from tiphys.errors import MissingExtraError, TriggerError

API = "https://api.github.com"
LIFETIME = 540  # seconds that a claim is good for; GitHub allows ten minutes
SLACK = 60  # seconds that GitHub's clock may be behind ours
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
    """A JSON Web Token (RFC 7519), signed with RS256, which says that we are the app."""
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding, rsa
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ModuleNotFoundError as error:
        missing = MissingExtraError("artifact source", "git", "cryptography")
        raise TriggerError(str(missing), retryable=False) from error
    try:
        key = load_pem_private_key(private_key.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, rsa.RSAPrivateKey):
        message = "githubApp.privateKey is not an RSA key in PEM without a password"
        raise TriggerError(message, retryable=False)
    now = int(clock.now().timestamp())
    parts = (
        {"alg": "RS256", "typ": "JWT"},
        {"iat": now - SLACK, "exp": now + LIFETIME, "iss": str(app)},
    )
    unsigned = b".".join(_encoded(orjson.dumps(part)) for part in parts)
    signature = key.sign(unsigned, padding.PKCS1v15(), hashes.SHA256())
    return (unsigned + b"." + _encoded(signature)).decode()


def _encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
