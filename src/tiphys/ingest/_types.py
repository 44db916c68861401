"""What passes between the HTTP server and a push source."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qs


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """
    One request, its body read completely and within the limit.

    *headers* have canonical names (``X-Github-Event``) and all values in order of arrival, without
    ``Host``; an ``Authorization`` value is already masked.
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


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer; plain text unless *headers* say otherwise."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)


Handler = Callable[[Request], Awaitable[Reply]]
