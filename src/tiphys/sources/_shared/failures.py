"""Why a service cannot be used, in the same words for every event source."""

from __future__ import annotations

import errno
import os
import ssl
from collections.abc import Iterator

from tiphys.errors import SourceError

CONNECT = 4.0
"""
Seconds within which a connection must stand, credentials checked.

Less than the runtime's ``STEADY``, so that its pauses grow while there is no connection.
"""


def unreachable(service: str, error: BaseException) -> SourceError:
    """No connection; *service* is its kind and address, such as ``Redis at redis:6379``."""
    return SourceError(f"{service} cannot be reached: {reason(error)}")


def refused(service: str, answer: object) -> SourceError:
    """The service does not accept who we say that we are."""
    return SourceError(f"{service} refuses the credentials: {answer}")


def lost(service: str, error: BaseException) -> SourceError:
    """A connection that stood does no longer."""
    return SourceError(f"the connection to {service} broke: {reason(error)}")


def reason(error: BaseException) -> str:
    """The cause in a few words, without what libraries wrap around it."""
    causes = list(_causes(error))
    for cause in causes:  # which libraries like to hide in errors with the same number
        if isinstance(cause, ssl.SSLError):
            return str(cause.args[-1])
    for cause in causes:
        if isinstance(cause, OSError) and cause.strerror is not None:
            known = cause.errno in errno.errorcode  # others are no errors of the system
            return os.strerror(cause.errno) if known and cause.errno else cause.strerror
        if isinstance(cause, TimeoutError):
            return "no answer in time"
    return str(error) or type(error).__name__


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
