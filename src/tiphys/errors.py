"""
Every error this package raises on purpose.

* TiphysError
  + ManifestError          the manifest is wrong; retrying cannot help
  + MissingExtraError      an optional dependency is not installed
  + UnknownComponentError  no component is registered under a manifest key
  + SecretError            a Secret or ConfigMap value cannot be found
  + BusError               the bus did not do what it was asked for; worth another try
    - BusUnavailable       there is no link to the bus at the moment
    - PublishError         the bus did not take the event; the source must not acknowledge it
      . EventTooLarge      it is bigger than the bus takes; trying again cannot help
    - Conflict             somebody else changed a value of the state first
    - EventDecodeError     a message on the bus is not a CloudEvent
  + KubernetesError        the Kubernetes API refused a request, or the cluster cannot be found
    - ClusterNotConfigured no cluster is configured, or its configuration is wrong
    - ClusterUnavailable   no API server answers; worth another try
    - NotFound             there is no such object or kind
    - AlreadyExists        an object of this name is there
    - UpdateConflict       somebody else changed or owns what was to be written; read again
    - Gone                 the resource version is too old; list again
    - Forbidden            the identity may not do this
    - Invalid              the object is not accepted as it is; retrying cannot help
    - TooManyRequests      the server asks to come back later
  + SourceError            the service an event source listens to refused or cannot be reached
  + ActionError            one attempt of an action failed
    - TriggerError         the target refused or could not be reached
    - ParameterError       a parameter or payload could not be resolved from the events
    - PolicyError          the outcome is one that the trigger's policy calls a failure

Two questions decide a class: is it worth trying again, and whose fault is it?  The languages of
:mod:`tiphys.languages` have a tree of their own, because that package stands alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = [
    "ActionError",
    "AlreadyExists",
    "BusError",
    "BusUnavailable",
    "ClusterNotConfigured",
    "ClusterUnavailable",
    "Conflict",
    "EventDecodeError",
    "EventTooLarge",
    "Forbidden",
    "Gone",
    "Invalid",
    "KubernetesError",
    "ManifestError",
    "MissingExtraError",
    "NotFound",
    "ParameterError",
    "PolicyError",
    "PublishError",
    "SecretError",
    "SourceError",
    "TiphysError",
    "TooManyRequests",
    "TriggerError",
    "UnknownComponentError",
    "UpdateConflict",
]


class TiphysError(Exception):
    """Base of all errors raised on purpose; anything else is a bug."""


class ManifestError(TiphysError):
    """
    The manifest is wrong; retrying cannot help.

    *path* is the field path inside the document, *file* and *line* (from 1) the place where it
    stands; each is absent where it is not known.
    """

    def __init__(
        self, message: str, *, path: str = "", file: str | None = None, line: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.file = file
        self.line = line

    def __str__(self) -> str:
        """``file:line: path: message``, as far as the parts are known."""
        place = self.file or ""
        if place and self.line is not None:
            place += f":{self.line}"
        return ": ".join(part for part in (place, self.path, self.message) if part)


class MissingExtraError(TiphysError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, kind: str, key: str, module: str) -> None:
        extra = module.partition(".")[0]  # extras are named after what one imports
        super().__init__(
            f"{kind} {key!r} needs the module {module!r}, which is not installed; "
            f"run: pip install 'tiphys[{extra}]'"
        )


class UnknownComponentError(TiphysError, LookupError):
    """No component is registered under this manifest key."""


class SecretError(TiphysError, LookupError):
    """A Secret or ConfigMap value cannot be found; the message names it and the places tried."""


class BusError(TiphysError):
    """The bus did not do what it was asked for; worth another try."""


class BusUnavailable(BusError):
    """There is no link to the bus at the moment."""


class PublishError(BusError):
    """The bus did not take the event; the source must not acknowledge it."""


class EventTooLarge(PublishError):
    """The event is bigger than the bus takes; trying again cannot help."""


class Conflict(BusError):
    """Somebody else changed a value of the state first; read again."""


class EventDecodeError(BusError):
    """A message on the bus is not a CloudEvent; trying again cannot help."""


class KubernetesError(TiphysError):
    """
    The Kubernetes API refused a request, or the cluster cannot be found.

    *status* is the HTTP status (0 without an answer), *reason* and *details* are those of the
    server's ``Status`` object, *retry_after* the seconds it asks to wait, where it does.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        reason: str = "",
        details: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.reason = reason
        self.details: Mapping[str, Any] = details or {}
        self.retry_after = retry_after


class ClusterNotConfigured(KubernetesError):
    """No cluster is configured, or its configuration is wrong; the message names what was tried."""


class ClusterUnavailable(KubernetesError):
    """No API server answers; worth another try."""


class NotFound(KubernetesError):
    """There is no such object or kind."""


class AlreadyExists(KubernetesError):
    """An object of this name is there."""


class UpdateConflict(KubernetesError):
    """Somebody else changed or owns what was to be written; read again."""


class Gone(KubernetesError):
    """The resource version or the page is too old; list again."""


class Forbidden(KubernetesError):
    """The identity may not do this; the message has the rule that would allow it."""


class Invalid(KubernetesError):
    """The object is not accepted as it is; retrying cannot help."""


class TooManyRequests(KubernetesError):
    """The server asks to come back later, after *retry_after* seconds where it says so."""


class SourceError(TiphysError):
    """The service an event source listens to refused or cannot be reached; worth another try."""


class ActionError(TiphysError):
    """
    One attempt of an action failed.

    *retryable*: may the same attempt succeed later?  *retry_after*: seconds that the target asked
    for; the next attempt waits at least that long.
    """

    def __init__(self, message: str, *, retryable: bool = True, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.retry_after = retry_after


class TriggerError(ActionError):
    """The target refused or could not be reached."""


class ParameterError(ActionError):
    """A parameter or payload could not be resolved from the events."""


class PolicyError(ActionError):
    """The outcome is one that the trigger's policy calls a failure."""
