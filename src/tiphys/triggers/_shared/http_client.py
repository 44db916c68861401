"""One HTTP session for a trigger, and errors in words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import aiohttp

from tiphys.errors import TriggerError
from tiphys.system import without_login

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
        raise TriggerError(f"no answer from {what}: {reason(error)}") from error


def reason(error: Exception) -> str:
    """Why there is no answer, without the words of the library around it, and without a login."""
    text = str(getattr(error, "os_error", None) or error) or type(error).__name__
    quotes_address = isinstance(error, ValueError | aiohttp.NonHttpUrlClientError)
    return without_login(text) if quotes_address else text
