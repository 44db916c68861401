"""
CloudEvents 1.0 in an HTTP request: binary, structured and batched mode, JSON format.

Each event comes out as an object of the JSON format, whose text is kept where it came as JSON.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote

import orjson

from tiphys.errors import EventDecodeError
from tiphys.events import parse_time
from tiphys.ingest import Request
from tiphys.sources._shared.embedding import NotJSON, raw_json

STRUCTURED = "application/cloudevents"
BATCH = "application/cloudevents-batch"
PREFIX = "Ce-"
DATA = ("data", "data_base64")
REQUIRED = ("id", "source", "type")
_NAME = re.compile(r"[a-z0-9]+")
_JSON = re.compile(r"[^/]+/([^/]+\+)?json")
_TEXT = re.compile(r"text/.+|[^/]+/([^/]+\+)?xml")
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([^\s;\"]+)", re.IGNORECASE)
_QUOTED = re.compile(r"\\(.)")
_SPACE = re.compile(r"[ \t\r\n]*")


class NoCloudEvent(ValueError):
    """The request holds none, or a broken one; the text says what is wrong."""


class UnknownFormat(ValueError):
    """The event is in a format other than JSON."""


class Found(NamedTuple):
    """An event: what identifies it, and its object in the JSON format."""

    id: str
    source: str
    event: dict[str, Any] | orjson.Fragment


def events_of(request: Request) -> list[Found]:
    """
    The events of a request, in the mode that its content type says.

    Raises :exc:`NoCloudEvent` and :exc:`UnknownFormat`.
    """
    content_type = request.header("Content-Type")
    mode, _, format = media_type(content_type).partition("+")
    if mode not in (STRUCTURED, BATCH):
        return [_binary(request, content_type)]
    if (format or "json") != "json":
        raise UnknownFormat(f"the event format {format!r} is not understood; json is")
    charset = _CHARSET.search(content_type)
    if charset and charset[1].lower() not in ("utf-8", "us-ascii"):
        raise UnknownFormat(f"the character set {charset[1]!r} is not understood; utf-8 is")
    if mode == STRUCTURED:
        return [_structured(request.body)]
    return [_structured(text.encode()) for text in _elements(request.body)]


def media_type(content_type: str) -> str:
    """The type without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def _binary(request: Request, content_type: str) -> Found:
    """Attributes in headers, the body is the data (HTTP binding 3.1)."""
    attributes = {
        name.removeprefix(PREFIX).lower(): _unescaped(name, values)
        for name, values in request.headers.items()
        if name.startswith(PREFIX)
    }
    if "specversion" not in attributes:
        raise NoCloudEvent(
            f"there is no CloudEvent: neither a header `ce-specversion` nor the type {STRUCTURED}"
        )
    attributes.pop("datacontenttype", None)  # Content-Type says it
    if content_type:
        attributes["datacontenttype"] = content_type
    _check(attributes)
    event: dict[str, Any] = attributes
    if request.body:
        event = attributes | _data(media_type(content_type), request.body)
    return Found(attributes["id"], attributes["source"], event)


def _data(kind: str, body: bytes) -> dict[str, Any]:
    """The member that holds the data: JSON as it is, text as a string, the rest in base64."""
    if _JSON.fullmatch(kind) or not kind:
        try:
            return {"data": raw_json(body)}
        except NotJSON as error:
            if kind:
                raise NoCloudEvent(f"the data are not JSON: {error}") from None
    if _TEXT.fullmatch(kind):
        try:
            return {"data": body.decode()}
        except UnicodeDecodeError:
            pass  # another character set; nobody must guess which
    return {"data_base64": base64.b64encode(body).decode()}


def _unescaped(name: str, values: list[str]) -> str:
    """A header's value without quotes and percent-encoding (HTTP binding 3.1.3.2)."""
    if len(values) != 1:
        raise NoCloudEvent(f"the header {name} occurs {len(values)} times")
    value = values[0].strip()
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = _QUOTED.sub(r"\1", value[1:-1])
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        raise NoCloudEvent(f"the header {name} is not UTF-8 when decoded") from None


def _structured(body: bytes) -> Found:
    """The whole event in the body (HTTP binding 3.2)."""
    try:
        text = raw_json(body)
        event = orjson.loads(body)
    except ValueError as error:
        raise NoCloudEvent(f"the event is not JSON: {error}") from None
    if not isinstance(event, dict):
        raise NoCloudEvent("the event is not a JSON object")
    _check({name: value for name, value in event.items() if name not in DATA})
    if "data" in event and "data_base64" in event:
        raise NoCloudEvent("the event has both `data` and `data_base64`")
    _check_base64(event.get("data_base64"))
    return Found(event["id"], event["source"], text)


def _elements(body: bytes) -> Iterator[str]:
    """The texts of the elements of a batch (JSON format 4)."""
    try:
        text = body.decode()
        if not isinstance(orjson.loads(text), list):
            raise NoCloudEvent("the batch is not a JSON array")
    except (UnicodeDecodeError, orjson.JSONDecodeError) as error:
        raise NoCloudEvent(f"the batch is not JSON: {error}") from None
    scan = json.JSONDecoder().raw_decode
    at = _after_space(text, text.index("[") + 1)
    while text[at] != "]":
        try:
            _, end = scan(text, at)
        except (ValueError, RecursionError):
            raise NoCloudEvent("the batch is nested too deeply") from None
        yield text[at:end]
        at = _after_space(text, end)
        if text[at] == ",":
            at = _after_space(text, at + 1)


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found is not None  # it matches nothing, too
    return found.end()


def _check(attributes: dict[str, Any]) -> None:
    """Raise :exc:`NoCloudEvent` for attributes that the specification does not allow."""
    version = attributes.get("specversion")
    if version != "1.0":
        raise NoCloudEvent(f"`specversion` must be 1.0, not {json.dumps(version)}")
    for name in REQUIRED:
        if attributes.get(name) is None:
            raise NoCloudEvent(f"the attribute `{name}` is missing")
    for name, value in attributes.items():
        if not _NAME.fullmatch(name):
            raise NoCloudEvent(f"{json.dumps(name)} is no name of an attribute: a-z and 0-9 are")
        if isinstance(value, dict | list | float):
            raise NoCloudEvent(f"the attribute `{name}` is neither text, integer nor boolean")
        if name in _TEXTS and value is not None and not (isinstance(value, str) and value):
            raise NoCloudEvent(f"the attribute `{name}` must be a text that is not empty")
    try:
        parse_time(attributes.get("time") or "")
    except EventDecodeError as error:
        raise NoCloudEvent(f"the attribute `time`: {error}") from None


_TEXTS = (*REQUIRED, "subject", "time", "dataschema", "datacontenttype")


def _check_base64(value: object) -> None:
    if value is None:
        return
    try:
        base64.b64decode(value if isinstance(value, str) else "=", validate=True)
    except (binascii.Error, ValueError):
        raise NoCloudEvent("`data_base64` is not base64") from None
