"""One HTTP session for a trigger, and errors in words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import aiohttp

from tiphys.errors import TriggerError

T = TypeVar("T")
TIMEOUT = aiohttp.ClientTimeout(total=60)
SHOWN = 256  # characters of an answer that are kept for people


def session() -> aiohttp.ClientSession:
    """A session whose connections are kept open between firings."""
    return aiohttp.ClientSession(timeout=TIMEOUT, trust_env=True)


async def reached(what: str, call: Callable[[], Awaitable[T]]) -> T:
    """
    The result of *call*; *what* names the service in the error.

    Raises :exc:`TriggerError`, worth another try, when the service cannot be reached in time.
    """
    try:
        return await call()
    except TimeoutError as error:
        raise TriggerError(f"no answer from {what} in time") from error
    except (aiohttp.ClientError, OSError) as error:
        cause = getattr(error, "os_error", None) or error
        raise TriggerError(f"no answer from {what}: {cause or type(error).__name__}") from error
