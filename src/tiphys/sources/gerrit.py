"""Gerrit: what its webhooks plugin sends, registered if need be (spec: event sources 7.6)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any

import orjson
from pydantic import Field

from tiphys.errors import SecretError
from tiphys.ingest import Request
from tiphys.manifests.common import BasicAuth, SourceConfig
from tiphys.manifests.webhook import WebhookContext
from tiphys.sources._base import Incoming, PushSource, SourceContext, source
from tiphys.sources._shared.deliveries import digest, event_id, raw_payload
from tiphys.sources._shared.hooks import Hook, Hooks, hook_url, kept_hooks, same_events
from tiphys.sources._shared.rest import API, APIError, api, escaped
from tiphys.sources._shared.rules import basic_auth_problems, missing, url_problems

HINTS = {
    401: "is the user's HTTP password right?",
    403: "may the user change the project's configuration?",
    404: "is the webhooks plugin installed, and may the user see the project?",
}


class Config(SourceConfig):
    """One endpoint, and the projects that deliver to it."""

    webhook: WebhookContext = Field(description="Where the endpoint is and who may use it.")
    hook_name: str = Field("", description="Name of the remote in the webhooks plugin.")
    projects: list[str] = Field([], description="Projects that get a remote.")
    events: list[str] | None = Field(
        None, description="Events that are delivered, such as `patchset-created`; empty: all."
    )
    auth: BasicAuth | None = Field(None, description="User and HTTP password for the API.")
    gerrit_base_url: str = Field("", alias="gerritBaseURL", description="The server's URL.")
    ssl_verify: bool = Field(False, description="Let Gerrit check the certificate of the endpoint.")
    max_tries: int = Field(0, description="How often Gerrit tries; 0: as the plugin is set up.")
    delete_hook_on_finish: bool = Field(False, description="Delete the remotes at the end.")

    def flaws(self) -> list[str]:
        """A server that cannot be asked, and half a login."""
        return self._api_problems() if self.webhook.url else []

    def doubts(self) -> list[str]:
        """The same, where the server need not be asked."""
        return [] if self.webhook.url else self._api_problems()

    def _api_problems(self) -> list[str]:
        return [
            *url_problems(gerritBaseURL=self.gerrit_base_url),
            *basic_auth_problems(self.auth),
        ]


@source("gerrit", delivery="sender-driven", replicas="many")
class Gerrit(PushSource[Config]):
    """Headers and body of a delivery are the payload."""

    inactive = b"inactive endpoint"

    @property
    def webhook(self) -> WebhookContext:
        """The context in the block."""
        return self.config.webhook

    def check(self) -> list[str]:
        """What Argo Events refuses, and a remote that must be made and has no name."""
        config = self.config
        problems = missing(
            projects=config.projects, gerritBaseURL=config.gerrit_base_url, auth=config.auth
        )
        if config.events is None:
            problems.append("`events` is missing")
        if config.webhook.url:
            problems += missing(hookName=config.hook_name)
        return [*problems, *super().check()]

    async def receive(self, request: Request, ctx: SourceContext) -> Incoming:
        """Refuse what is no JSON."""
        return Incoming(raw_payload(request), _id(request, ctx))

    def active(self, ctx: SourceContext) -> AbstractAsyncContextManager[object]:
        """Keep remotes where the manifest says how the endpoint is reached."""
        config = self.config
        if not config.webhook.url:
            return nullcontext()

        @asynccontextmanager
        async def connect() -> AsyncIterator[Hooks]:
            base = config.gerrit_base_url.rstrip("/") + "/a"
            async with api("Gerrit", base, ctx.clock, hints=HINTS) as client:
                client.headers["Authorization"] = await _authorization(config, ctx)
                yield GerritHooks(client, config)

        return kept_hooks(ctx, connect, delete=config.delete_hook_on_finish)


class GerritHooks(Hooks):
    """Remotes of projects; the name says which one is ours."""

    def __init__(self, client: API, config: Config) -> None:
        self._api = client
        self._name = config.hook_name
        self._projects = config.projects
        settings = {
            "url": hook_url(config.webhook),
            "events": config.events,
            "maxTries": config.max_tries,
            "sslVerify": config.ssl_verify,
        }
        self._settings: dict[str, Any] = {key: value for key, value in settings.items() if value}

    async def places(self) -> Sequence[str]:
        """The projects, as the plugin calls them."""
        return [f"config/server/webhooks~projects/{escaped(name)}" for name in self._projects]

    async def find(self, place: str) -> list[Hook]:
        """The remote of our name."""
        remotes = (await self._api.call("GET", f"{place}/remotes/")).data or {}
        if not isinstance(remotes, dict):
            raise APIError("Gerrit answers in another form; is the base URL right?")
        remote = remotes.get(self._name)
        if remote is None:
            return []
        return [Hook(self._name, stale=not self._is_current(remote))]

    async def create(self, place: str) -> str:
        """Make the remote, or write over it."""
        await self._api.call("PUT", self._path(place), self._settings)
        return self._name

    async def update(self, place: str, hook: Hook) -> None:
        """Write over the remote."""
        await self.create(place)

    async def delete(self, place: str, id: str) -> None:
        """Remove the remote."""
        await self._api.call("DELETE", self._path(place))

    def _path(self, place: str) -> str:
        return f"{place}/remotes/{escaped(self._name)}/"

    def _is_current(self, remote: dict[str, Any]) -> bool:
        if not same_events(self._settings.get("events", []), remote.get("events") or []):
            return False
        return all(
            remote.get(key) == value for key, value in self._settings.items() if key != "events"
        )


async def _authorization(config: Config, ctx: SourceContext) -> str:
    """The header that authorizes calls.  Raises :exc:`SecretError`."""
    auth = config.auth
    if auth is None or auth.username is None or auth.password is None:
        raise SecretError("`auth` must have `username` and `password`")
    pair = f"{await ctx.secret(auth.username)}:{await ctx.secret(auth.password)}"
    return f"Basic {b64encode(pair.encode('utf-8', 'surrogateescape')).decode()}"


def _id(request: Request, ctx: SourceContext) -> str:
    """Gerrit names no delivery: the same body is the same event."""
    try:
        event = orjson.loads(request.body)
    except orjson.JSONDecodeError:
        event = None
    created = event.get("eventCreatedOn") if isinstance(event, dict) else None
    moment = [str(created)] if isinstance(created, int) else []
    return event_id(ctx, *moment, digest(request.body))
