"""
The CloudEvent: model and codec (CloudEvents 1.0, structured JSON mode).

The encoding is the one of Argo Events on every bus: the payload travels as ``data_base64``,
although it is JSON; ``data`` is understood as well, because others may write it.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import orjson

from tiphys.errors import EventDecodeError

JSON = "application/json"
_RESERVED = "%:/?#[]@!$&'()*+,;=-._~"


@dataclasses.dataclass(frozen=True, slots=True)
class CloudEvent:
    """
    One event.

    *time* is RFC 3339 text as on the bus, empty when there is none; *data* None means that there
    is no data at all, which is not the same as empty data.  *extensions* are further attributes,
    such as ``traceparent``.
    """

    id: str
    source: str
    subject: str
    type: str
    time: str = ""
    datacontenttype: str = ""
    data: bytes | None = None
    specversion: str = "1.0"
    extensions: dict[str, Any] = dataclasses.field(default_factory=dict)

    def encode(self) -> bytes:
        """The message body for a bus."""
        members = {
            "specversion": self.specversion,
            "id": self.id,
            "source": self.source,
            "type": self.type,
        }
        if self.subject:
            members["subject"] = self.subject
        if self.datacontenttype:
            members["datacontenttype"] = self.datacontenttype
        if self.time:
            members["time"] = self.time
        head = orjson.dumps({**members, **self.extensions} if self.extensions else members)
        if self.data is None:
            return head
        return b"".join((head[:-1], b',"data_base64":"', base64.b64encode(self.data), b'"}'))

    @classmethod
    def decode(cls, body: bytes) -> CloudEvent:
        """
        Read the message body of a bus.

        Raises :exc:`EventDecodeError` for anything that is not a CloudEvent.
        """
        try:
            members = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise EventDecodeError(f"the message is not JSON: {error}") from error
        if not isinstance(members, dict):
            raise EventDecodeError("the message is not a JSON object")
        texts = {name: members.pop(name, None) or "" for name in _ATTRIBUTES}
        if wrong := [name for name, value in texts.items() if not isinstance(value, str)]:
            raise EventDecodeError(f"the attribute {wrong[0]!r} is not a text")
        if texts["specversion"] not in ("1.0", "0.3"):
            raise EventDecodeError(f"specversion {texts['specversion']!r} is not 1.0")
        data = _data(members, texts["datacontenttype"], body)
        _check_time(texts["time"])
        texts["source"] = _uri_reference(texts["source"])
        extensions = {k: v for k, v in members.items() if k not in ("data", "data_base64")}
        return cls(**texts, data=data, extensions=extensions)


_ATTRIBUTES = ("id", "source", "subject", "type", "time", "datacontenttype", "specversion")


def timestamp(moment: datetime | None = None) -> str:
    """RFC 3339 text of *moment* (default: now) in UTC with microseconds."""
    return (moment or datetime.now(UTC)).astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_time(text: str) -> datetime | None:
    """The moment of an RFC 3339 text, cut to microseconds; None for an empty text."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise EventDecodeError(f"{text!r} is not an RFC 3339 time") from error


def _uri_reference(text: str) -> str:
    """*text* as CloudEvents writes a source, which is a URI reference (RFC 3986)."""
    return text if text.isascii() and " " not in text else quote(text, safe=_RESERVED)


def _check_time(text: str) -> None:
    parse_time(text)


def _data(members: dict[str, Any], content_type: str, body: bytes) -> bytes | None:
    if "data_base64" in members:
        encoded = members["data_base64"]
        if not isinstance(encoded, str):
            raise EventDecodeError("data_base64 is not a text")
        try:
            return base64.b64decode(encoded, validate=True)
        except binascii.Error as error:
            raise EventDecodeError(f"data_base64 is not base64: {error}") from error
    if "data" not in members:
        return None
    if isinstance(members["data"], str) and content_type not in ("", JSON):
        return str(members["data"]).encode()
    return _raw_member(body.decode(), "data").encode()


def _raw_member(text: str, name: str) -> str:
    """The source text of a top-level member of a valid JSON object, spacing included."""
    scan = json.JSONDecoder().raw_decode
    position = _skip_space(text, text.index("{") + 1)
    while True:
        key, position = scan(text, position)
        start = _skip_space(text, _skip_space(text, position) + 1)
        _, position = scan(text, start)
        if key == name:
            return text[start:position]
        position = _skip_space(text, _skip_space(text, position) + 1)


def _skip_space(text: str, position: int) -> int:
    while text[position] in " \t\r\n":
        position += 1
    return position


def any_json(value: Any) -> bytes:
    """
    JSON for records of what happened, which must not fail.

    Numbers beyond 64 bits keep their digits, halves of characters become question marks, and what
    JSON has no form for becomes its text.
    """
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        return json.dumps(value, ensure_ascii=False, default=str).encode("utf-8", "replace")
