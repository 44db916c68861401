"""Resources that are questions: may I, who am I, a token please, what did the pod print."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

from tiphys.testing.kubernetes._access import Access, Identities, service_account
from tiphys.testing.kubernetes._answers import bad_request, invalid, not_found
from tiphys.testing.kubernetes._kinds import Kind
from tiphys.testing.kubernetes._problems import Problem
from tiphys.testing.kubernetes._requests import Request, User
from tiphys.testing.kubernetes._store import Object, Store

HOUR = 3600  # seconds
SHORTEST = 600  # seconds that a token may live


def access_review(request: Request, body: Any, access: Access) -> Object:
    """``SelfSubjectAccessReview``: whether the one who asks may do something."""
    spec = _spec(body)
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource:
        asked = dataclasses.replace(
            request,
            verb=resource.get("verb", ""),
            group=resource.get("group", ""),
            plural=resource.get("resource", ""),
            subresource=resource.get("subresource", ""),
            namespace=resource.get("namespace", ""),
            name=resource.get("name", ""),
        )
    elif path:
        asked = dataclasses.replace(
            request, verb=path.get("verb", ""), path=path.get("path", ""), plural=""
        )
    else:
        raise bad_request("exactly one of resourceAttributes and nonResourceAttributes is needed")
    allowed = access.allowed(request.user, asked)
    return {**body, "metadata": {"creationTimestamp": None}, "status": {"allowed": allowed}}


def self_review(request: Request, body: Any) -> Object:
    """``SelfSubjectReview``: who asks."""
    user = {"username": request.user.name, "groups": list(request.user.groups)}
    _spec(body)
    return {**body, "metadata": {"creationTimestamp": None}, "status": {"userInfo": user}}


def token_request(
    request: Request, kind: Kind, body: Any, store: Store, identities: Identities
) -> Object:
    """``serviceaccounts/NAME/token``: a token for a service account."""
    if store.get(kind.key, (request.namespace, request.name)) is None:
        raise not_found(kind, request.name)
    spec = _spec(body)
    seconds = spec.get("expirationSeconds") or HOUR
    if seconds < SHORTEST:
        text = "may not specify a duration less than 10 minutes"
        problem = Problem.invalid("spec.expirationSeconds", seconds, text)
        review = dataclasses.replace(kind, group="authentication.k8s.io", kind="TokenRequest")
        raise invalid(review, "", [problem])
    user: User = service_account(request.namespace, request.name)
    expires = datetime.now(UTC) + timedelta(seconds=seconds)
    return {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": request.name, "namespace": request.namespace},
        "spec": {**spec, "expirationSeconds": seconds},
        "status": {
            "token": identities.issue(user),
            "expirationTimestamp": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
    }


class Logs:
    """What the containers of pods printed."""

    def __init__(self) -> None:
        self._texts: dict[tuple[str, str, str], str] = {}

    def set(self, namespace: str, pod: str, container: str, text: str) -> None:
        """Let a container have printed *text*."""
        self._texts[namespace, pod, container] = text

    def read(self, request: Request, pod: Object) -> str:
        """The answer to ``pods/NAME/log``.  Raises a 400 for a container that cannot be told."""
        names = [c["name"] for c in pod["spec"].get("containers") or []]
        name = request.query.get("container", "")
        if not name and len(names) > 1:
            raise bad_request(
                f"a container name must be specified for pod {request.name}, choose one of: "
                f"[{' '.join(names)}]"
            )
        name = name or names[0]
        if name not in names:
            raise bad_request(f"container {name} is not valid for pod {request.name}")
        text = self._texts.get((request.namespace, request.name, name), "")
        if (lines := request.query.get("tailLines")) is not None:
            kept = text.splitlines(keepends=True)
            text = "".join(kept[len(kept) - min(int(lines), len(kept)) :])
        return text


def _spec(body: Any) -> Object:
    if not isinstance(body, dict):
        raise bad_request("the body of the request is no object")
    spec: Object = body.get("spec") or {}
    return spec
