"""What logs in to a NATS server that trusts an operator, issued as the tools of NATS do."""

from __future__ import annotations

import base64
import os
from typing import Any

import nkeys
import orjson


def operator_login() -> tuple[str, str]:
    """Options of a server that trusts a new operator, and the credentials file of a user."""
    operator = _key(nkeys.PREFIX_BYTE_OPERATOR)
    account = _key(nkeys.PREFIX_BYTE_ACCOUNT)
    user = _key(nkeys.PREFIX_BYTE_USER)
    trust = _token(operator, operator, type="operator")
    limits = dict.fromkeys(("subs", "data", "payload", "conn", "imports", "exports"), -1)
    issued = _token(operator, account, type="account", limits=limits)
    login = _token(account, user, type="user", subs=-1, data=-1, payload=-1)
    options = (
        f"operator: {trust}\nresolver: MEMORY\n"
        f"resolver_preload: {{ {account.public_key.decode()}: {issued} }}"
    )
    credentials = (
        f"-----BEGIN NATS USER JWT-----\n{login}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed.decode()}\n------END USER NKEY SEED------\n"
    )
    return options, credentials


def _key(prefix: int) -> Any:
    return nkeys.from_seed(bytearray(nkeys.encode_seed(os.urandom(32), prefix)))


def _token(issuer: Any, subject: Any, **claims: Any) -> str:
    """A JWT."""
    body = {
        "jti": "id",
        "iat": 1,
        "iss": issuer.public_key.decode(),
        "sub": subject.public_key.decode(),
        "nats": {**claims, "version": 2},
    }
    head = {"typ": "JWT", "alg": "ed25519-nkey"}
    signed = b".".join(_plain_base64(orjson.dumps(part)) for part in (head, body))
    return (signed + b"." + _plain_base64(issuer.sign(signed))).decode()


def _plain_base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
