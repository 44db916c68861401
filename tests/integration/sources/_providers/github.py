"""GitHub's REST API for hooks and app installations, version 2022-11-28."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import uuid
from typing import Any

import aiohttp
from aiohttp import web
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.integration.sources._providers._server import (
    CALL,
    Call,
    Provider,
    answer,
    links,
    page_of,
)

DOCS = "https://docs.github.com/rest"
TOKEN = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
INSTALLATION_TOKEN = "ghs_16C7e42F292c6912E7710c838347Ae178B4a"
APP, INSTALLATION = 4711, 815
BAD_CREDENTIALS = {"message": "Bad credentials", "documentation_url": DOCS, "status": "401"}
NOT_FOUND = {"message": "Not Found", "documentation_url": DOCS, "status": "404"}
RATE_LIMITED = {
    "message": "API rate limit exceeded for user ID 1.",
    "documentation_url": f"{DOCS}/overview/rate-limits-for-the-rest-api",
}


def invalid(message: str) -> web.Response:
    errors = [{"resource": "Hook", "code": "custom", "message": message}]
    body = {"message": "Validation Failed", "errors": errors, "documentation_url": DOCS}
    return answer(422, body)


class GitHub(Provider):
    """``acme`` has the repositories ``app`` and ``lib``; a new hook gets a ping."""

    def __init__(self) -> None:
        super().__init__()
        for place in ("orgs/acme", "repos/acme/app", "repos/acme/lib"):
            self.hooks[place] = []
        self.secrets: dict[int, str] = {}
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.claims: list[dict[str, Any]] = []

    @property
    def private_key(self) -> str:
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
        return self.key.private_bytes(encoding, form, serialization.NoEncryption()).decode()

    def routes(self, router: web.UrlDispatcher) -> None:
        for place in (r"/{place:repos/[^/]+/[^/]+}/hooks", r"/{place:orgs/[^/]+}/hooks"):
            router.add_get(place, self._list)
            router.add_post(place, self._create)
            router.add_delete(place + r"/{id:\d+}", self._delete)
        router.add_post(r"/app/installations/{id:\d+}/access_tokens", self._installation_token)
        router.add_route("*", "/{tail:.*}", self._not_found)

    def refusal(self, call: Call) -> web.Response | None:
        kind, _, value = call.headers.get("Authorization", "").partition(" ")
        if "User-Agent" not in call.headers:
            return answer(403, "Request forbidden by administrative rules.")
        if call.path.startswith("/app/"):
            claims = self._verified(value) if kind == "Bearer" else None
            return None if claims else answer(401, BAD_CREDENTIALS)
        allowed = kind in ("token", "Bearer") and value in (TOKEN, INSTALLATION_TOKEN)
        return None if allowed else answer(401, BAD_CREDENTIALS)

    def add(self, place: str, events: list[str], url: str, **settings: Any) -> dict[str, Any]:
        """A hook that is there already."""
        id = self.next_id()
        hook = {
            "type": "Organization" if place.startswith("orgs/") else "Repository",
            "id": id,
            "name": "web",
            "active": True,
            "events": events,
            "config": {"url": url, "content_type": "form", "insecure_ssl": "0"},
            "updated_at": "2019-06-03T00:57:16Z",
            "created_at": "2019-06-03T00:57:16Z",
            "url": f"{self.url}/{place}/hooks/{id}",
            **settings,
        }
        self.hooks[place].append(hook)
        return hook

    def address(self, hook: dict[str, Any]) -> str:
        return str(hook["config"]["url"])

    async def deliver(self, hook: dict[str, Any], event: str, body: bytes) -> int:
        """Post a delivery as GitHub does; returns the status of the answer."""
        headers = {
            "Accept": "*/*",
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/044aadd",
            "X-GitHub-Delivery": str(uuid.uuid4()),
            "X-GitHub-Event": event,
            "X-GitHub-Hook-ID": str(hook["id"]),
        }
        if secret := self.secrets.get(hook["id"]):
            for algorithm, header in (("sha1", ""), ("sha256", "-256")):
                digest = hmac.new(secret.encode(), body, getattr(hashlib, algorithm)).hexdigest()
                headers[f"X-Hub-Signature{header}"] = f"{algorithm}={digest}"
        async with (
            aiohttp.ClientSession() as session,
            session.post(hook["config"]["url"], data=body, headers=headers) as response,
        ):
            return response.status

    async def _list(self, request: web.Request) -> web.Response:
        hooks = self.hooks.get(request.match_info["place"])
        if hooks is None:
            return answer(404, NOT_FOUND)
        page, last = page_of(hooks, request, "per_page", 100)
        return answer(200, page, links(request, last))

    async def _create(self, request: web.Request) -> web.Response:
        place, body = request.match_info["place"], request[CALL].body
        if place not in self.hooks:
            return answer(404, NOT_FOUND)
        config, events = body.get("config", {}), body.get("events", ["push"])
        if body.get("name") != "web" or not config.get("url"):
            return invalid("name must be web and url is required")
        for hook in self.hooks[place]:
            overlap = set(hook["events"]) & set(events) or "*" in (*hook["events"], *events)
            if hook["config"]["url"] == config["url"] and overlap:
                return invalid("Hook already exists on this repository")
        shown = {**config, **({"secret": "********"} if "secret" in config else {})}
        settings = {"content_type": "form", "insecure_ssl": "0", **shown}
        active = body.get("active", True)
        hook = self.add(place, events, config["url"], active=active, config=settings)
        if "secret" in config:
            self.secrets[hook["id"]] = config["secret"]
        ping = {"zen": "Keep it logically awesome.", "hook_id": hook["id"], "hook": hook}
        delivery = self.deliver(hook, "ping", json.dumps(ping).encode())
        self.deliveries.append(asyncio.create_task(delivery))
        return answer(201, hook)

    async def _delete(self, request: web.Request) -> web.Response:
        hooks = self.hooks.get(request.match_info["place"], [])
        for hook in hooks:
            if str(hook["id"]) == request.match_info["id"]:
                hooks.remove(hook)
                return answer(204)
        return answer(404, NOT_FOUND)

    async def _installation_token(self, request: web.Request) -> web.Response:
        if request.match_info["id"] != str(INSTALLATION):
            return answer(404, NOT_FOUND)
        body = {"token": INSTALLATION_TOKEN, "expires_at": "2036-07-11T22:14:10Z"}
        return answer(201, body)

    async def _not_found(self, _: web.Request) -> web.Response:
        return answer(404, NOT_FOUND)

    def _verified(self, token: str) -> dict[str, Any] | None:
        """The claims of a JSON Web Token that the app's key has signed."""
        head, claims, signature = token.split(".")
        if json.loads(_decoded(head)) != {"alg": "RS256", "typ": "JWT"}:
            return None
        signed = f"{head}.{claims}".encode()
        public_key = self.key.public_key()
        public_key.verify(_decoded(signature), signed, padding.PKCS1v15(), hashes.SHA256())
        known: dict[str, Any] = json.loads(_decoded(claims))
        self.claims.append(known)
        return known if known["iss"] == str(APP) and known["exp"] - known["iat"] <= 600 else None


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
