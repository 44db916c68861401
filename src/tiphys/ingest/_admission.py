"""What a request must satisfy before a handler sees it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from tiphys.ingest._types import Refused, Reply, Request
from tiphys.ingest.guards import Guard

DEFAULT_LIMIT = 1 << 20  # bytes; Argo Events' default


def _default_limit(_request: Request) -> int:
    return DEFAULT_LIMIT


def _too_large(_request: Request) -> Reply:
    return Reply(400, b"http: request body too large")


def _unheard(_refused: Refused, _request: Request) -> None:
    """Nobody wants to hear of refusals."""


@dataclasses.dataclass(frozen=True, slots=True)
class Admission:
    """
    Guards, the body's limit, and what to tell a sender and the owner when a request fails them.

    *limit* gives the greatest body in bytes, *too_large* the answer to a greater one; both see the
    request without its body.  *refused* hears of every refusal by a guard.  *inactive* is the
    answer, with status 400, while the endpoint goes.
    """

    before_body: Sequence[Guard] = ()
    after_body: Sequence[Guard] = ()
    limit: Callable[[Request], int] = _default_limit
    too_large: Callable[[Request], Reply] = _too_large
    refused: Callable[[Refused, Request], None] = _unheard
    inactive: bytes = b"endpoint is inactive"


OPEN = Admission()
"""Lets everybody in."""
