"""JSON patches (RFC 6902) and JSON merge patches (RFC 7386)."""

from __future__ import annotations

from typing import Any

from tiphys.testing.kubernetes._answers import ApiError, bad_request
from tiphys.testing.kubernetes._decode import clone


class PatchFailed(Exception):
    """An operation that cannot be carried out."""


def merge_patched(value: Any, patch: Any) -> Any:
    """*value* after a merge patch."""
    if not isinstance(patch, dict):
        return clone(patch)
    result = clone(value) if isinstance(value, dict) else {}
    for key, item in patch.items():
        if item is None:
            result.pop(key, None)
        else:
            result[key] = merge_patched(result.get(key), item)
    return result


def json_patched(value: Any, patch: Any) -> Any:
    """*value* after a JSON patch; raises a 422 where an operation fails."""
    if not isinstance(patch, list):
        got = "object" if isinstance(patch, dict) else "value"
        raise bad_request(
            f"error decoding patch: json: cannot unmarshal {got} into Go value of type "
            "[]handlers.jsonPatchOp"
        )
    document = clone(value)
    for operation in patch:
        try:
            document = _carried_out(document, operation)
        except PatchFailed:
            message = "the server rejected our request due to an error in our request"
            raise ApiError(422, "Invalid", message, {}) from None
    return document


def _carried_out(document: Any, operation: Any) -> Any:
    if not isinstance(operation, dict) or "path" not in operation:
        raise PatchFailed
    name, path = operation.get("op"), _pointer(operation["path"])
    if name in ("add", "replace", "test") and "value" not in operation:
        raise PatchFailed
    if name == "add":
        return _add(document, path, clone(operation["value"]))
    if name == "remove":
        return _remove(document, path)
    if name == "replace":
        return _replace(document, path, clone(operation["value"]))
    if name in ("move", "copy"):
        source = _pointer(operation.get("from"))
        value = clone(_find(document, source))
        return _add(_remove(document, source) if name == "move" else document, path, value)
    if name == "test" and _found_or_null(document, path) == operation["value"]:
        return document
    raise PatchFailed


def _pointer(text: Any) -> list[str]:
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise PatchFailed
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _find(document: Any, path: list[str]) -> Any:
    for part in path:
        if isinstance(document, dict) and part in document:
            document = document[part]
        elif isinstance(document, list):
            document = document[_index(part, len(document) - 1)]
        else:
            raise PatchFailed
    return document


def _found_or_null(document: Any, path: list[str]) -> Any:
    try:
        return _find(document, path)
    except PatchFailed:
        return None


def _add(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent = _find(document, path[:-1])
    if isinstance(parent, dict):
        parent[path[-1]] = value
    elif isinstance(parent, list):
        last = path[-1]
        parent.insert(len(parent) if last == "-" else _index(last, len(parent)), value)
    else:
        raise PatchFailed
    return document


def _replace(document: Any, path: list[str], value: Any) -> Any:
    """Also a member that is not there is replaced; an item that is not there is an error."""
    if not path:
        return value
    parent = _find(document, path[:-1])
    if isinstance(parent, list):
        parent[_index(path[-1], len(parent) - 1)] = value
    elif isinstance(parent, dict):
        parent[path[-1]] = value
    else:
        raise PatchFailed
    return document


def _remove(document: Any, path: list[str]) -> Any:
    _find(document, path)
    if not path:
        return None
    parent = _find(document, path[:-1])
    del parent[path[-1] if isinstance(parent, dict) else int(path[-1])]
    return document


def _index(text: str, last: int) -> int:
    if not text.isdecimal() or int(text) > last:
        raise PatchFailed
    return int(text)
