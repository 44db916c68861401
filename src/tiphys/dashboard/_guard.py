"""What keeps other people's web pages away from an API that demands no token."""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from tiphys.dashboard._operations import answer
from tiphys.system import is_loopback

READING = ("GET", "HEAD")
AUTHORITY = re.compile(r"(\[[^\[\]]+\]|[^:\[\]]+)(:\d*)?")  # RFC 3986, section 3.2


class LoopbackOnly:
    """
    Lets only requests pass that programs of this machine send on their own.

    A browser on this machine reaches the loopback as well, for any page that it shows.  Where a
    page's own name leads to the loopback (DNS rebinding), the Host is that name; what a page sends
    elsewhere has its Origin.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (wrong := _wrong(scope["method"], Headers(scope=scope))):
            text = f"{wrong}; an API without a token is for this machine only: set --api-token"
            await answer({"error": text}, 403)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _wrong(method: str, headers: Headers) -> str:
    """What speaks against a request; nothing if it may pass."""
    hosts = headers.getlist("host")
    if not hosts or not all(_is_loopback(host) for host in hosts):
        return f"the Host {', '.join(hosts)!r} is not a name of the loopback"
    if method not in READING:
        for origin in headers.getlist("origin"):
            if not _is_loopback_origin(origin):
                return f"the Origin {origin!r} is not on the loopback"
    return ""


def _is_loopback_origin(origin: str) -> bool:
    scheme, _, authority = origin.partition("://")
    return scheme in ("http", "https") and _is_loopback(authority)


def _is_loopback(authority: str) -> bool:
    """Whether *authority*, a host with or without its port, is of the loopback."""
    parts = AUTHORITY.fullmatch(authority)
    return parts is not None and is_loopback(parts[1].strip("[]"))
