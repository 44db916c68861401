"""Who is asking, and whether they may: bearer tokens and RBAC."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from tiphys.testing.kubernetes._answers import ApiError, unauthorized
from tiphys.testing.kubernetes._requests import Request, User
from tiphys.testing.kubernetes._store import Object, Store

RBAC = "rbac.authorization.k8s.io"
MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"
ADMIN = User("kubernetes-admin", (MASTERS, AUTHENTICATED))
ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))


class Identities:
    """The tokens that the server knows."""

    def __init__(self) -> None:
        self._users: dict[str, User] = {}

    def issue(self, user: User) -> str:
        """A new token for *user*."""
        token = secrets.token_urlsafe(24)
        self._users[token] = user
        return token

    def revoke(self, token: str) -> None:
        """Know *token* no more."""
        self._users.pop(token, None)

    def user(self, authorization: str, otherwise: User) -> User:
        """Whom a header names; *otherwise* without one.  Raises a 401 for unknown tokens."""
        if not authorization:
            return otherwise
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or token not in self._users:
            raise unauthorized()
        return self._users[token]


def service_account(namespace: str, name: str) -> User:
    """The user that a service account is."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)
    return User(f"system:serviceaccount:{namespace}:{name}", groups)


class Access:
    """Decides by the roles and bindings in the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def check(self, request: Request) -> None:
        """Raise a 403 if the request is not allowed."""
        if not self.allowed(request.user, request):
            raise _denied(request)

    def allowed(self, user: User, request: Request) -> bool:
        """Whether *user* may do what *request* asks for."""
        if MASTERS in user.groups:
            return True
        return any(_covers(rule, request) for rule in self._rules(user, request.namespace))

    def _rules(self, user: User, namespace: str) -> Iterator[Mapping[str, Any]]:
        for binding in self._store.items(f"{RBAC}/clusterrolebindings"):
            if _binds(binding, user, ""):
                yield from self._role(binding["roleRef"], "")
        if namespace:
            for binding in self._store.items(f"{RBAC}/rolebindings", namespace):
                if _binds(binding, user, namespace):
                    yield from self._role(binding["roleRef"], namespace)

    def _role(self, ref: Mapping[str, str], namespace: str) -> list[Mapping[str, Any]]:
        whole = ref["kind"] == "ClusterRole"
        plural, place = ("clusterroles", "") if whole else ("roles", namespace)
        role = self._store.get(f"{RBAC}/{plural}", (place, ref["name"])) or {}
        rules: list[Mapping[str, Any]] = role.get("rules") or []
        return rules


def _binds(binding: Object, user: User, namespace: str) -> bool:
    for subject in binding.get("subjects") or []:
        kind, name = subject.get("kind"), subject.get("name")
        if kind == "User" and name == user.name:
            return True
        if kind == "Group" and name in user.groups:
            return True
        if kind == "ServiceAccount":
            place = subject.get("namespace") or namespace
            if user.name == f"system:serviceaccount:{place}:{name}":
                return True
    return False


def _covers(rule: Mapping[str, Any], request: Request) -> bool:
    if not _has(rule.get("verbs"), request.verb):
        return False
    if not request.resource:
        return any(
            request.path == url or (url.endswith("*") and request.path.startswith(url[:-1]))
            for url in rule.get("nonResourceURLs") or []
        )
    names = rule.get("resourceNames") or []
    return (
        _has(rule.get("apiGroups"), request.group)
        and _has_resource(rule.get("resources") or [], request)
        and (not names or request.name in names)
    )


def _has(allowed: Any, value: str) -> bool:
    return "*" in (allowed or []) or value in (allowed or [])


def _has_resource(allowed: list[str], request: Request) -> bool:
    full = request.plural + (f"/{request.subresource}" if request.subresource else "")
    wanted = {"*", full}
    if request.subresource:
        wanted.add(f"*/{request.subresource}")
    return any(item in wanted for item in allowed)


def _denied(request: Request) -> ApiError:
    user = f'User "{request.user.name}" cannot {request.verb}'
    if not request.resource:
        return ApiError(403, "Forbidden", f'forbidden: {user} path "{request.path}"', {})
    full = request.plural + (f"/{request.subresource}" if request.subresource else "")
    place = (
        f'in the namespace "{request.namespace}"' if request.namespace else "at the cluster scope"
    )
    group = f".{request.group}" if request.group else ""
    about = request.plural + group + (f' "{request.name}"' if request.name else "")
    message = (
        f'{about} is forbidden: {user} resource "{full}" in API group "{request.group}" {place}'
    )
    details = {"name": request.name, "group": request.group, "kind": request.plural}
    return ApiError(
        403, "Forbidden", message, {key: value for key, value in details.items() if value}
    )
