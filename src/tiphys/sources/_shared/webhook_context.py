"""What can be wrong with a webhook context beyond the types of its fields."""

from __future__ import annotations

from tiphys.aio import SystemClock
from tiphys.errors import ManifestError
from tiphys.ingest import parse_port
from tiphys.ingest.guards import guards_of
from tiphys.ingest.routes import compile_template
from tiphys.manifests.common import SecretRef
from tiphys.manifests.webhook import WebhookContext


def context_problems(context: WebhookContext) -> list[str]:
    """The problems, a sentence each (spec: event sources 4.7)."""
    problems = []
    if not context.endpoint:
        problems.append("`endpoint` is missing; it is the path that senders post to, such as /push")
    if not context.port:
        problems.append('`port` is missing; it is a number in quotes, such as "12000"')
    else:
        try:
            parse_port(context.port)
        except ManifestError as error:
            problems.append(f"`port`: {error.message}")
    for attempt in (
        lambda: compile_template(context.endpoint),
        lambda: guards_of(context, _no_secret, SystemClock()),
    ):
        try:
            attempt()
        except ManifestError as error:
            problems.append(f"`{error.path}`: {error.message}" if error.path else error.message)
    return problems


async def _no_secret(_ref: SecretRef) -> str:
    """Nothing is asked for while settings are looked at."""
    return ""
