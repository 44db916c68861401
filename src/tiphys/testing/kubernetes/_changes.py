"""Patches of every type: what they make of an object, and for an apply who owns it then."""

from __future__ import annotations

from typing import Any

from tiphys.testing.kubernetes._answers import (
    ApiError,
    bad_request,
    option_error,
    unsupported_media,
)
from tiphys.testing.kubernetes._decode import decode
from tiphys.testing.kubernetes._fields import Path
from tiphys.testing.kubernetes._kinds import Kind
from tiphys.testing.kubernetes._managers import (
    Manager,
    Ownership,
    apply_conflict,
    merged,
    tracked,
    without,
)
from tiphys.testing.kubernetes._patches import json_patched, merge_patched
from tiphys.testing.kubernetes._problems import Problem
from tiphys.testing.kubernetes._requests import Request
from tiphys.testing.kubernetes._strategic import strategic_patched

Object = dict[str, Any]
JSON = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


class Change:
    """One patch; *fields* are those that an apply makes the manager's own."""

    def __init__(self, kind: Kind, content_type: str, body: Any, subresource: str = "") -> None:
        self.body = body
        self.creates = content_type == APPLY
        self.operation = "Apply" if self.creates else "Update"
        self.fields: set[Path] | None = None
        if self.creates:
            self.fields = tracked(_writable(body, kind, subresource), kind.type)
        self._kind = kind
        self._content_type = content_type

    def carried_out(self, old: Object, ownership: Ownership, manager: Manager) -> Any:
        """What the patch makes of *old*."""
        if self._content_type == JSON:
            return json_patched(old, self.body)
        if self._content_type == MERGE:
            return merge_patched(old, self.body)
        if self._content_type == STRATEGIC:
            return strategic_patched(old, self.body, self._kind.type)
        assert self.fields is not None
        result = merged(old, self.body, self._kind.type)
        gone = ownership.of(manager) - self.fields
        kept = self.fields | ownership.others(manager)
        return without(result, self._kind.type, gone, kept)

    def settle(
        self,
        ownership: Ownership,
        manager: Manager,
        old: Object,
        new: Object,
        *,
        force: bool,
        moment: str,
    ) -> None:
        """Note who owns what after an apply.  Raises a 409 where it takes from others."""
        assert self.fields is not None
        ownership.booked(
            manager, _writable(old, self._kind, manager.subresource), self._kind.type, moment
        )
        conflicts = ownership.conflicts(manager, old, new, self._kind.type)
        if conflicts and not force:
            raise apply_conflict(conflicts)
        ownership.applied(manager, self.fields, old, new, self._kind.type, moment)


def read_patch(request: Request, kind: Kind, body: Any) -> Change:
    """The patch that *request* carries.  Raises for what is none for this kind."""
    content_type = request.content_type.partition(";")[0].strip()
    accepted = [JSON, MERGE, *((STRATEGIC,) if not kind.custom else ()), APPLY]
    if content_type not in accepted:
        if content_type in (JSON, MERGE, STRATEGIC, APPLY):
            raise unsupported_media(accepted)
        raise ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
    if content_type == APPLY:
        _check_apply(request, kind, body)
    elif request.query.get("force"):
        text = "may not be specified for non-apply patch"
        raise option_error("PatchOptions", Problem.forbidden("force", text))
    elif content_type != JSON and not isinstance(body, dict):
        raise bad_request(
            "error decoding patch: json: cannot unmarshal array into Go value of type "
            "map[string]interface {}"
        )
    return Change(kind, content_type, body, request.subresource)


def _writable(obj: Object, kind: Kind, subresource: str) -> Object:
    """*obj* without what a write leaves alone that is to it or to its status."""
    if subresource == "status":
        apart = {"spec", "metadata"} if kind.custom else {"spec"}
    else:
        apart = {"status"} & set(kind.subresources)
    return {key: value for key, value in obj.items() if key not in apart}


def _check_apply(request: Request, kind: Kind, body: Any) -> None:
    if not request.query.get("fieldManager"):
        problem = Problem.required("fieldManager", "is required for apply patch")
        raise option_error("PatchOptions", problem)
    version, name = body.get("apiVersion") or "", body.get("kind") or ""
    shown = version if "/" in version else f"/{version}"
    if (version, name) != (kind.api_version, kind.kind):
        raise bad_request(f"invalid object type: {shown}, Kind={name}")
    if (body.get("metadata") or {}).get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    unknown: list[str] = []
    decode(body, kind.type, unknown, lean=False)
    if unknown and not kind.custom:
        place = (body.get("metadata") or {}).get("namespace", "")
        said = f"({place}/{request.name}; {shown}, Kind={name}): .{unknown[0]}"
        message = f"failed to create typed patch object {said}: field not declared in schema"
        raise ApiError(500, "", message)
