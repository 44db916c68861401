"""Lists: selected, cut into pages, as they were at one revision."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from tiphys.testing.kubernetes._answers import ApiError, bad_request, expired, option_error
from tiphys.testing.kubernetes._kinds import Kind
from tiphys.testing.kubernetes._lifecycle import presented
from tiphys.testing.kubernetes._problems import Problem
from tiphys.testing.kubernetes._requests import Request
from tiphys.testing.kubernetes._selectors import Matches, field_selector, label_selector
from tiphys.testing.kubernetes._store import Object, Store

TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can "
    "start a new list without the continue parameter, or use the continue token in this response "
    "to retrieve the remainder of the results. Continuing with the provided token results in an "
    "inconsistent list - objects that were created, modified, or deleted between the time the "
    "first chunk was returned and now may show up in the list."
)


def selection(request: Request, kind: Kind) -> Matches:
    """The test for the objects that *request* wants.  Raises a 400 for a wrong selector."""
    tests = []
    if text := request.query.get("labelSelector"):
        tests.append(label_selector(text))
    if text := request.query.get("fieldSelector"):
        tests.append(field_selector(text, kind))
    return lambda obj: all(test(obj) for test in tests)


def listed(request: Request, kind: Kind, store: Store) -> Object:
    """The list that *request* wants, or one page of it."""
    matches = selection(request, kind)
    limit = _number(request.query, "limit")
    namespace = request.namespace or None
    token = request.query.get("continue", "")
    if token:
        revision, start = _read_token(token, store)
    else:
        revision, start = _revision(request, kind, store), ""
    objects = [
        obj
        for obj in store.snapshot(kind.key, revision, namespace)
        if _position(obj) > start and matches(obj)
    ]
    page = objects[:limit] if limit else objects
    metadata: Object = {"resourceVersion": str(revision)}
    if len(page) < len(objects):
        metadata["continue"] = _token(revision, _position(page[-1]))
        if not (request.query.get("labelSelector") or request.query.get("fieldSelector")):
            metadata["remainingItemCount"] = len(objects) - len(page)
    items = [presented(obj, kind) for obj in page]
    if not kind.custom:  # the items of built-in lists do not say what they are
        for item in items:
            del item["kind"], item["apiVersion"]
    return {
        "kind": kind.name_of_list,
        "apiVersion": kind.api_version,
        "metadata": metadata,
        "items": items,
    }


def _revision(request: Request, kind: Kind, store: Store) -> int:
    """The revision to show, after ``resourceVersion`` and ``resourceVersionMatch``."""
    version = request.query.get("resourceVersion", "")
    match = request.query.get("resourceVersionMatch", "")
    if match and not version:
        raise _list_options_error(
            "resourceVersionMatch is forbidden unless resourceVersion is provided"
        )
    if match not in ("", "Exact", "NotOlderThan"):
        known = ("Exact", "NotOlderThan", "")
        problem = Problem.unsupported("resourceVersionMatch", match, known)
        raise option_error("ListOptions", problem)
    if match == "Exact" and version == "0":
        raise _list_options_error(
            'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        )
    if not version or version == "0":
        return store.revision
    try:
        wanted = revision_of(version)
    except ValueError as error:
        raise bad_request(f"invalid resource version: {error}") from error
    if wanted > store.revision:
        raise ApiError(
            504,
            "Timeout",
            f"Timeout: Too large resource version: {wanted}, current: {store.revision}",
            {
                "causes": [
                    {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
                ],
                "retryAfterSeconds": 1,
            },
        )
    exact = match == "Exact" or (not match and bool(request.query.get("limit")))
    if not exact:
        return store.revision
    if wanted < store.compacted:
        raise expired(f"The provided resource version is too old: {wanted} ({store.compacted})")
    return wanted


def revision_of(text: str) -> int:
    """A resource version as a number.  Raises :exc:`ValueError` with what the server says."""
    if not text.isdecimal():
        raise ValueError(
            f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": '
            "invalid syntax"
        )
    return int(text)


def _list_options_error(text: str) -> ApiError:
    return option_error("ListOptions", Problem.forbidden("resourceVersionMatch", text))


def _number(query: Mapping[str, str], key: str) -> int:
    text = query.get(key, "")
    if text and not text.lstrip("-").isdecimal():
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return max(0, int(text or 0))


def _position(obj: Object) -> str:
    """Where an object stands in a list."""
    metadata = obj["metadata"]
    return f"{metadata.get('namespace', '')}/{metadata['name']}"


def _token(revision: int, last: str) -> str:
    content = {"v": "meta.k8s.io/v1", "rv": revision, "start": last}
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def _read_token(token: str, store: Store) -> tuple[int, str]:
    """Revision and last object of the page before; -1 means whatever there is now."""
    try:
        padded = token + "=" * (-len(token) % 4)
        content: Any = json.loads(base64.urlsafe_b64decode(padded))
        revision, last = int(content["rv"]), str(content["start"])
    except (ValueError, KeyError, TypeError):
        message = "invalid continue token: continue key is not valid: illegal base64 data"
        raise bad_request(message) from None
    if revision == -1:
        return store.revision, last
    if revision < store.compacted:
        raise expired(TOO_OLD, _token(-1, last))
    return revision, last
