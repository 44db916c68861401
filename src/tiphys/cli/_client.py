"""Talks to a running instance."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from typing import Any

from tiphys.errors import TiphysError

DEFAULT = "http://127.0.0.1:7778"
VARIABLE = "TIPHYS_API"


class APIError(TiphysError):
    """The instance refused, or there is none."""


def call(api: str | None, method: str, path: str, body: Any = None, timeout: float = 30.0) -> Any:
    """
    The JSON answer to a request.

    The instance is the one of *api*, of the environment's ``TIPHYS_API``, or on the default port.
    Raises :exc:`APIError`.
    """
    base = (api or os.environ.get(VARIABLE) or DEFAULT).rstrip("/")
    request = urllib.request.Request(
        base + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=timeout) as answer:
            return json.load(answer)
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
