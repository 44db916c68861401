"""JSON over HTTP to a provider's API: pages, errors in the provider's words, rate limits."""

from __future__ import annotations

import dataclasses
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import orjson
from yarl import URL

from tiphys import __version__
from tiphys.aio import Clock
from tiphys.errors import ManifestError, SourceError
from tiphys.sources._shared.failures import reason
from tiphys.system import without_login

TIMEOUT = aiohttp.ClientTimeout(total=30, connect=10)
CONNECTIONS = 4  # at once to one provider
REDIRECTS = (301, 302, 307, 308)
MAX_REDIRECTS = 5
MAX_PAGES = 1000
SHOWN = 300  # characters of an answer that are kept for people
LONGEST_WAIT = 3600.0  # seconds; a provider's quota is never longer
GUARD = b")]}'"  # stands before Gerrit's answers, so that browsers do not run them


class APIError(SourceError):
    """
    A provider's API refused a call or did not answer; worth another try.

    *status* is 0 without an answer; *wait* the seconds that the provider asks to wait, where it
    does.
    """

    def __init__(self, message: str, *, status: int = 0, wait: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.wait = wait


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """An answer; *next* is the query of the next page where a ``Link`` header names one."""

    status: int
    headers: Mapping[str, str]
    data: Any
    next: str | None


class Form(dict[str, str]):
    """The body of a call to an API that takes forms instead of JSON."""


Following = Callable[[Answer], str | None]
"""The query of the page after this one, or None."""


class API:
    """
    One provider's API.

    *hints* say by status what a person can do about it.  Redirects and pages are followed on the
    same server only, so that credentials go nowhere else.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        provider: str,
        base: str,
        clock: Clock,
        hints: Mapping[int, str],
    ) -> None:
        self._session = session
        self._provider = provider
        self._base = base.rstrip("/")
        self._clock = clock
        self._hints = hints
        self.headers: dict[str, str] = {}

    async def call(self, method: str, path: str, body: Any = None, query: str = "") -> Answer:
        """
        Make a call; *path* and *query* are escaped already.  Raises :exc:`APIError`.
        """
        url = _url(f"{self._base}/{path}" + (f"?{query}" if query else ""))
        answer = await self._exchange(method, url, body)
        for _ in range(MAX_REDIRECTS):
            if answer.status not in REDIRECTS:
                break
            target = url.join(URL(answer.headers.get("Location", ""), encoded=True))
            if target.origin() != url.origin():
                raise APIError(
                    f"{self._provider} redirects to {target.origin()}; correct the base URL",
                    status=answer.status,
                )
            answer = await self._exchange(method, target, body)
        if not 200 <= answer.status < 300:
            raise self._refusal(method, path, answer)
        if isinstance(answer.data, bytes):
            raise APIError(f"{self._provider}: the answer is no JSON; is the base URL right?")
        return answer

    async def pages(self, path: str, query: str, following: Following) -> AsyncIterator[Any]:
        """The data of all pages.  Raises :exc:`APIError`."""
        next_query: str | None = query
        for _ in range(MAX_PAGES):
            if next_query is None:
                return
            answer = await self.call("GET", path, query=next_query)
            yield answer.data
            next_query = following(answer)
        raise APIError(f"{self._provider}: {path} has too many pages")

    async def _exchange(self, method: str, url: URL, body: Any) -> Answer:
        content, kind = _content(body)
        headers = {"Accept": "application/json", **self.headers}
        if content is not None:
            headers["Content-Type"] = kind
        try:
            async with self._session.request(
                method, url, data=content, headers=headers, allow_redirects=False
            ) as response:
                raw = await response.read()
                link = response.links.get("next")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            message = f"{self._provider} at {url.origin()} cannot be reached: {reason(error)}"
            raise APIError(message) from error
        query = URL(str(link["url"]), encoded=True).raw_query_string if link else None
        return Answer(response.status, response.headers, _data(raw), query)

    def _refusal(self, method: str, path: str, answer: Answer) -> APIError:
        wait = self._wait(answer)
        if wait is not None:
            text = f"{self._provider} asks to wait: its rate limit is used up"
            return APIError(text, status=answer.status, wait=wait)
        hint = self._hints.get(answer.status)
        text = f"{self._provider} answers {method} {path} with {answer.status}"
        if said := _said(answer.data):
            text += f": {said}"
        return APIError(text + (f" ({hint})" if hint else ""), status=answer.status)

    def _wait(self, answer: Answer) -> float | None:
        """The seconds to wait when a quota is used up, as the providers tell it."""
        headers = answer.headers
        remaining = headers.get("X-RateLimit-Remaining", headers.get("RateLimit-Remaining"))
        after = headers.get("Retry-After", "")
        if answer.status != 429 and not (answer.status == 403 and (after or remaining == "0")):
            return None
        if after.isdecimal():
            return min(float(after), LONGEST_WAIT)
        reset = headers.get("X-RateLimit-Reset", headers.get("RateLimit-Reset", ""))
        if not reset.isdecimal():
            return 0.0
        return min(max(float(reset) - self._clock.now().timestamp(), 0.0), LONGEST_WAIT)


@asynccontextmanager
async def api(
    provider: str,
    base: str,
    clock: Clock,
    *,
    hints: Mapping[int, str] | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[API]:
    """The API under the URL *base*.  Raises :exc:`ManifestError` for what is no URL."""
    if _url(base).scheme not in ("http", "https"):
        raise ManifestError(
            f"the base URL {without_login(base)!r} does not begin with https:// or http://"
        )
    connector = aiohttp.TCPConnector(limit=CONNECTIONS, ssl=True if tls is None else tls)
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=TIMEOUT,
        trust_env=tls is None,
        headers={"User-Agent": f"tiphys/{__version__}"},
    ) as session:
        yield API(session, provider, base, clock, hints or {})


def linked(answer: Answer) -> str | None:
    """Pages that a ``Link`` header leads to."""
    return answer.next


def escaped(segment: str) -> str:
    """A text as one segment of a path; a slash in it becomes ``%2F``."""
    return quote(segment, safe="")


def objects(data: Any) -> list[dict[str, Any]]:
    """A list of objects.  Raises :exc:`APIError` for anything else."""
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        raise APIError("the provider's answer has another form; is the base URL right?")
    return data


def _content(body: Any) -> tuple[bytes | None, str]:
    """A call's body and its content type."""
    if isinstance(body, Form):
        return urlencode(body).encode(), "application/x-www-form-urlencoded"
    return None if body is None else orjson.dumps(body), "application/json"


def _url(text: str) -> URL:
    try:
        url = URL(text, encoded=True)
        url.origin()
    except ValueError as error:
        shown, problem = without_login(text), without_login(str(error))  # which may quote the text
        raise ManifestError(f"{shown!r} is not a URL: {problem}") from None
    return url


def _data(raw: bytes) -> Any:
    """What the JSON says; the bytes themselves where they are none."""
    text = raw.removeprefix(GUARD)
    if not text.strip():
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return raw


def _said(data: Any) -> str:
    """What an error's body says to people."""
    if isinstance(data, bytes):
        text = data.decode("utf-8", "replace").strip()
        return "" if text.startswith("<") else text[:SHOWN]  # a web page
    return "; ".join(dict.fromkeys(_messages(data)))[:SHOWN]


def _messages(data: Any) -> list[str]:
    """The messages in a body, in whatever members the providers put them."""
    if isinstance(data, str):
        return [data]
    if isinstance(data, list):
        return [text for item in data for text in _messages(item)]
    if not isinstance(data, dict):
        return []
    members = ("message", "error", "errors", "error_description", "detail", "text")
    texts = [text for name in members for text in _messages(data.get(name))]
    return texts or [text for value in data.values() for text in _fields(value)]


def _fields(value: Any) -> list[str]:
    """Messages by field, as GitLab gives them: ``{"url": ["is blocked"]}``."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
