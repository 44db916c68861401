"""Bitbucket Server and Data Center: deliveries of its hooks (spec: event sources 7.5)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Annotated, Any

import orjson
import structlog
from pydantic import Field, ValidationError

from tiphys.errors import SecretError, TiphysError
from tiphys.ingest import Refused, Request
from tiphys.manifests.common import TLS, Block, Duration, SecretRef, SourceConfig, go_default
from tiphys.manifests.webhook import WebhookContext
from tiphys.sources._base import Incoming, PushSource, SourceContext, source
from tiphys.sources._shared import signatures
from tiphys.sources._shared.deliveries import event_id, raw_payload
from tiphys.sources._shared.hooks import Hook, Hooks, hook_url, kept_hooks, same_events
from tiphys.sources._shared.refs_changed import Change, RefsChanged
from tiphys.sources._shared.rest import API, Answer, APIError, api, escaped, objects
from tiphys.sources._shared.rules import missing, tls_problems, url_problems

REFS_CHANGED = "repo:refs_changed"
REST = "api/1.0"
PAGE = "limit=500&start="
NAME = "Argo Events"  # of the hooks; people look for it in Bitbucket
HINTS = {
    401: "is `accessToken` right, and not expired?",
    403: "may the token administer the repository?",
    404: "is the name right, and does `bitbucketserverBaseURL` end with /rest?",
}
log = structlog.get_logger("argo-events.eventsource")


class Repository(Block):
    """A repository."""

    project_key: str = Field("", description="Key of its project.")
    repository_slug: str = Field("", description="Its name in URLs.")


class Config(SourceConfig):
    """One endpoint, and the repositories that deliver to it."""

    webhook: WebhookContext = Field(description="Where the endpoint is and who may use it.")
    bitbucketserver_base_url: str = Field(
        "", alias="bitbucketserverBaseURL", description="The API, such as `https://host/rest`."
    )
    repositories: list[Repository] = Field([], description="Repositories that get a hook.")
    projects: list[str] = Field([], description="Projects whose repositories all get a hook.")
    events: list[str] = Field(
        [], description="Events that hooks deliver, such as `repo:refs_changed`."
    )
    access_token: SecretRef | None = Field(None, description="Token for the API.")
    webhook_secret: SecretRef | None = Field(
        None, description="Key that deliveries are signed with; demanded of every delivery."
    )
    skip_branch_refs_changed_on_open_pr: bool = Field(
        False,
        alias="skipBranchRefsChangedOnOpenPR",
        description="Drop changes of branches that an open pull request is about.",
    )
    one_event_per_change: bool = Field(False, description="An event for each ref of a push.")
    check_interval: Annotated[Duration, go_default(60.0)] = Field(
        60.0, description="How often the hooks are looked at; the default is `1m`."
    )
    tls: TLS | None = Field(None, description="TLS to the API.")
    delete_hook_on_finish: bool = Field(False, description="Delete the hooks at the end.")
    project_key: str = Field("", description="Deprecated: project of the only repository.")
    repository_slug: str = Field("", description="Deprecated: name of the only repository.")

    @property
    def all_repositories(self) -> list[Repository]:
        """Those of the list, or the only one."""
        if not self.repositories and self.project_key and self.repository_slug:
            return [Repository(project_key=self.project_key, repository_slug=self.repository_slug)]
        return self.repositories

    @property
    def manages_hooks(self) -> bool:
        """Whether hooks are registered."""
        somewhere = self.all_repositories or self.projects
        return bool(self.webhook.url and self.access_token and somewhere)

    @property
    def asks_the_server(self) -> bool:
        """Whether the API is needed."""
        return self.manages_hooks or self.skip_branch_refs_changed_on_open_pr

    def flaws(self) -> list[str]:
        """A server that cannot be asked, and repositories that cannot be."""
        problems = self._place_problems() if self.asks_the_server else []
        if self.manages_hooks and not all(
            each.project_key and each.repository_slug for each in self.repositories
        ):
            problems.append("`repositories`: each needs `projectKey` and `repositorySlug`")
        return problems

    def doubts(self) -> list[str]:
        """The same, where it need not be asked; half a client certificate, which is not used."""
        problems = [] if self.asks_the_server else self._place_problems()
        if self.tls and (self.tls.enabled or not self.asks_the_server):
            problems += tls_problems(self.tls)
        return problems

    def _place_problems(self) -> list[str]:
        return url_problems(bitbucketserverBaseURL=self.bitbucketserver_base_url)


@source("bitbucketserver", delivery="sender-driven", replicas="many")
class BitbucketServer(PushSource[Config]):
    """Headers and body of a delivery are the payload; a push may be split by refs."""

    inactive = b"inactive endpoint"

    @property
    def webhook(self) -> WebhookContext:
        """The context in the block."""
        return self.config.webhook

    def check(self) -> list[str]:
        """What Argo Events refuses, and a filter that lacks what it works with."""
        config = self.config
        problems = missing(bitbucketserverBaseURL=config.bitbucketserver_base_url)
        if config.manages_hooks and not config.events:
            problems.append("`events` is missing, so the hooks would deliver nothing")
        if config.skip_branch_refs_changed_on_open_pr and config.access_token is None:
            problems.append("`skipBranchRefsChangedOnOpenPR` needs `accessToken`")
        if config.check_interval <= 0:
            problems.append("`checkInterval` must be positive")
        if config.asks_the_server and not (config.tls and config.tls.enabled):
            problems += tls_problems(config.tls)
        return [*problems, *super().check()]

    def keys(self) -> Mapping[str, SecretRef | None]:
        """What proves a delivery."""
        return {"webhookSecret": self.config.webhook_secret}

    async def receive(self, request: Request, ctx: SourceContext) -> list[Incoming]:
        """Check the signature; take a push apart where the manifest wants that."""
        config = self.config
        if config.webhook_secret:
            key = await signatures.shared_secret(ctx, config.webhook_secret)
            given = request.header("X-Hub-Signature")
            signatures.check_signature(given, key, request.body, ("sha256",))
        payload = raw_payload(request)
        id = request.header("X-Request-Id")
        whole = Incoming(payload, event_id(ctx, id) if id else None)
        if request.header("X-Event-Key") != REFS_CHANGED:
            return [whole]
        push = _push(payload["body"])
        changes = list(enumerate(push.changes or []))
        if config.skip_branch_refs_changed_on_open_pr and changes:
            changes = await self._without_open_pull_requests(push, changes, ctx)
            if not changes:
                return []
        if not config.one_event_per_change:
            return [whole]
        return [
            Incoming(
                {"headers": request.headers, "body": push.only(change)},
                event_id(ctx, id, str(number)) if id else None,
            )
            for number, change in changes
        ]

    def active(self, ctx: SourceContext) -> AbstractAsyncContextManager[object]:
        """Keep hooks where the manifest has what it takes."""
        config = self.config
        if not config.manages_hooks:
            return nullcontext()

        @asynccontextmanager
        async def connect() -> AsyncIterator[Hooks]:
            async with _client(config, ctx) as client:
                secret = await ctx.maybe_secret(config.webhook_secret)
                if secret == "":
                    raise SecretError("`webhookSecret` is empty, so nothing can be signed with it")
                yield BitbucketServerHooks(client, config, secret)

        return kept_hooks(
            ctx, connect, every=config.check_interval, delete=config.delete_hook_on_finish
        )

    async def _without_open_pull_requests(
        self, push: RefsChanged, changes: Sequence[tuple[int, Change]], ctx: SourceContext
    ) -> list[tuple[int, Change]]:
        """The changes that no open pull request is about.  Raises :exc:`Refused`."""
        repository = push.repository
        base = f"{REST}/projects/{escaped(repository.project.key)}/repos/{escaped(repository.slug)}"
        kept = []
        try:
            async with _client(self.config, ctx) as client:
                for number, change in changes:
                    path = f"{base}/commits/{escaped(change.to_hash)}/pull-requests"
                    if not (change.moves_a_branch and await _has_open(client, path)):
                        kept.append((number, change))
        except TiphysError as error:
            log.warning(
                "Pull requests could not be looked up",
                eventSourceName=ctx.event_source,
                eventName=ctx.event_name,
                error=str(error),
            )
            raise Refused(400, "pull requests could not be looked up", reason="lookup") from error
        return kept


class BitbucketServerHooks(Hooks):
    """Hooks of repositories; the address alone says which one is ours."""

    def __init__(self, client: API, config: Config, secret: str | None) -> None:
        self._api = client
        self._config = config
        self._secret = secret
        self._settings: dict[str, Any] = {
            "id": 0,
            "name": NAME,
            "url": hook_url(config.webhook),
            "active": True,
            "events": config.events,
        }
        if secret is not None:  # the server breaks on an empty configuration
            self._settings["configuration"] = {"secret": secret}

    async def places(self) -> Sequence[str]:
        """The repositories of the list, and those that the projects have at this moment."""
        names = [(each.project_key, each.repository_slug) for each in self._config.all_repositories]
        for project in self._config.projects:
            async for page in _pages(self._api, f"{REST}/projects/{escaped(project)}/repos"):
                names += [(project, str(repository["slug"])) for repository in page]
        places = [f"{REST}/projects/{escaped(key)}/repos/{escaped(slug)}" for key, slug in names]
        return list(dict.fromkeys(places))

    async def find(self, place: str) -> list[Hook]:
        """Hooks with our address."""
        found = []
        async for page in _pages(self._api, f"{place}/webhooks"):
            for hook in page:
                if hook.get("url") == self._settings["url"]:
                    found.append(Hook(str(hook["id"]), (hook["id"],), stale=self._is_stale(hook)))
        return found

    async def create(self, place: str) -> str:
        """Make a hook as the manifest describes it."""
        answer = await self._api.call("POST", f"{place}/webhooks", self._settings)
        return str(objects([answer.data])[0]["id"])

    async def update(self, place: str, hook: Hook) -> None:
        """Replace the settings of a hook."""
        await self._api.call("PUT", f"{place}/webhooks/{hook.id}", self._settings)

    async def delete(self, place: str, id: str) -> None:
        """Remove a hook."""
        await self._api.call("DELETE", f"{place}/webhooks/{id}")

    def _is_stale(self, hook: dict[str, Any]) -> bool:
        configuration = hook.get("configuration") or {}
        other_secret = (configuration.get("secret") or None) != self._secret
        return other_secret or not same_events(self._settings["events"], hook.get("events"))


@asynccontextmanager
async def _client(config: Config, ctx: SourceContext) -> AsyncIterator[API]:
    """The API, with credentials.  Raises :exc:`SecretError`."""
    assert config.access_token is not None  # see check()
    tls = await ctx.tls(config.tls) if config.tls else None
    base = config.bitbucketserver_base_url
    async with api("Bitbucket Server", base, ctx.clock, hints=HINTS, tls=tls) as client:
        client.headers["Authorization"] = f"Bearer {await ctx.secret(config.access_token)}"
        client.headers["X-Atlassian-Token"] = "no-check"
        client.headers["X-Requested-With"] = "XMLHttpRequest"
        yield client


async def _pages(client: API, path: str) -> AsyncIterator[list[dict[str, Any]]]:
    """The objects of a paged list.  Raises :exc:`APIError`."""
    async for page in client.pages(path, f"{PAGE}0", _following):
        if not isinstance(page, dict):
            raise APIError("Bitbucket Server answers in another form; is the base URL right?")
        yield objects(page.get("values"))


def _following(answer: Answer) -> str | None:
    page = answer.data if isinstance(answer.data, dict) else {}
    start = page.get("nextPageStart")
    return None if page.get("isLastPage", True) or start is None else f"{PAGE}{start}"


async def _has_open(client: API, path: str) -> bool:
    async for page in _pages(client, path):
        if any(str(each.get("state")).upper() == "OPEN" for each in page):
            return True
    return False


def _push(body: orjson.Fragment) -> RefsChanged:
    try:
        return RefsChanged.model_validate_json(orjson.dumps(body))
    except ValidationError:
        raise Refused(400, "invalid event", reason="body") from None
