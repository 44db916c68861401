"""The github source for tests, and the deliveries that GitHub sends to it."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from tests.integration.sources._hooks import HookContract
from tests.integration.sources._providers import github as provider
from tests.integration.sources._providers._server import Provider
from tiphys.testing.push_sources import Sent

SECRET = "It's a Secret to Everybody"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
REF = {"name": "github", "key": "token"}
SECRET_REF = {"name": "github", "key": "secret"}
KEY_REF = {"name": "github", "key": "pem"}
DELIVERY = "72d3162e-cc78-11e3-81ab-4c9367dc0958"


def signature(body: bytes, algorithm: str = "sha256", secret: str = SECRET) -> str:
    digest = hmac.new(secret.encode(), body, getattr(hashlib, algorithm)).hexdigest()
    return f"{algorithm}={digest}"


def sent(body: bytes, event: str = "push", delivery: str = DELIVERY, **headers: str) -> Sent:
    """A delivery of content type JSON with its signature."""
    return Sent(
        body,
        {
            "Content-Type": JSON,
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": delivery,
            "X-Hub-Signature-256": signature(body),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        },
    )


class GitHubSource(HookContract):
    """A repository whose deliveries are signed."""

    key = "github"
    place = "repos/acme/app"
    private_key = ""

    def block(self) -> dict[str, Any]:
        return {
            "repositories": [{"owner": "acme", "names": ["app"]}],
            "events": ["push", "pull_request"],
            "webhookSecret": SECRET_REF,
        }

    def request(self, n: int) -> Sent:
        return sent(b'{"n": %d}' % n, delivery=f"{DELIVERY[:-3]}{n:03d}")

    def number(self, data: dict[str, Any]) -> int:
        return int(data["body"].get("n", -1))

    def secrets(self) -> dict[str, str]:
        return {
            "github/token": provider.TOKEN,
            "github/secret": SECRET,
            "github/empty": "",
            "github/pem": self.private_key,
        }

    def provider(self) -> provider.GitHub:
        return provider.GitHub()

    def managed(self, provider: Provider) -> dict[str, Any]:
        return {
            "apiToken": REF,
            "active": True,
            "contentType": "json",
            "githubBaseURL": provider.url,
            "githubUploadURL": provider.url,
        }

    def add_others(self, provider: Provider, count: int) -> None:
        assert isinstance(provider, type(self.provider()))
        for n in range(count):
            provider.add(self.place, ["push"], f"https://example.com/{n}")
