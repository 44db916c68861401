"""What can be wrong with blocks that many sources share, a sentence each."""

from __future__ import annotations

from yarl import URL

from tiphys.manifests.common import TLS, BasicAuth
from tiphys.system import without_login


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


def url_problems(**options: str) -> list[str]:
    """The options that are there and are no URL of a server, by their names in the manifest."""
    return [
        f"`{name}` must be a URL with its scheme, such as https://example.com, not "
        f"{without_login(value)!r}"
        for name, value in options.items()
        if value and not is_url(value)
    ]


def is_url(text: str) -> bool:
    """Whether requests can be sent there."""
    try:
        url = URL(text, encoded=True)
        return url.scheme in ("http", "https") and bool(url.host) and url.port is not None
    except ValueError:
        return False


def is_address(text: str) -> bool:
    """Whether it is a host, with or without a port."""
    try:
        url = URL(f"http://{text}/", encoded=True)
        plain = url.path == "/" and not (url.user or url.query_string or url.fragment)
        return plain and bool(url.host) and not set(text) & set(" /?#@") and url.port != 0
    except ValueError:
        return False
