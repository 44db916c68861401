"""Acting as a GitHub App: the signed claim that GitHub exchanges for a token of an installation."""

from __future__ import annotations

import base64

import orjson

from tiphys.aio import Clock
from tiphys.errors import SecretError

LIFETIME = 540  # seconds that a claim is good for; GitHub allows ten minutes
SLACK = 60  # seconds that GitHub's clock may be behind ours


def signed_claim(app: int, private_key: str, clock: Clock) -> str:
    """
    A JSON Web Token (RFC 7519) signed with RS256, which says that we are the app.

    Raises :exc:`SecretError` for a key that is none, and :exc:`ModuleNotFoundError` without the
    module ``cryptography``.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(private_key.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise SecretError("`githubApp.privateKey` is not an RSA key in PEM without a password")
    now = int(clock.now().timestamp())
    claims = {"iat": now - SLACK, "exp": now + LIFETIME, "iss": str(app)}
    unsigned = b".".join(
        _encoded(orjson.dumps(p)) for p in ({"alg": "RS256", "typ": "JWT"}, claims)
    )
    signature = key.sign(unsigned, padding.PKCS1v15(), hashes.SHA256())
    return (unsigned + b"." + _encoded(signature)).decode()


def _encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
