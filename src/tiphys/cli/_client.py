"""Talks to a running instance."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http import HTTPStatus
from typing import Annotated, Any

import typer

from tiphys.errors import TiphysError

DEFAULT = "http://127.0.0.1:7778"
VARIABLE = "TIPHYS_API"
TOKEN_VARIABLE = "TIPHYS_API_TOKEN"
WHERE = f"say where the API is with --api or {VARIABLE}, as in {DEFAULT}"


APIOption = Annotated[
    str | None, typer.Option("--api", envvar=VARIABLE, help="Address of the instance.")
]


class APIError(TiphysError):
    """The instance refused, or there is none."""


def call(api: str | None, method: str, path: str, body: Any = None, timeout: float = 30.0) -> Any:
    """
    The JSON answer to a request.

    The instance is the one of *api*, of the environment's ``TIPHYS_API``, or on the default port.
    *path* is made of :func:`segment` and :func:`query` where it has values in it.  Raises
    :exc:`APIError`.
    """
    data = None if body is None else json.dumps(body).encode()
    with _answer(api, method, path, data, timeout) as answer:
        return json.load(answer)


def lines(api: str | None, path: str) -> Iterator[Any]:
    """The JSON lines of an endless answer.  Raises :exc:`APIError`."""
    with _answer(api, "GET", path, None, None) as answer:
        for line in answer:
            yield json.loads(line)


def segment(value: str) -> str:
    """*value*, an id or a name, as a part of a path; what is no UTF-8 stays as it is."""
    return urllib.parse.quote(value, safe="", errors="surrogateescape")


def query(**values: str | None) -> str:
    """Query parameters, without those that are not given."""
    given = {name: value for name, value in values.items() if value}
    return f"?{urllib.parse.urlencode(given, errors='surrogateescape')}" if given else ""


@contextlib.contextmanager
def _answer(
    api: str | None, method: str, path: str, data: bytes | None, timeout: float | None
) -> Iterator[Any]:
    """The answer to a request; whatever goes wrong, also while it is read, is :exc:`APIError`."""
    base = _base(api)
    request = urllib.request.Request(base + path, data, _headers(), method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=timeout) as answer:
            yield answer
    except urllib.error.HTTPError as error:
        raise APIError(_refusal(error, base)) from error
    except TimeoutError as error:
        raise APIError(
            f"the instance at {base} did not answer within {timeout:g} s; ask for less"
        ) from error
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise APIError(
            f"no running instance answers at {base} ({reason}); start one with `tiphys run PATH`, "
            f"or say where it is with --api or {VARIABLE}"
        ) from error
    except (http.client.HTTPException, ValueError) as error:
        raise APIError(
            f"what answers at {base} is not the API of a running instance; {WHERE}"
        ) from error


def _base(api: str | None) -> str:
    """The address of the API, without a slash at its end.  Raises :exc:`APIError`."""
    given = (api or os.environ.get(VARIABLE) or DEFAULT).strip()
    try:
        parts = urllib.parse.urlsplit(given)
        whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        whole = False
    odd = not given.isascii() or not given.isprintable() or any(each in given for each in " @?#")
    if not whole or odd:
        raise APIError(f"{given!r} is not the address of an API; {WHERE}")
    return given.rstrip("/")


def _headers() -> dict[str, str]:
    headers = {"Content-Type": "application/json"}
    if token := os.environ.get(TOKEN_VARIABLE, "").strip():
        if not token.isprintable():
            raise APIError(f"the value of {TOKEN_VARIABLE} is not a token: it must be one line")
        # http.client writes headers in Latin-1; the instance compares bytes of UTF-8.
        headers["Authorization"] = f"Bearer {token}".encode().decode("latin-1")
    return headers


def _refusal(error: urllib.error.HTTPError, base: str) -> str:
    try:
        return str(json.load(error)["error"])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        if error.code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return f"the instance at {base} failed ({error.code} {error.reason}); its log says why"
        return (
            f"what answers at {base} is not the API of a running instance: "
            f"{error.code} {error.reason}; {WHERE}"
        )
