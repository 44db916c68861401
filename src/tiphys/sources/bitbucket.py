"""Bitbucket Cloud: deliveries of its hooks, registered if need be (spec: event sources 7.4)."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any

from pydantic import Field
from yarl import URL

from tiphys.errors import SecretError
from tiphys.ingest import Refused, Reply, Request
from tiphys.manifests.common import BasicAuth, Block, SecretRef, SourceConfig
from tiphys.manifests.webhook import WebhookContext
from tiphys.sources._base import Incoming, PushSource, SourceContext, source
from tiphys.sources._shared.deliveries import event_id, raw_payload
from tiphys.sources._shared.hooks import Hook, Hooks, hook_url, kept_hooks, same_events
from tiphys.sources._shared.rest import API, Answer, APIError, api, escaped, objects

PUBLIC_API = "https://api.bitbucket.org/2.0"
API_VARIABLE = "BITBUCKET_API_BASE_URL"
DESCRIPTION = "webhook managed by Argo-Events"  # people look for it in Bitbucket
HINTS = {
    401: "are the credentials right, and not expired?",
    403: "may they manage hooks? They need the scope webhook and admin rights",
    404: "is the name right, and may the credentials see it?",
}


class Auth(Block):
    """Credentials for the API."""

    basic: BasicAuth | None = Field(None, description="User and app password; wins.")
    oauth_token: SecretRef | None = Field(None, description="Token (OAuth or access token).")


class Repository(Block):
    """A repository."""

    owner: str = Field("", description="Workspace that owns it.")
    repository_slug: str = Field("", description="Its name in URLs.")


class Config(SourceConfig):
    """One endpoint, and the repositories that deliver to it."""

    webhook: WebhookContext = Field(description="Where the endpoint is and who may use it.")
    auth: Auth | None = Field(None, description="Credentials; without them no hooks are made.")
    repositories: list[Repository] = Field([], description="Repositories that get a hook.")
    events: list[str] = Field([], description="Events that hooks deliver, such as `repo:push`.")
    delete_hook_on_finish: bool = Field(False, description="Delete the hooks at the end.")
    owner: str = Field("", description="Deprecated: owner of the only repository.")
    repository_slug: str = Field("", description="Deprecated: name of the only repository.")
    project_key: str = Field("", description="Deprecated: without effect.")

    @property
    def all_repositories(self) -> list[Repository]:
        """Those of the list, or the only one."""
        if not self.repositories and self.owner and self.repository_slug:
            return [Repository(owner=self.owner, repository_slug=self.repository_slug)]
        return self.repositories

    @property
    def user(self) -> tuple[SecretRef, SecretRef] | None:
        """User and password, when both are there."""
        basic = self.auth.basic if self.auth else None
        if basic is None or basic.username is None or basic.password is None:
            return None
        return basic.username, basic.password

    def flaws(self) -> list[str]:
        """Hooks that are wanted and cannot be made."""
        problems = []
        if (half := self._half_login()) and self.webhook.url and not self.manages_hooks:
            problems.append(f"{half}, so no hooks are made")
        if self.manages_hooks and not all(
            each.owner and each.repository_slug for each in self.repositories
        ):
            problems.append("`repositories`: each needs `owner` and `repositorySlug`")
        return problems

    def doubts(self) -> list[str]:
        """Half a login, where nothing comes of it."""
        half = self._half_login()
        matters = self.webhook.url and not self.manages_hooks
        return [f"{half}, so `auth.basic` has no effect"] if half and not matters else []

    def _half_login(self) -> str:
        """Which part of user and password is missing, where there should be both."""
        if self.auth is None or self.auth.basic is None or self.user is not None:
            return ""
        part = "username" if self.auth.basic.username is None else "password"
        return f"`auth.basic.{part}` is missing"

    @property
    def manages_hooks(self) -> bool:
        """Whether hooks are registered."""
        token = self.auth.oauth_token if self.auth else None
        return bool(self.webhook.url) and (self.user is not None or token is not None)


@source("bitbucket", delivery="sender-driven", replicas="many")
class Bitbucket(PushSource[Config]):
    """Headers and body of a delivery are the payload."""

    inactive = b"inactive endpoint"

    @property
    def webhook(self) -> WebhookContext:
        """The context in the block."""
        return self.config.webhook

    def check(self) -> list[str]:
        """What Argo Events refuses."""
        problems = []
        if not self.config.all_repositories:
            problems.append("`repositories` is missing")
        if self.config.manages_hooks and not self.config.events:
            problems.append("`events` is missing, so the hooks would deliver nothing")
        return [*problems, *super().check()]

    def too_large(self, request: Request) -> Reply:
        """No failure, as nothing is that the sender did wrong.  Raises :exc:`Refused`."""
        raise Refused(400, "http: request body too large", reason="body", failure=False)

    async def receive(self, request: Request, ctx: SourceContext) -> Incoming:
        """Refuse what is no JSON."""
        uuid = request.header("X-Request-Uuid")
        return Incoming(raw_payload(request, failure=False), event_id(ctx, uuid) if uuid else None)

    def active(self, ctx: SourceContext) -> AbstractAsyncContextManager[object]:
        """Keep hooks where the manifest has what it takes."""
        config = self.config
        if not config.manages_hooks:
            return nullcontext()

        @asynccontextmanager
        async def connect() -> AsyncIterator[Hooks]:
            base = os.environ.get(API_VARIABLE) or PUBLIC_API
            async with api("Bitbucket", base, ctx.clock, hints=HINTS) as client:
                client.headers["Authorization"] = await _authorization(config, ctx)
                signature = config.webhook.hmac
                secret = await ctx.maybe_secret(signature.secret if signature else None)
                if secret == "":
                    raise SecretError("`hmac.secret` is empty, so nothing can be signed with it")
                yield BitbucketHooks(client, config, secret)

        return kept_hooks(ctx, connect, delete=config.delete_hook_on_finish)


class BitbucketHooks(Hooks):
    """Hooks of repositories; the address alone says which one is ours."""

    def __init__(self, client: API, config: Config, secret: str | None) -> None:
        self._api = client
        self._settings: dict[str, Any] = {
            "description": DESCRIPTION,
            "url": hook_url(config.webhook),
            "active": True,
            "events": config.events,
        }
        if secret is not None:
            self._settings["secret"] = secret
        self._repositories = config.all_repositories

    async def places(self) -> Sequence[str]:
        """The repositories."""
        return [
            f"repositories/{escaped(each.owner)}/{escaped(each.repository_slug)}"
            for each in self._repositories
        ]

    async def find(self, place: str) -> list[Hook]:
        """Hooks with our address."""
        found = []
        async for page in self._api.pages(f"{place}/hooks", "pagelen=100", _following):
            if not isinstance(page, dict):
                raise APIError("Bitbucket answers in another form; is the base URL right?")
            for hook in objects(page.get("values")):
                if hook.get("url") == self._settings["url"]:
                    age = (str(hook.get("created_at")), str(hook["uuid"]))
                    found.append(Hook(str(hook["uuid"]), age, stale=self._is_stale(hook)))
        return found

    async def create(self, place: str) -> str:
        """Make a hook as the manifest describes it."""
        answer = await self._api.call("POST", f"{place}/hooks", self._settings)
        return str(objects([answer.data])[0]["uuid"])

    async def update(self, place: str, hook: Hook) -> None:
        """Replace the settings of a hook."""
        await self._api.call("PUT", f"{place}/hooks/{escaped(hook.id)}", self._settings)

    async def delete(self, place: str, id: str) -> None:
        """Remove a hook."""
        await self._api.call("DELETE", f"{place}/hooks/{escaped(id)}")

    def _is_stale(self, hook: dict[str, Any]) -> bool:
        unsigned = "secret" in self._settings and hook.get("secret_set") is False
        same = hook.get("active") is True and same_events(
            self._settings["events"], hook.get("events")
        )
        return unsigned or not same


async def _authorization(config: Config, ctx: SourceContext) -> str:
    """The header that authorizes calls.  Raises :exc:`SecretError`."""
    if config.user is not None:
        user, password = config.user
        pair = f"{await ctx.secret(user)}:{await ctx.secret(password)}"
        return f"Basic {b64encode(pair.encode('utf-8', 'surrogateescape')).decode()}"
    assert config.auth is not None
    assert config.auth.oauth_token is not None
    return f"Bearer {await ctx.secret(config.auth.oauth_token)}"


def _following(answer: Answer) -> str | None:
    """The page that the member ``next`` leads to."""
    link = answer.data.get("next") if isinstance(answer.data, dict) else None
    return URL(link, encoded=True).raw_query_string if isinstance(link, str) else None
