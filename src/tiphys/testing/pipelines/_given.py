"""The events that a test puts in."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from tiphys.errors import ManifestError
from tiphys.events import JSON, CloudEvent, parse_time
from tiphys.ingest.headers import canonical_name
from tiphys.languages import LanguageError, durations

At = datetime | timedelta
"""A moment, or how long after the event before it."""


EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)


class _Absent:
    """Stands where nothing is given, because None is a JSON value."""


ABSENT = _Absent()


@dataclasses.dataclass(frozen=True)
class Given:
    """
    An event on its way in.

    Attributes of *event* that are empty are filled in by the run.  *published*: it lay on a bus
    already, so the event source is done with it.
    """

    event: CloudEvent
    at: At | None = None
    published: bool = False


def event(
    source: str,
    name: str,
    data: Any = ABSENT,
    *,
    body: Any = ABSENT,
    header: Mapping[str, str | Sequence[str]] | None = None,
    id: str = "",
    at: At | str | None = None,
    type: str = "",
) -> Given:
    """
    An event as the event source *source* receives it under *name*.

    *data* is the payload as sensors see it, JSON data or its text as bytes; for webhooks *body*
    and *header* make it up.  *at* is when it comes: a moment, or how long after the one before it
    (``+5m``).  Raises :exc:`ManifestError` where *at* is neither.
    """
    if body is not ABSENT or header is not None:
        data = {
            "header": _headers(header or {}),
            "body": None if isinstance(body, _Absent) else body,
        }
    elif data is ABSENT:
        data = {}
    content = data if isinstance(data, bytes) else dumped(data)
    if isinstance(at, datetime) and at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    cloud_event = CloudEvent(id, source, name, type, datacontenttype=JSON, data=content)
    return Given(cloud_event, moment(at) if isinstance(at, str) else at)


def recorded(path: Path | str) -> list[Given]:
    """
    The events in a file that ``tiphys events record`` wrote, or in all files of a folder.

    Raises :exc:`ManifestError` for a file that cannot be read.
    """
    path = Path(path)
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise ManifestError("there are no recorded events (*.json) in this folder", file=str(path))
    found: list[Given] = []
    for file in files:
        content = read_json(file)
        for each in content if isinstance(content, list) else [content]:
            found.append(archived(each, str(file)))
    return found


def archived(members: Any, file: str = "the archive") -> Given:
    """
    An event as the API of a running instance shows it.

    Raises :exc:`ManifestError`, which names *file*, for anything else.
    """
    if not isinstance(members, dict) or not members.get("source") or not members.get("subject"):
        message = "this is no recorded event: it needs `source` and `subject`"
        raise ManifestError(message, file=file)
    texts = ("id", "source", "subject", "type", "time", "datacontenttype")
    attributes: dict[str, Any] = {name: str(members.get(name) or "") for name in texts}
    if "datacontenttype" not in members:
        attributes["datacontenttype"] = JSON
    try:
        if "data_base64" in members:
            data = base64.b64decode(members["data_base64"], validate=True)
        else:
            data = dumped(members.get("data"))
    except (binascii.Error, TypeError) as error:
        raise ManifestError(f"`data_base64` is not base64: {error}", file=file) from error
    return Given(CloudEvent(**attributes, data=data), parse_time(attributes["time"]), True)


def moment(text: str) -> At:
    """``2026-01-01T00:00:00Z``, or ``+5m``.  Raises :exc:`ManifestError` for anything else."""
    try:
        if text.startswith("+"):
            return timedelta(microseconds=durations.parse(text[1:]) // 1000)
        found = datetime.fromisoformat(text)
    except (LanguageError, ValueError) as error:
        raise ManifestError(
            f"{text!r} is neither a time such as 2026-01-31T08:30:00Z, nor a duration after the "
            f"event before, such as +5m"
        ) from error
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    if not EARLIEST <= found <= LATEST:
        raise ManifestError(f"{text!r} is not between {EARLIEST:%Y} and {LATEST:%Y}")
    return found


def read_json(path: Path) -> Any:
    """The content of a JSON file.  Raises :exc:`ManifestError`."""
    try:
        return json.loads(path.read_text())
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ManifestError(f"cannot be read: {reason}", file=str(path)) from error
    except ValueError as error:
        raise ManifestError(f"is not JSON: {error}", file=str(path)) from error


def dumped(value: Any) -> bytes:
    """JSON text of *value*."""
    try:
        return orjson.dumps(value)
    except TypeError:  # integers of more than 64 bits, and halves of characters, which stay escapes
        return json.dumps(value, separators=(",", ":")).encode()


def _headers(given: Mapping[str, str | Sequence[str]]) -> dict[str, list[str]]:
    """As an event has them: canonical names, each with a list of values."""
    return {
        canonical_name(name.encode()): [value] if isinstance(value, str) else list(value)
        for name, value in given.items()
    }
