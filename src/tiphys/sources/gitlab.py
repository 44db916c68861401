"""GitLab: deliveries of its hooks, which are registered if need be (spec: event sources 7.3)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any

from pydantic import Field

from tiphys.errors import SecretError
from tiphys.ingest import Request
from tiphys.ingest.headers import MASK
from tiphys.manifests.common import SecretRef, SourceConfig
from tiphys.manifests.webhook import WebhookContext
from tiphys.sources._base import Incoming, PushSource, SourceContext, source
from tiphys.sources._shared import signatures
from tiphys.sources._shared.deliveries import digest, event_id, raw_payload
from tiphys.sources._shared.hooks import Hook, Hooks, hook_url, kept_hooks
from tiphys.sources._shared.rest import API, api, escaped, linked, objects
from tiphys.sources._shared.rules import missing, url_problems

EVENTS = (
    "PushEvents",
    "TagPushEvents",
    "IssuesEvents",
    "ConfidentialIssuesEvents",
    "MergeRequestsEvents",
    "NoteEvents",
    "ConfidentialNoteEvents",
    "JobEvents",
    "PipelineEvents",
    "WikiPageEvents",
    "EmojiEvents",
)
PROJECT_EVENTS = (  # group hooks are made without them
    "DeploymentEvents",
    "FeatureFlagEvents",
    "MilestoneEvents",
    "ReleasesEvents",
    "ResourceAccessTokenEvents",
    "VulnerabilityEvents",
)
API_PATH = "api/v4"
TOKEN = "X-Gitlab-Token"
HINTS = {
    401: "is `accessToken` right, and not expired?",
    403: "may the token manage hooks? It needs the scope `api` and the role Maintainer",
    404: "is the name right, and may the token see it?",
}


class Config(SourceConfig):
    """One endpoint, and the projects and groups that deliver to it."""

    webhook: WebhookContext = Field(description="Where the endpoint is and who may use it.")
    projects: list[str] = Field(
        [], description="Projects that get a hook: numbers, or paths such as `group/project`."
    )
    groups: list[str] = Field([], description="Groups that get a hook (paid tiers of GitLab).")
    events: list[str] | None = Field(
        None, description="Events that hooks deliver, such as `PushEvents`."
    )
    access_token: SecretRef | None = Field(None, description="Token for the API.")
    secret_token: SecretRef | None = Field(
        None, description="Token that GitLab sends along; demanded of every delivery."
    )
    enable_ssl_verification: bool = Field(
        False,
        alias="enableSSLVerification",
        description="Let GitLab check the certificate of the endpoint.",
    )
    gitlab_base_url: str = Field(
        "", alias="gitlabBaseURL", description="The server, such as `https://gitlab.com`."
    )
    delete_hook_on_finish: bool = Field(False, description="Delete the hooks at the end.")
    project_id: str = Field("", alias="projectID", description="Deprecated: the only project.")

    @property
    def manages_hooks(self) -> bool:
        """Whether hooks are registered."""
        return bool(self.webhook.url and (self.groups or _projects(self)))

    def flaws(self) -> list[str]:
        """A server that cannot be asked."""
        return url_problems(gitlabBaseURL=self.gitlab_base_url) if self.manages_hooks else []

    def doubts(self) -> list[str]:
        """The same, where it need not be asked."""
        return [] if self.manages_hooks else url_problems(gitlabBaseURL=self.gitlab_base_url)


@source("gitlab", delivery="sender-driven", replicas="many")
class GitLab(PushSource[Config]):
    """Headers and body of a delivery are the payload."""

    inactive = b"inactive endpoint"

    @property
    def webhook(self) -> WebhookContext:
        """The context in the block."""
        return self.config.webhook

    def check(self) -> list[str]:
        """What Argo Events refuses, and events that there are not."""
        config = self.config
        problems = ["`events` is missing"] if config.events is None else []
        problems += missing(gitlabBaseURL=config.gitlab_base_url, accessToken=config.access_token)
        problems += [
            f"`events`: GitLab has no {event!r}; there are {', '.join((*EVENTS, *PROJECT_EVENTS))}"
            for event in config.events or []
            if event not in (*EVENTS, *PROJECT_EVENTS)
        ]
        return [*problems, *super().check()]

    def keys(self) -> Mapping[str, SecretRef | None]:
        """What proves a delivery."""
        return {"secretToken": self.config.secret_token}

    async def receive(self, request: Request, ctx: SourceContext) -> Incoming:
        """Check the token; refuse what is no JSON."""
        if self.config.secret_token:
            expected = await signatures.shared_secret(ctx, self.config.secret_token)
            signatures.check_token(request.header(TOKEN), expected)
        payload = raw_payload(request)
        if TOKEN in request.headers:  # it is a secret, and the event goes to many places
            payload["headers"] = {**request.headers, TOKEN: [MASK]}
        return Incoming(payload, _id(request, ctx))

    def active(self, ctx: SourceContext) -> AbstractAsyncContextManager[object]:
        """Keep hooks where the manifest has what it takes."""
        config = self.config
        if not config.manages_hooks:
            return nullcontext()

        @asynccontextmanager
        async def connect() -> AsyncIterator[Hooks]:
            assert config.access_token is not None  # see check()
            async with api("GitLab", _api_base(config), ctx.clock, hints=HINTS) as client:
                client.headers["PRIVATE-TOKEN"] = await ctx.secret(config.access_token)
                token = await ctx.maybe_secret(config.secret_token)
                if token == "":
                    raise SecretError("`secretToken` is empty, so nothing is proved by it")
                yield GitLabHooks(client, config, token)

        return kept_hooks(ctx, connect, delete=config.delete_hook_on_finish)


class GitLabHooks(Hooks):
    """Hooks of groups and projects; the address alone says which one is ours."""

    def __init__(self, client: API, config: Config, token: str | None) -> None:
        self._api = client
        self._config = config
        self._url = hook_url(config.webhook)
        self._token = token

    async def places(self) -> Sequence[str]:
        """Groups, then projects."""
        groups = [f"groups/{escaped(name)}" for name in self._config.groups]
        return groups + [f"projects/{escaped(name)}" for name in _projects(self._config)]

    async def find(self, place: str) -> list[Hook]:
        """Hooks with our address."""
        found = []
        async for page in self._api.pages(f"{place}/hooks", "per_page=100", linked):
            for hook in objects(page):
                if hook.get("url") == self._url:
                    found.append(Hook(str(hook["id"]), (hook["id"],), note=self._note(place, hook)))
        return found

    async def create(self, place: str) -> str:
        """Make a hook as the manifest describes it."""
        settings: dict[str, Any] = {
            "url": self._url,
            "enable_ssl_verification": self._config.enable_ssl_verification,
            **self._flags(place),
        }
        if self._token is not None:
            settings["token"] = self._token
        answer = await self._api.call("POST", f"{place}/hooks", settings)
        return str(objects([answer.data])[0]["id"])

    async def delete(self, place: str, id: str) -> None:
        """Remove a hook."""
        await self._api.call("DELETE", f"{place}/hooks/{id}")

    def _flags(self, place: str) -> dict[str, bool]:
        """Each event that has a flag at this place, and whether it is wanted."""
        events = self._config.events or []
        flags = {_flag(event): event in events for event in EVENTS}
        if place.startswith("projects/"):
            flags |= {_flag(event): True for event in events if event in PROJECT_EVENTS}
        return flags

    def _note(self, place: str, hook: dict[str, Any]) -> str:
        """A hook that is there is not changed, so somebody should know when it differs."""
        missing = [
            flag for flag, on in self._flags(place).items() if on and hook.get(flag) is False
        ]
        return f"This hook does not deliver {', '.join(missing)}" if missing else ""


def _id(request: Request, ctx: SourceContext) -> str | None:
    """
    The id of a delivery, the same when GitLab sends it again.

    GitLab gives several deliveries one event UUID: those that a single request to GitLab causes,
    and those that are caused by what a hook did.  The body tells them apart.
    """
    if key := request.header("Idempotency-Key"):
        return event_id(ctx, key)
    uuid = request.header("X-Gitlab-Event-Uuid")
    return event_id(ctx, uuid, digest(request.body)) if uuid else None


def _projects(config: Config) -> list[str]:
    return config.projects or [config.project_id][: bool(config.project_id)]


def _api_base(config: Config) -> str:
    base = config.gitlab_base_url.rstrip("/")
    return base if base.endswith(f"/{API_PATH}") else f"{base}/{API_PATH}"


def _flag(event: str) -> str:
    """``TagPushEvents`` → ``tag_push_events``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", event).lower()
