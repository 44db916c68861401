"""Webhook: any HTTP request becomes an event (spec: event sources 7.1)."""

from __future__ import annotations

from typing import Any

from tiphys.ingest import Refused, Reply, Request
from tiphys.manifests.common import SourceConfig
from tiphys.manifests.webhook import WebhookContext
from tiphys.sources._base import Incoming, PushSource, SourceContext, source
from tiphys.sources._shared.embedding import NotJSON, raw_json
from tiphys.sources._shared.forms import parse_form

FORM = "application/x-www-form-urlencoded"  # to the letter: with parameters it is no form
METHODS = ("GET", "POST")  # whose requests have a body that becomes a payload
FORM_LIMIT = 10 << 20  # bytes; a form is bounded by this and not by `maxPayloadSize`


class Config(WebhookContext, SourceConfig):
    """One endpoint."""

    def flaws(self) -> list[str]:
        """A method that no request can have."""
        if not self.method:
            return ["`method` is missing, so every request is refused; write `POST` or `GET`"]
        if self.method not in METHODS:
            names = " and ".join(METHODS)
            return [f"`method`: only {names} work, in capitals; every request is refused"]
        return []


@source("webhook", delivery="sender-driven", replicas="many")
class Webhook(PushSource[Config]):
    """Header and body of the request are the payload."""

    @property
    def webhook(self) -> WebhookContext:
        """The block itself."""
        return self.config

    def limit(self, request: Request) -> int:
        """The configured limit; forms have their own."""
        return FORM_LIMIT if _is_form(request) else self.config.max_payload_size

    def too_large(self, request: Request) -> Reply:
        """The answers of Argo Events."""
        if _is_form(request):
            return Reply(500, b"http: POST too large")
        return Reply(400, b"failed to parse request body, http: request body too large")

    async def receive(self, request: Request, ctx: SourceContext) -> Incoming:
        """Turn a request into an event; refuse what has another method or no JSON."""
        if request.method != self.config.method:
            raise Refused(400, "http method does not match", reason="method", failure=False)
        return Incoming({"header": request.headers, "body": _body(request)})


def _is_form(request: Request) -> bool:
    return request.method == "POST" and request.header("Content-Type") == FORM


def _body(request: Request) -> Any:
    if request.method == "GET":
        return parse_form(request.query)[0]
    if request.method != "POST":
        # The spelling is the one of Argo Events.
        raise Refused(400, f"unsupoorted method: {request.method}", reason="method")
    if not _is_form(request):
        try:
            return raw_json(request.body)
        except NotJSON as error:
            raise Refused(400, f"the body is not one JSON value: {error}", reason="body") from None
    _, problem = parse_form(request.query)
    values, body_problem = parse_form(request.body.decode("utf-8", "replace"))
    if problem := body_problem or problem:
        raise Refused(500, problem, reason="body")
    return values
