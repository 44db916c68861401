"""Talks to a running instance."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from tiphys.errors import TiphysError

DEFAULT = "http://127.0.0.1:7778"
VARIABLE = "TIPHYS_API"
TOKEN_VARIABLE = "TIPHYS_API_TOKEN"


APIOption = Annotated[
    str | None, typer.Option("--api", envvar=VARIABLE, help="Address of the instance.")
]


class APIError(TiphysError):
    """The instance refused, or there is none."""


def call(api: str | None, method: str, path: str, body: Any = None, timeout: float = 30.0) -> Any:
    """
    The JSON answer to a request.

    The instance is the one of *api*, of the environment's ``TIPHYS_API``, or on the default port.
    Raises :exc:`APIError`.
    """
    base = _base(api)
    request = urllib.request.Request(
        base + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers=_headers(),
    )
    with _opened(request, base, timeout) as answer:
        return json.load(answer)


def lines(api: str | None, path: str) -> Iterator[Any]:
    """The JSON lines of an endless answer.  Raises :exc:`APIError`."""
    base = _base(api)
    request = urllib.request.Request(base + path, headers=_headers())
    with _opened(request, base, None) as answer:
        for line in answer:
            yield json.loads(line)


def query(**values: str | None) -> str:
    """Query parameters, without those that are not given."""
    given = {name: value for name, value in values.items() if value}
    return f"?{urllib.parse.urlencode(given)}" if given else ""


def _base(api: str | None) -> str:
    return (api or os.environ.get(VARIABLE) or DEFAULT).rstrip("/")


def _headers() -> dict[str, str]:
    headers = {"Content-Type": "application/json"}
    if token := os.environ.get(TOKEN_VARIABLE):
        headers["Authorization"] = f"Bearer {token}"
    return headers


def _opened(request: urllib.request.Request, base: str, timeout: float | None) -> Any:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        return opener.open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        raise APIError(_refusal(error)) from error
    except (urllib.error.URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise APIError(
            f"no running instance answers at {base} ({reason}); start one with `tiphys run PATH`, "
            f"or say where it is with --api or {VARIABLE}"
        ) from error


def _refusal(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["error"])
    except (ValueError, KeyError, TypeError):
        return f"the instance answered {error.code} {error.reason}"
