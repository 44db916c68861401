"""The records of S3's notifications in the form that payloads have (spec: event sources 9.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class NotARecord(ValueError):
    """What should be a record has another form."""


def record(found: Any) -> dict[str, Any]:
    """
    The members that payloads have, whatever else there is; raises :exc:`NotARecord`.

    What an object does not have is left out, everything else that is missing is empty.
    """
    s3, origin = _block(found, "s3"), _block(found, "source")
    bucket = _block(s3, "bucket")
    return {
        "eventVersion": _text(found, "eventVersion"),
        "eventSource": _text(found, "eventSource"),
        "awsRegion": _text(found, "awsRegion"),
        "eventTime": _text(found, "eventTime"),
        "eventName": _text(found, "eventName"),
        "userIdentity": _identity(found, "userIdentity"),
        "requestParameters": _texts(found, "requestParameters"),
        "responseElements": _texts(found, "responseElements"),
        "s3": {
            "s3SchemaVersion": _text(s3, "s3SchemaVersion"),
            "configurationId": _text(s3, "configurationId"),
            "bucket": {
                "name": _text(bucket, "name"),
                "ownerIdentity": _identity(bucket, "ownerIdentity"),
                "arn": _text(bucket, "arn"),
            },
            "object": _object(_block(s3, "object")),
        },
        "source": {name: _text(origin, name) for name in ("host", "port", "userAgent")},
    }


def record_id(records: list[dict[str, Any]]) -> str | None:
    """What tells the one record from all others, or None where nothing does."""
    if len(records) != 1:
        return None
    entry = records[0]["s3"]["object"]
    if not entry["sequencer"]:
        return None
    bucket = records[0]["s3"]["bucket"]["name"]
    return ":".join((bucket, entry["key"], entry["sequencer"], records[0]["eventName"]))


def _object(found: Mapping[str, Any]) -> dict[str, Any]:
    size = found.get("size") or 0
    if not isinstance(size, int):
        raise NotARecord("'size' is no integer")
    optional = {
        "size": size,
        "eTag": _text(found, "eTag"),
        "contentType": _text(found, "contentType"),
        "userMetadata": _texts(found, "userMetadata"),
        "versionId": _text(found, "versionId"),
    }
    return {
        "key": _text(found, "key"),
        **{name: value for name, value in optional.items() if value},
        "sequencer": _text(found, "sequencer"),
    }


def _identity(found: Mapping[str, Any], name: str) -> dict[str, str]:
    return {"principalId": _text(_block(found, name), "principalId")}


def _block(found: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(found, Mapping):
        raise NotARecord("a record is no object")
    block = found.get(name) or {}
    if not isinstance(block, Mapping):
        raise NotARecord(f"{name!r} is no object")
    return block


def _text(found: Mapping[str, Any], name: str) -> str:
    text = found.get(name) or ""
    if not isinstance(text, str):
        raise NotARecord(f"{name!r} is no text")
    return text


def _texts(found: Mapping[str, Any], name: str) -> dict[str, str] | None:
    texts = found.get(name)
    if texts is None:
        return None
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        raise NotARecord(f"{name!r} does not hold texts")
    return texts
