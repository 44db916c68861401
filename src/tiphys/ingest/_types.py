"""What passes between the HTTP server and a push source."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qs

from tiphys.errors import TiphysError


@dataclasses.dataclass(slots=True)
class Request:
    """
    One request, its body read completely and within the limit.

    *headers* have canonical names (``X-Github-Event``) and all values in order of arrival, without
    ``Host``; an ``Authorization`` value is already masked.  *client* is the address of the peer.
    To be read only; it is not frozen because one is made per request.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, list[str]]
    body: bytes
    client: str = ""

    def header(self, name: str) -> str:
        """First value of the header with the canonical *name*, or an empty text."""
        values = self.headers.get(name)
        return values[0] if values else ""

    def query_values(self) -> dict[str, list[str]]:
        """The query's parameters, decoded.  Raises :exc:`ValueError` for a malformed query."""
        return parse_qs(self.query, keep_blank_values=True, strict_parsing=bool(self.query))


@dataclasses.dataclass(slots=True)
class Reply:
    """
    An HTTP answer; plain text unless *headers* (names in lower case) say otherwise.

    Not to be changed: it may be the answer to many requests.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)


class Refused(TiphysError):
    """
    The request is answered with an error of the sender's making.

    *message* is the body of the answer and must hold no secret; *reason* is a word for the
    metric ``http_requests_refused``; *failure* says whether it counts as failed processing, too.
    *cause* is for the log, where the sender must not be told.
    """

    def __init__(
        self,
        status: int,
        message: str = "",
        *,
        reason: str = "request",
        failure: bool = True,
        headers: Mapping[str, str] | None = None,
        cause: str = "",
    ) -> None:
        super().__init__(message or f"status {status}")
        self.status = status
        self.message = message
        self.reason = reason
        self.failure = failure
        self.headers = headers or {}
        self.cause = cause

    def reply(self) -> Reply:
        """The answer."""
        return Reply(self.status, self.message.encode(), self.headers)


Handler = Callable[[Request], Awaitable[Reply]]
