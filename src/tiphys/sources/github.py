"""GitHub: deliveries of its hooks, which are registered if need be (spec: event sources 7.2)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any, Literal

import orjson
from pydantic import Field

from tiphys.errors import SecretError, SourceError
from tiphys.github_app import signed_claim
from tiphys.ingest import Refused, Request
from tiphys.languages import numbers
from tiphys.manifests.common import Block, SecretRef, SourceConfig
from tiphys.manifests.webhook import WebhookContext
from tiphys.sources._base import Incoming, PushSource, SourceContext, source
from tiphys.sources._shared import github_app, signatures
from tiphys.sources._shared.deliveries import event_id
from tiphys.sources._shared.embedding import raw_json
from tiphys.sources._shared.forms import parse_form
from tiphys.sources._shared.hooks import Hook, Hooks, hook_url, kept_hooks, same_events
from tiphys.sources._shared.rest import API, api, escaped, linked, objects
from tiphys.sources._shared.rules import url_problems

PUBLIC_API = "https://api.github.com/"
ALGORITHMS = ("sha1", "sha256", "sha512")
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
ACCEPT = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
HINTS = {
    401: "is the token right, and not expired?",
    403: "may the token manage hooks? It needs admin:repo_hook or admin:org_hook",
    404: "is the name right, and may the token see its hooks?",
}


class Repositories(Block):
    """Repositories of one owner."""

    owner: str = Field("", description="User or organization that owns them.")
    names: list[str] = Field([], description="Their names.")


class App(Block):
    """Credentials of a GitHub App."""

    private_key: SecretRef | None = Field(None, description="Private key of the app, PEM.")
    app_id: int = Field(0, alias="appID", description="Number of the app.")
    installation_id: int = Field(0, alias="installationID", description="Number of installation.")


class Config(SourceConfig):
    """One endpoint, and the repositories or organizations that deliver to it."""

    webhook: WebhookContext = Field(description="Where the endpoint is and who may use it.")
    repositories: list[Repositories] = Field([], description="Repositories that get a hook.")
    organizations: list[str] = Field([], description="Organizations that get a hook.")
    events: list[str] = Field([], description="Events that hooks deliver; `*`: all.")
    api_token: SecretRef | None = Field(None, description="Token for the API; wins over the app.")
    github_app: App | None = Field(None, description="GitHub App to use the API as.")
    webhook_secret: SecretRef | None = Field(
        None, description="Key that deliveries are signed with; demanded of every delivery."
    )
    insecure: bool = Field(False, description="Let GitHub accept any certificate of ours.")
    active: bool = Field(False, description="Whether new hooks deliver.")
    content_type: Literal["", "json", "form"] = Field(
        "", description="What new hooks deliver; GitHub's default is `form`."
    )
    github_base_url: str = Field(
        "", alias="githubBaseURL", description="API of a GitHub Enterprise server."
    )
    github_upload_url: str = Field(
        "", alias="githubUploadURL", description="Upload API of the server; unused."
    )
    delete_hook_on_finish: bool = Field(False, description="Delete the hooks at the end.")
    owner: str = Field("", description="Deprecated: owner of the only repository.")
    repository: str = Field("", description="Deprecated: name of the only repository.")
    id: int = Field(0, description="Ignored.")

    @property
    def manages_hooks(self) -> bool:
        """Whether hooks are registered."""
        app = self.github_app is not None and self.github_app.private_key is not None
        return bool(self.webhook.url) and (self.api_token is not None or app)

    def flaws(self) -> list[str]:
        """Hooks that are wanted and cannot be made."""
        if not self.manages_hooks:
            return []
        problems = url_problems(githubBaseURL=self.github_base_url)
        if not all(group.owner and all(group.names) for group in self.repositories):
            problems.append("`repositories`: each needs `owner`, and names that are not empty")
        problems += [
            f"`repositories`: {group.owner!r} has no `names`, so no hook is made there"
            for group in self.repositories
            if not group.names
        ]
        app = self.github_app
        if app and self.api_token is None and not (app.app_id and app.installation_id):
            problems.append("`githubApp` needs `appID` and `installationID`")
        return problems

    def doubts(self) -> list[str]:
        """A server that cannot be asked, where it need not be."""
        return [] if self.manages_hooks else url_problems(githubBaseURL=self.github_base_url)

    @property
    def repository_names(self) -> list[tuple[str, str]]:
        """Owner and name of every repository."""
        if not self.repositories and self.owner and self.repository:
            return [(self.owner, self.repository)]
        return [(group.owner, name) for group in self.repositories for name in group.names]


@source("github", delivery="sender-driven", replicas="many")
class GitHub(PushSource[Config]):
    """Headers and body of a delivery are the payload; event and delivery id join the body."""

    @property
    def webhook(self) -> WebhookContext:
        """The context in the block."""
        return self.config.webhook

    def check(self) -> list[str]:
        """What Argo Events refuses."""
        config = self.config
        single = config.owner and config.repository
        problems = []
        if not (config.repositories or single or config.organizations):
            problems.append("`repositories` or `organizations` is missing")
        elif config.organizations and (config.repositories or single):
            problems.append("only one of `repositories` and `organizations` is allowed")
        if config.manages_hooks and not config.events:
            problems.append("`events` is missing, so the hooks would deliver nothing")
        if bool(config.github_base_url) != bool(config.github_upload_url):
            problems.append("`githubBaseURL` and `githubUploadURL` must come together")
        return [*problems, *super().check()]

    def keys(self) -> Mapping[str, SecretRef | None]:
        """What proves a delivery."""
        return {"webhookSecret": self.config.webhook_secret}

    async def receive(self, request: Request, ctx: SourceContext) -> Incoming:
        """Check the signature; refuse what is no delivery."""
        text = _payload(request)
        if self.config.webhook_secret:
            given = request.header("X-Hub-Signature-256") or request.header("X-Hub-Signature")
            key = await signatures.shared_secret(ctx, self.config.webhook_secret)
            signatures.check_signature(given, key, request.body, ALGORITHMS)
        delivery = request.header("X-Github-Delivery")
        body = _object(text)
        body["X-GitHub-Event"] = request.header("X-Github-Event")
        body["X-GitHub-Delivery"] = delivery
        id = event_id(ctx, delivery) if delivery else None
        return Incoming({"headers": request.headers, "body": _encoded(body)}, id)

    def active(self, ctx: SourceContext) -> AbstractAsyncContextManager[object]:
        """Keep hooks where the manifest has what it takes."""
        config = self.config
        if not config.manages_hooks:
            return nullcontext()
        if config.api_token is None:
            github_app.require_cryptography()

        @asynccontextmanager
        async def connect() -> AsyncIterator[Hooks]:
            base = config.github_base_url or PUBLIC_API
            async with api("GitHub", base, ctx.clock, hints=HINTS) as client:
                client.headers.update(ACCEPT)
                token = await _token(config, ctx, client)
                client.headers["Authorization"] = f"token {token}"
                yield GitHubHooks(client, config, await _hook_secret(config, ctx))

        return kept_hooks(ctx, connect, delete=config.delete_hook_on_finish)


class GitHubHooks(Hooks):
    """Hooks of organizations and repositories."""

    def __init__(self, client: API, config: Config, secret: str | None) -> None:
        self._api = client
        self._config = config
        self._url = hook_url(config.webhook)
        self._secret = secret

    async def places(self) -> Sequence[str]:
        """Organizations, then repositories.  Raises :exc:`SourceError` when there are none."""
        organizations = [f"orgs/{escaped(name)}" for name in self._config.organizations]
        places = organizations + [
            f"repos/{escaped(owner)}/{escaped(name)}"
            for owner, name in self._config.repository_names
        ]
        if not places:
            raise SourceError("`repositories` has no `names`, so no hook is made")
        return places

    async def find(self, place: str) -> list[Hook]:
        """Hooks with our address and our events; such with other events belong to others."""
        found = []
        async for page in self._api.pages(f"{place}/hooks", "per_page=100", linked):
            for hook in objects(page):
                if _url_of(hook) == self._url and self._has_our_events(hook):
                    asleep = hook.get("active") is False
                    note = "This hook is not active, so GitHub delivers nothing" if asleep else ""
                    found.append(Hook(str(hook["id"]), (hook["id"],), note=note))
        return found

    async def create(self, place: str) -> str:
        """Make a hook as the manifest describes it."""
        config = self._config
        settings = {"url": self._url, "insecure_ssl": "1" if config.insecure else "0"}
        if config.content_type:
            settings["content_type"] = config.content_type
        if self._secret is not None:
            settings["secret"] = self._secret
        answer = await self._api.call(
            "POST",
            f"{place}/hooks",
            {"name": "web", "active": config.active, "events": config.events, "config": settings},
        )
        return str(objects([answer.data])[0]["id"])

    async def delete(self, place: str, id: str) -> None:
        """Remove a hook."""
        await self._api.call("DELETE", f"{place}/hooks/{id}")

    def _has_our_events(self, hook: dict[str, Any]) -> bool:
        ours, theirs = self._config.events, hook.get("events")
        if not isinstance(theirs, list):
            return False
        return same_events(ours, theirs) or ("*" in ours and "*" in theirs)


async def _token(config: Config, ctx: SourceContext, client: API) -> str:
    """What authorizes calls.  Raises :exc:`SecretError` and :exc:`APIError`."""
    if config.api_token is not None:
        return await ctx.secret(config.api_token)
    app = config.github_app
    assert app is not None
    assert app.private_key is not None
    claim = signed_claim(app.app_id, await ctx.secret(app.private_key), ctx.clock)
    return await github_app.installation_token(client, app.installation_id, claim)


async def _hook_secret(config: Config, ctx: SourceContext) -> str | None:
    """The key that GitHub is to sign with.  Raises :exc:`SecretError`, also for an empty one."""
    secret = await ctx.maybe_secret(config.webhook_secret)
    if secret == "":
        raise SecretError("`webhookSecret` is empty, so nothing can be signed with it")
    return secret


def _url_of(hook: dict[str, Any]) -> object:
    settings = hook.get("config")
    return settings.get("url") if isinstance(settings, dict) else None


def _payload(request: Request) -> bytes:
    """The JSON text of a delivery of either content type."""
    kind = request.header("Content-Type").partition(";")[0].strip().lower()
    if kind == JSON:
        return request.body
    if kind != FORM:
        raise _refused(f"the content type must be {JSON} or {FORM}")
    values, problem = parse_form(request.body.decode("utf-8", "replace"))
    if problem:
        raise _refused(problem)
    return "".join(values.get("payload", [])[:1]).encode()


def _object(text: bytes) -> dict[str, Any]:
    """The object that a text holds."""
    try:
        value = _load(text)
    except ValueError as error:
        raise _refused(f"the payload is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise _refused("the payload is not a JSON object")
    return value


def _encoded(body: dict[str, Any]) -> orjson.Fragment:
    """The text of *body* as Go would write it: sorted, floats in its way."""
    try:
        return orjson.Fragment(orjson.dumps(_as_go_writes(body), option=orjson.OPT_SORT_KEYS))
    except (RecursionError, TypeError):
        raise _refused("the payload is nested too deeply") from None


def _load(text: bytes) -> Any:
    """Raises :exc:`ValueError`."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return orjson.loads(orjson.dumps(raw_json(text)))  # what Go is lenient about


def _as_go_writes(value: Any) -> Any:
    """Floats without a fraction lose their point; everything else stays."""
    if isinstance(value, float):
        return orjson.Fragment(numbers.format_json(value))
    if isinstance(value, dict):
        return {name: _as_go_writes(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_as_go_writes(item) for item in value]
    return value


def _refused(message: str) -> Refused:
    return Refused(400, message, reason="body", failure=False)
