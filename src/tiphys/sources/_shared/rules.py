"""What can be wrong with blocks that many sources share, a sentence each."""

from __future__ import annotations

from tiphys.manifests.common import TLS, BasicAuth


def tls_problems(tls: TLS | None) -> list[str]:
    """The combinations that Argo Events refuses (spec: event sources 4.3)."""
    if tls is None or tls.insecure_skip_verify:
        return []
    if (tls.client_cert_secret is None) != (tls.client_key_secret is None):
        return ["`tls`: `clientCertSecret` and `clientKeySecret` must come together"]
    if not (tls.enabled or tls.ca_cert_secret or tls.client_cert_secret):
        return ["`tls` says nothing; `enabled: true` trusts the roots of the system"]
    return []


def basic_auth_problems(auth: BasicAuth | None) -> list[str]:
    """A user without a password and the reverse (spec: event sources 4.2)."""
    if auth is None:
        return []
    parts = {"auth.username": auth.username, "auth.password": auth.password}
    return [f"`{path}` is missing" for path, secret in parts.items() if secret is None]


def missing(**options: object) -> list[str]:
    """The options that are empty, by the names that they have in the manifest."""
    return [f"`{name}` is missing" for name, value in options.items() if not value]
