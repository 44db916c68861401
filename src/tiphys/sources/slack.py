"""Slack: events, slash commands and interactions that an app delivers (event sources 7.7)."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, Field

from tiphys.ingest import Refused, Reply, Request
from tiphys.manifests.common import SecretRef, SourceConfig
from tiphys.manifests.webhook import WebhookContext
from tiphys.sources._base import Incoming, PushSource, SourceContext, source
from tiphys.sources._shared.deliveries import digest, event_id
from tiphys.sources._shared.embedding import NotJSON, raw_json
from tiphys.sources._shared.forms import parse_form
from tiphys.sources._shared.rules import missing
from tiphys.sources._shared.signatures import shared_secret

FORM = "application/x-www-form-urlencoded"  # to the letter, as Slack sends it
VERSION = "v0"
TOLERANCE = 300  # seconds that a request may be off our clock
ACCEPTED = Reply(200, b"success")


def _empty(names: str) -> dict[str, Any]:
    """Members without content."""
    return dict.fromkeys(names.split(), "")


# What existing sensors find in `Data`, also where Slack leaves it out.
ALWAYS: Mapping[str, Mapping[str, Any]] = {
    "app_mention": _empty("type user text ts thread_ts channel event_ts"),
    "message": _empty("client_msg_id type user text thread_ts ts channel channel_type event_ts")
    | {"blocks": None},
    "member_joined_channel": _empty("type user channel channel_type team inviter event_ts"),
    "channel_created": {"type": "", "channel": None, "event_ts": ""},
}
COMMAND = _empty(
    "token team_id team_domain enterprise_id enterprise_name is_enterprise_install channel_id"
    " channel_name user_id user_name command text response_url trigger_id api_app_id"
)
LEFT_OUT = ("enterprise_id", "enterprise_name")  # when empty
INTERACTION: Mapping[str, Any] = {
    **_empty("type token callback_id response_url trigger_id action_ts name value message_ts"),
    **_empty("attachment_id action_id api_app_id block_id"),
    "is_enterprise_install": False,
}


class Config(SourceConfig):
    """One endpoint, the request URL of one app."""

    webhook: WebhookContext = Field(description="Where the endpoint is and who may use it.")
    token: SecretRef | None = Field(
        None, description="Verification token of the app; demanded of the Events API."
    )
    signing_secret: SecretRef | None = Field(
        None, description="Signing secret of the app; demanded of every request."
    )
    metadata: Annotated[dict[str, str], AfterValidator(lambda _: {})] = Field(
        {}, description="Accepted, but never added to the payload, as in Argo Events."
    )


@source("slack", delivery="sender-driven", replicas="many")
class Slack(PushSource[Config]):
    """The inner event, the form of a command, or the interaction is the payload."""

    @property
    def webhook(self) -> WebhookContext:
        """The context in the block."""
        return self.config.webhook

    def check(self) -> list[str]:
        """What Argo Events refuses."""
        config = self.config
        problems = missing(token=config.token, signingSecret=config.signing_secret)
        return [*problems, *super().check()]

    def too_large(self, request: Request) -> Reply:
        """The status of Argo Events, which cuts the body off, so that its signature is wrong."""
        return Reply(401, b"http: request body too large")

    def keys(self) -> Mapping[str, SecretRef | None]:
        """What proves a request."""
        return {"signingSecret": self.config.signing_secret, "token": self.config.token}

    async def receive(self, request: Request, ctx: SourceContext) -> Incoming | Reply:
        """Check the signature; answer the challenge; tell what kind of request it is."""
        await self._check_signature(request, ctx)
        if request.header("Content-Type") != FORM:
            return await self._event(request, ctx)
        fields, problem = parse_form(request.body.decode("utf-8", "replace"))
        form = {name: values[0] for name, values in fields.items()}
        if problem:
            raise _failed(problem)
        if form.get("payload"):
            return _interaction(form["payload"].encode(), request, ctx)
        if form.get("command"):
            return Incoming(_command(form), _request_id(request, ctx))
        raise _failed("could not determine slack type from form parameters")

    async def _check_signature(self, request: Request, ctx: SourceContext) -> None:
        assert self.config.signing_secret is not None  # see check()
        moment = request.header("X-Slack-Request-Timestamp")
        given = request.header("X-Slack-Signature")
        if not moment or not given:
            raise _unsigned("missing headers X-Slack-Signature and X-Slack-Request-Timestamp")
        if not (moment.isascii() and moment.isdigit() and len(moment) < 16):
            raise _unsigned("X-Slack-Request-Timestamp is not a number of seconds")
        if abs(ctx.clock.now().timestamp() - int(moment)) > TOLERANCE:
            raise _unsigned("the timestamp is too far from now", "replay")
        key = await shared_secret(ctx, self.config.signing_secret)
        covered = f"{VERSION}:{moment}:".encode() + request.body
        expected = f"{VERSION}={hmac.digest(key, covered, 'sha256').hex()}"
        if not hmac.compare_digest(given.encode(), expected.encode()):
            raise _unsigned("the signature does not match")

    async def _event(self, request: Request, ctx: SourceContext) -> Incoming | Reply:
        """A request of the Events API."""
        outer = _object(request.body)
        await self._check_token(outer.get("token"), ctx)
        kind = _text(outer, "type")
        if kind == "url_verification":
            return Reply(200, _text(outer, "challenge").encode())
        if kind != "event_callback":
            return ACCEPTED
        inner = outer.get("event")
        if not isinstance(inner, dict):
            raise _failed("the event is not a JSON object")
        kind = _text(inner, "type")
        id = outer.get("event_id")
        identity = event_id(ctx, id) if isinstance(id, str) and id else _request_id(request, ctx)
        return Incoming({"type": kind, "Data": _data(kind, inner)}, identity)

    async def _check_token(self, given: object, ctx: SourceContext) -> None:
        assert self.config.token is not None  # see check()
        message = "Error loading verification token"
        expected = await shared_secret(ctx, self.config.token, message)
        token = given if isinstance(given, str) else ""
        if not hmac.compare_digest(token.encode(), expected):
            raise Refused(500, "invalid verification token", reason="token")


def _data(kind: str, inner: dict[str, Any]) -> dict[str, Any]:
    """The inner event as it came, with what sensors rely on."""
    data = {**ALWAYS.get(kind, {}), **inner}
    if kind == "message" and "message" not in inner and "previous_message" not in inner:
        # Argo Events repeats the content of a plain message there; an edited one has it nested.
        data["message"] = {**inner, **{name: data[name] for name in ALWAYS["message"]}}
    return data


def _command(form: dict[str, str]) -> dict[str, Any]:
    fields: dict[str, Any] = {name: form.get(name, "") for name in COMMAND}
    fields["is_enterprise_install"] = fields["is_enterprise_install"] == "true"
    for name in LEFT_OUT:
        if not fields[name]:
            del fields[name]
    return fields


def _interaction(text: bytes, request: Request, ctx: SourceContext) -> Incoming:
    return Incoming({**INTERACTION, **_object(text)}, _request_id(request, ctx))


def _request_id(request: Request, ctx: SourceContext) -> str:
    """
    The id of what Slack gives none: its signed text.

    Nobody else can make such a request, and one that was recorded is no second event.
    """
    signature = request.header("X-Slack-Signature")
    return event_id(ctx, digest(signature.encode()))


def _object(text: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            value = orjson.loads(orjson.dumps(raw_json(text)))  # what Go is lenient about
        except (NotJSON, orjson.JSONDecodeError) as error:
            raise _failed(f"the body is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise _failed("the body is not a JSON object")
    return value


def _text(members: dict[str, Any], name: str) -> str:
    """A member that must be a text.  Raises :exc:`Refused`."""
    text = members.get(name)
    if not isinstance(text, str):
        raise _failed(f"`{name}` is not a text")
    return text


def _failed(message: str) -> Refused:
    return Refused(500, message, reason="body")


def _unsigned(message: str, reason: str = "signature") -> Refused:
    return Refused(401, message, reason=reason)
