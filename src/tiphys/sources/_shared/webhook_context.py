"""What can be wrong with a webhook context beyond the types of its fields."""

from __future__ import annotations

from tiphys.errors import ManifestError
from tiphys.ingest import parse_port
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
    return problems
