"""
CloudEvents over HTTP, in every mode: any sender that speaks the standard (extension).

What Argo Events calls a CloudEvent is the envelope of an event on the bus.  The sender's own
event travels inside it, with all its attributes, as ``event``.
"""

from __future__ import annotations

import math
import re
from typing import Literal

from pydantic import Field

from tiphys.ingest import Refused, Reply, Request
from tiphys.manifests.common import SourceConfig
from tiphys.manifests.webhook import WebhookContext
from tiphys.sources._base import Incoming, PushSource, SourceContext, source
from tiphys.sources._shared.cloud_events import Found, NoCloudEvent, UnknownFormat, events_of
from tiphys.sources._shared.deliveries import digest, event_id

ALLOW = {"allow": "POST, OPTIONS"}
SHOWN = 300  # characters of a reason, which may repeat what was sent
_ORIGIN = re.compile(r"[!-~]+")


class Config(WebhookContext, SourceConfig):
    """One endpoint."""

    method: Literal["", "POST"] = Field(
        "", description="`POST`, which is the default; the standard knows no other."
    )


@source("cloudevents", delivery="sender-driven", replicas="many")
class CloudEvents(PushSource[Config]):
    """The request's header and the event, in the JSON format, are the payload."""

    @property
    def webhook(self) -> WebhookContext:
        """The block itself."""
        return self.config

    async def receive(
        self, request: Request, ctx: SourceContext
    ) -> Incoming | list[Incoming] | Reply:
        """Turn a request into its events, a batch into several; agree to who asks to send."""
        if request.method == "OPTIONS":
            return self._permission(request)
        if request.method != "POST":
            raise Refused(405, "events are POSTed", reason="method", failure=False, headers=ALLOW)
        try:
            found = events_of(request)
        except NoCloudEvent as error:
            raise Refused(400, str(error)[:SHOWN], reason="body") from None
        except UnknownFormat as error:
            raise Refused(415, str(error)[:SHOWN], reason="body") from None
        return [_incoming(one, request, ctx) for one in found]

    def _permission(self, request: Request) -> Reply:
        """Agree to deliveries, at the rate that the manifest allows (HTTP webhooks 4)."""
        origin = request.header("Webhook-Request-Origin")
        if not origin:
            return Reply(200, b"", ALLOW)
        if not _ORIGIN.fullmatch(origin):
            raise Refused(400, "WebHook-Request-Origin is not a name", reason="origin")
        granted = {"webhook-allowed-origin": origin, "webhook-allowed-rate": self._rate()}
        return Reply(200, b"", {**ALLOW, **granted})

    def _rate(self) -> str:
        """Requests a minute, or as many as may be."""
        limit = self.config.rate_limit
        return "*" if limit is None else str(math.ceil(limit.requests * 60 / limit.period))


def _incoming(found: Found, request: Request, ctx: SourceContext) -> Incoming:
    # The id is unique within its source only; a digest has no colon that could be mistaken.
    id = event_id(ctx, digest(found.source.encode()), found.id)
    return Incoming({"header": request.headers, "event": found.event}, id)
