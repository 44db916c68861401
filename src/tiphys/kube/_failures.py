"""Answers of the API server that are no success, as errors that say what to do."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import orjson

from tiphys.errors import (
    AlreadyExists,
    ClusterUnavailable,
    Forbidden,
    Gone,
    Invalid,
    KubernetesError,
    NotFound,
    TooManyRequests,
    UpdateConflict,
)
from tiphys.kube._resources import Resource

SHOWN = 512  # characters of an answer that is no Status object
TOO_NEW = "ResourceVersionTooLarge"
UNAVAILABLE = (502, 503, 504)
CLASSES: dict[int, type[KubernetesError]] = {
    403: Forbidden,
    404: NotFound,
    409: UpdateConflict,
    410: Gone,
    422: Invalid,
    429: TooManyRequests,
    **dict.fromkeys(UNAVAILABLE, ClusterUnavailable),
}
_NOT_AUTHORIZED = re.compile(r'User "[^"]*" cannot ')


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """What a request is about."""

    verb: str
    resource: Resource | None = None
    namespace: str | None = None
    name: str = ""
    subresource: str = ""

    def __str__(self) -> str:
        """``create workflows.argoproj.io in namespace ci``."""
        if self.resource is None:
            return self.verb
        full = str(self.resource) + (f"/{self.subresource}" if self.subresource else "")
        place = f" in namespace {self.namespace}" if self.namespace else ""
        return f"{self.verb} {full}{f' {self.name}' if self.name else ''}{place}"

    def rule(self) -> str:
        """The Role or ClusterRole that would allow it, as YAML."""
        assert self.resource is not None
        plural = self.resource.plural + (f"/{self.subresource}" if self.subresource else "")
        kind = "Role" if self.namespace else "ClusterRole"
        namespace = f"\n  namespace: {self.namespace}" if self.namespace else ""
        return (
            f"apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\n"
            f"metadata:\n  name: tiphys{namespace}\n"
            f'rules:\n- apiGroups: ["{self.resource.group}"]\n'
            f'  resources: ["{plural}"]\n  verbs: ["{self.verb}"]'
        )


def failure(
    status: int, body: bytes, headers: Mapping[str, str], target: Target
) -> KubernetesError:
    """The error for an answer with *status*."""
    retry_after = _seconds(headers.get("Retry-After", ""))
    return from_status(_status(body, status), status, target, retry_after)


def from_status(
    answer: Mapping[str, Any], status: int, target: Target, retry_after: float | None = None
) -> KubernetesError:
    """The error for a ``Status`` object, as answers and watches carry it."""
    reason, said = str(answer.get("reason") or ""), str(answer.get("message") or "")
    details = answer.get("details") or {}
    if retry_after is None and "retryAfterSeconds" in details:
        retry_after = float(details["retryAfterSeconds"])
    kind = AlreadyExists if reason == "AlreadyExists" else CLASSES.get(status, KubernetesError)
    if any(cause.get("reason") == TOO_NEW for cause in details.get("causes") or ()):
        kind = Gone  # the server was restored from a backup: the version is of a lost future
    message = f"cannot {target}: {said or f'HTTP status {status}'}"
    if status == 403 and target.resource is not None and _NOT_AUTHORIZED.search(said):
        message += f"\nthis would allow it, bound to that user:\n{target.rule()}"
    return kind(message, status=status, reason=reason, details=details, retry_after=retry_after)


def _status(body: bytes, status: int) -> Mapping[str, Any]:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = None
    if isinstance(answer, dict) and answer.get("kind") == "Status":
        return answer
    text = body.decode(errors="replace").strip()[:SHOWN]
    return {"message": f"HTTP status {status}{f': {text}' if text else ''}"}


def _seconds(text: str) -> float | None:
    return float(text) if text.isdecimal() else None
