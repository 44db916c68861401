"""Answers that are no success, in the words of a Kubernetes API server."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from tiphys.testing.kubernetes._kinds import Kind
from tiphys.testing.kubernetes._problems import Problem


class ApiError(Exception):
    """An answer with a ``Status`` object."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": dict(metadata or {}),
            "status": "Failure",
            "message": message,
            **({"reason": reason} if reason else {}),
            **({} if details is None else {"details": dict(details)}),
            "code": code,
        }


def bad_request(message: str) -> ApiError:
    """400."""
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    """401."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(kind: Kind, name: str, said: str, causes: Any = None) -> ApiError:
    """403 for an object or a resource."""
    about = f'{kind.full_name} "{name}"' if name else kind.full_name
    details = _details(name, kind.group, kind.plural)
    if causes:
        details["causes"] = causes
    return ApiError(403, "Forbidden", f"{about} is forbidden: {said}", details)


def not_found(kind: Kind, name: str) -> ApiError:
    """404 for an object."""
    message = f'{kind.full_name} "{name}" not found'
    return ApiError(404, "NotFound", message, _details(name, kind.group, kind.plural))


def no_resource() -> ApiError:
    """404 for a resource of a group that exists."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def method_not_allowed() -> ApiError:
    """405."""
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, {})


def already_exists(kind: Kind, name: str) -> ApiError:
    """409 for a creation."""
    message = f'{kind.full_name} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, _details(name, kind.group, kind.plural))


def conflict(kind: Kind, name: str, said: str = "") -> ApiError:
    """409 for a change."""
    said = said or (
        "the object has been modified; please apply your changes to the latest version "
        "and try again"
    )
    message = f'Operation cannot be fulfilled on {kind.full_name} "{name}": {said}'
    return ApiError(409, "Conflict", message, _details(name, kind.group, kind.plural))


def expired(message: str, following: str = "") -> ApiError:
    """410; *following* continues a list inconsistently."""
    metadata = {"continue": following} if following else {}
    return ApiError(410, "Expired", message, metadata=metadata)


def unsupported_media(accepted: Sequence[str]) -> ApiError:
    """415."""
    message = (
        "the body of the request was in an unknown format - accepted media types include: "
        + ", ".join(accepted)
    )
    return ApiError(415, "UnsupportedMediaType", message)


def invalid(kind: Kind, name: str, problems: Sequence[Problem]) -> ApiError:
    """422 with its causes."""
    texts = list(dict.fromkeys(f"{problem.field}: {problem.message}" for problem in problems))
    about = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    said = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    details = _details(name, kind.group, kind.kind)
    details["causes"] = [dataclasses.asdict(problem) for problem in problems]
    return ApiError(422, "Invalid", f'{about} "{name}" is invalid: {said}', details)


def option_error(kind: str, problem: Problem) -> ApiError:
    """422 for the options of a request; *kind* is their kind, such as ``ListOptions``."""
    return ApiError(
        422,
        "Invalid",
        f'{kind}.meta.k8s.io "" is invalid: {problem.field}: {problem.message}',
        {"group": "meta.k8s.io", "kind": kind, "causes": [dataclasses.asdict(problem)]},
    )


def success(kind: Kind, name: str, uid: str) -> dict[str, Any]:
    """The answer to a deletion that is done."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {**_details(name, kind.group, kind.plural), "uid": uid},
    }


def _details(name: str, group: str, kind: str) -> dict[str, Any]:
    parts = {"name": name, "group": group, "kind": kind}
    return {key: value for key, value in parts.items() if value}
