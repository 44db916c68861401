"""Patches of every type: what they make of an object, and for an apply who owns it then."""

from __future__ import annotations

import dataclasses
from typing import Any

from tiphys.testing.kubernetes._answers import ApiError, bad_request, unsupported_media
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
APPLY = ("application/apply-patch+yaml", "application/apply-patch+cbor")


class Change:
    """One patch; *fields* are those that an apply makes the manager's own."""

    def __init__(self, kind: Kind, content_type: str, body: Any) -> None:
        self.body = body
        self.creates = content_type in APPLY
        self.operation = "Apply" if self.creates else "Update"
        self.fields: set[Path] | None = tracked(body, kind.type) if self.creates else None
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
        conflicts = ownership.conflicts(manager, old, new, self._kind.type)
        if conflicts and not force:
            raise apply_conflict(conflicts)
        ownership.applied(manager, self.fields, old, new, self._kind.type, moment)

    def first_entries(self, manager: Manager, moment: str) -> list[Object]:
        """The managed fields of an object that an apply created."""
        ownership = Ownership({})
        assert self.fields is not None
        ownership.applied(manager, self.fields, {}, {}, self._kind.type, moment)
        return ownership.written()


class Changes:
    """Reads patches."""

    def of(self, request: Request, kind: Kind, body: Any) -> Change:
        """The patch that *request* carries.  Raises for what is none for this kind."""
        content_type = request.content_type.partition(";")[0].strip()
        accepted = [JSON, MERGE, *((STRATEGIC,) if not kind.custom else ()), *APPLY]
        if content_type not in accepted:
            raise unsupported_media(accepted)
        if content_type in APPLY:
            _check_apply(request, kind, body)
        elif content_type != JSON and not isinstance(body, dict):
            raise bad_request("json: cannot unmarshal array into Go value of type map")
        return Change(kind, content_type, body)


def _check_apply(request: Request, kind: Kind, body: Any) -> None:
    if not request.query.get("fieldManager"):
        problem = Problem.required("fieldManager", "is required for apply patch")
        raise ApiError(
            422,
            "Invalid",
            f'PatchOptions.meta.k8s.io "" is invalid: {problem.field}: {problem.message}',
            {
                "group": "meta.k8s.io",
                "kind": "PatchOptions",
                "causes": [dataclasses.asdict(problem)],
            },
        )
    if not isinstance(body, dict) or body.get("kind") != kind.kind:
        raise bad_request(f"the apply configuration is no {kind.kind}")
    if body.get("apiVersion") != kind.api_version:
        raise bad_request(
            f"Incorrect version specified in apply patch. Specified patch version: "
            f"{body.get('apiVersion')}, expected: {kind.api_version}"
        )
    metadata = body.get("metadata") or {}
    if metadata.get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
