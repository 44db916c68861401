"""Stripe: events of an account, whose endpoint is registered if need be (event sources 7.9)."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any, TypeVar

import orjson
from pydantic import Field

from tiphys.ingest import Refused, Reply, Request
from tiphys.manifests.common import EXTENSION, Filter, SecretRef, SourceConfig
from tiphys.manifests.webhook import WebhookContext
from tiphys.sources._base import Incoming, PushSource, SourceContext, source
from tiphys.sources._shared.deliveries import event_id
from tiphys.sources._shared.embedding import NotJSON, raw_json, raw_members
from tiphys.sources._shared.hooks import Hook, Hooks, hook_url, kept_hooks, same_events
from tiphys.sources._shared.rest import API, Answer, APIError, Form, api, escaped, objects
from tiphys.sources._shared.rules import url_problems
from tiphys.sources._shared.signatures import shared_secret

PUBLIC_API = "https://api.stripe.com"
API_VERSION = "2020-03-02"  # of Argo Events; new endpoints deliver events of this version
PLACE = "webhook_endpoints"
PAGE = "limit=100"
TOLERANCE = 300  # seconds that a delivery may be off our clock
EVERYTHING = "*"
HINTS = {
    401: "is `apiKey` right, and not revoked?",
    403: "may the key manage webhook endpoints? A restricted key needs to write them",
}
T = TypeVar("T", str, int, bool)


class Config(SourceConfig):
    """One endpoint, and the account that delivers to it."""

    webhook: WebhookContext = Field(description="Where the endpoint is and who may use it.")
    create_webhook: bool = Field(False, description="Register the endpoint with Stripe.")
    api_key: SecretRef | None = Field(None, description="Secret key of the account, for that.")
    event_filter: list[str] | None = Field(
        None,
        description="Types of events that are accepted, and that a registered endpoint gets; "
        "`*`: all.",
    )
    signing_secret: SecretRef | None = Field(
        None,
        description="Signing secret of the endpoint (`whsec_…`); demanded of every delivery.",
        json_schema_extra=EXTENSION,
    )
    delete_hook_on_finish: bool = Field(
        False, description="Delete the endpoint at the end.", json_schema_extra=EXTENSION
    )
    api_url: str = Field(
        "",
        alias="apiURL",
        description="The API, where it is not `https://api.stripe.com`.",
        json_schema_extra=EXTENSION,
    )
    filter: Filter | None = Field(
        None, description="Drops events for which this is false.", json_schema_extra=EXTENSION
    )


@source("stripe", delivery="sender-driven", replicas="many")
class Stripe(PushSource[Config]):
    """What Argo Events knows of an event is the payload."""

    @property
    def webhook(self) -> WebhookContext:
        """The context in the block."""
        return self.config.webhook

    def check(self) -> list[str]:
        """What Argo Events refuses, and what Stripe would."""
        config = self.config
        problems = url_problems(apiURL=config.api_url)
        if config.create_webhook:
            if not config.webhook.url:
                problems.append("`webhook.url` is missing, which `createWebhook` needs")
            if config.api_key is None:
                problems.append("`apiKey` is missing, which `createWebhook` needs")
            if not config.event_filter:
                problems.append("`eventFilter` is missing, so Stripe would register nothing")
        return [*problems, *super().check()]

    def too_large(self, request: Request) -> Reply:
        """The answer of Argo Events to a body that cannot be read."""
        return Reply(503)

    def keys(self) -> Mapping[str, SecretRef | None]:
        """What proves a delivery."""
        return {"signingSecret": self.config.signing_secret}

    async def receive(self, request: Request, ctx: SourceContext) -> Incoming:
        """Check the signature and the type; refuse what is no event."""
        config = self.config
        if config.signing_secret is not None:
            key = await shared_secret(ctx, config.signing_secret)
            _check_signature(request, key, ctx.clock.now().timestamp())
        event = _event(request.body)
        if not self._accepts(event["type"]):
            raise Refused(400, "invalid event", reason="type", cause="not in `eventFilter`")
        return Incoming({"event": event}, event_id(ctx, event["id"]) if event["id"] else None)

    def _accepts(self, kind: str) -> bool:
        accepted = self.config.event_filter
        return accepted is None or kind in accepted or EVERYTHING in accepted

    def active(self, ctx: SourceContext) -> AbstractAsyncContextManager[object]:
        """Keep the endpoint registered where the manifest says so."""
        config = self.config
        if not config.create_webhook:
            return nullcontext()

        @asynccontextmanager
        async def connect() -> AsyncIterator[Hooks]:
            assert config.api_key is not None  # see check()
            base = f"{(config.api_url or PUBLIC_API).rstrip('/')}/v1"
            async with api("Stripe", base, ctx.clock, hints=HINTS) as client:
                client.headers["Authorization"] = f"Bearer {await ctx.secret(config.api_key)}"
                client.headers["Stripe-Version"] = API_VERSION
                yield StripeHooks(client, config)

        return kept_hooks(ctx, connect, delete=config.delete_hook_on_finish)


class StripeHooks(Hooks):
    """Webhook endpoints of the account; the address says which one is ours."""

    def __init__(self, client: API, config: Config) -> None:
        self._api = client
        self._url = hook_url(config.webhook)
        self._events = config.event_filter or []

    async def places(self) -> Sequence[str]:
        """The account has all endpoints in one list."""
        return [PLACE]

    async def find(self, place: str) -> list[Hook]:
        """Endpoints with our address."""
        found = []
        async for page in self._api.pages(place, PAGE, _next_page):
            for hook in _listed(page):
                if hook.get("url") != self._url:
                    continue
                note = "This endpoint is disabled, so Stripe delivers nothing"
                id = str(hook["id"])
                found.append(
                    Hook(
                        id,
                        (hook.get("created"), id),
                        stale=not same_events(self._events, hook.get("enabled_events")),
                        note=note if hook.get("status") == "disabled" else "",
                    )
                )
        return found

    async def create(self, place: str) -> str:
        """Make an endpoint; Stripe tells its signing secret only in the answer and on its pages."""
        answer = await self._api.call("POST", place, Form(url=self._url, **self._form()))
        return str(objects([answer.data])[0]["id"])

    async def update(self, place: str, hook: Hook) -> None:
        """Let the endpoint have the events of the manifest."""
        await self._api.call("POST", f"{place}/{escaped(hook.id)}", Form(self._form()))

    async def delete(self, place: str, id: str) -> None:
        """Remove an endpoint."""
        await self._api.call("DELETE", f"{place}/{escaped(id)}")

    def _form(self) -> dict[str, str]:
        return {f"enabled_events[{n}]": event for n, event in enumerate(self._events)}


def _listed(data: Any) -> list[dict[str, Any]]:
    """The items of a page.  Raises :exc:`APIError` for what is none."""
    if not isinstance(data, dict):
        raise APIError("Stripe answers in another form; is `apiURL` right?")
    return objects(data.get("data"))


def _next_page(answer: Answer) -> str | None:
    items = _listed(answer.data)
    if not (items and answer.data.get("has_more")):
        return None
    return f"{PAGE}&starting_after={escaped(str(items[-1]['id']))}"


def _check_signature(request: Request, key: bytes, now: float) -> None:
    """Demand one right signature among those of ``t=<time>,v1=<hex>,…``; a rolled key has two."""
    header = request.header("Stripe-Signature")
    if not header:
        raise _unsigned("the header Stripe-Signature is missing")
    pairs = [part.strip().partition("=")[::2] for part in header.split(",")]
    moment = next((value for name, value in pairs if name == "t"), "")
    if not (moment.isascii() and moment.isdigit() and len(moment) < 16):
        raise _unsigned("the signature has no time")
    if abs(now - int(moment)) > TOLERANCE:
        raise _unsigned("the signature is too old", "replay")
    covered = moment.encode() + b"." + request.body
    expected = hmac.digest(key, covered, "sha256").hex().encode()
    given = [value.encode() for name, value in pairs if name == "v1"]
    if not any(hmac.compare_digest(one, expected) for one in given):
        raise _unsigned("the signature does not match")


def _event(body: bytes) -> dict[str, Any]:
    """The members that the payload has, with their zero values."""
    try:
        event = raw_members(raw_json(body))
    except NotJSON:
        raise _broken("it is not JSON") from None
    if event is None:
        raise _broken("it is not a JSON object")
    return {
        "account": _member(event, "account", ""),
        "created": _member(event, "created", 0),
        "data": _data(event.get("data")),
        "id": _member(event, "id", ""),
        "livemode": _member(event, "livemode", False),
        "pending_webhooks": _member(event, "pending_webhooks", 0),
        "request": _request(event.get("request")),
        "type": _member(event, "type", ""),
    }


def _data(data: orjson.Fragment | None) -> dict[str, Any] | None:
    """The resource as it came, and what it was before."""
    members = None if data is None else raw_members(data)
    if members is None:
        if _value(data) is not None:
            raise _broken("`data` is not an object")
        return None
    previous = _value(members.get("previous_attributes"))
    if not isinstance(previous, dict | None):
        raise _broken("`previous_attributes` is not an object")
    return {"previous_attributes": previous, "object": members.get("object")}


def _request(request: orjson.Fragment | None) -> dict[str, Any] | None:
    """What caused the event; before 2017 only its id."""
    members = None if request is None else raw_members(request)
    if request is None or members is None:
        value = _value(request)
        if value is None:
            return None
        if not isinstance(value, str):
            raise _broken("`request` is not an object")
        return {"id": value, "idempotency_key": ""}
    return {name: _member(members, name, "") for name in ("id", "idempotency_key")}


def _value(text: orjson.Fragment | None) -> Any:
    """What a member says.  Raises :exc:`Refused` for what is JSON, but too large a number."""
    if text is None:
        return None
    try:
        return orjson.loads(orjson.dumps(text))
    except orjson.JSONDecodeError:
        raise _broken("a number is too large") from None


def _member(event: Mapping[str, orjson.Fragment], name: str, zero: T) -> T:
    """A member of the type of *zero*, which stands for a missing one."""
    value = _value(event.get(name))
    if value is None:
        return zero
    if type(value) is not type(zero):
        raise _broken(f"`{name}` is not of the type {type(zero).__name__}")
    return value


def _broken(cause: str) -> Refused:
    return Refused(400, "failed to parse the event", reason="body", cause=cause)


def _unsigned(message: str, reason: str = "signature") -> Refused:
    return Refused(400, message, reason=reason)
