"""What the API is made of: operations that describe themselves, and their common manners."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tiphys import __version__
from tiphys.events import JSON
from tiphys.languages import LanguageError, durations

Handler = Callable[[Request], Awaitable[Response]]
Schema = dict[str, Any]
TEXT = "text/plain"
DEEP = 200  # brackets, with which data may be nested too deeply for an answer
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)


@dataclasses.dataclass(frozen=True)
class Member:
    """
    A member of a body: what it means, and its type as in JSON Schema; any type if absent.

    *values*: the type of the values of an object, which may have any names.
    """

    text: str
    type: str = ""
    required: bool = False
    values: str = ""

    @property
    def schema(self) -> Schema:
        """As JSON Schema."""
        described: Schema = {"type": self.type} if self.type else {}
        if self.type == "string" and self.required:
            described["minLength"] = 1
        if self.values:
            described["additionalProperties"] = {"type": self.values}
            described["minProperties"] = int(self.required)
        return described | {"description": self.text}


@dataclasses.dataclass(frozen=True)
class Operation:
    """
    One operation of the API.

    *query* and *body* describe parameters and members by name, a sentence each; a member that is
    described by a sentence alone may have any type and be absent.  *media* is the type of the
    answer, *open* operations demand no token.
    """

    method: str
    path: str
    summary: str
    handler: Handler
    query: Mapping[str, str] = dataclasses.field(default_factory=dict)
    body: Mapping[str, str | Member] = dataclasses.field(default_factory=dict)
    media: str = JSON
    open: bool = False

    @property
    def route(self) -> Route:
        """The operation as a route."""
        return Route(self.path, self.handler, methods=[self.method])


def openapi(operations: Sequence[Operation], *, token: bool = False) -> Schema:
    """The OpenAPI 3.1 document of *operations*; with *token* they demand one."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        path = re.sub(r"{(\w+):\w+}", r"{\1}", operation.path)
        described = _described(operation)
        if token and operation.open:
            described["security"] = []
        paths.setdefault(path, {})[operation.method.lower()] = described
    error = {
        "type": "object",
        "properties": {"error": {"type": "string", "description": "What is wrong."}},
        "required": ["error"],
    }
    document: Schema = {
        "openapi": "3.1.0",
        "info": {"title": "Tiphys", "version": __version__},
        "paths": paths,
        "components": {"schemas": {"Error": error}},
    }
    if token:
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
    return document


def _described(operation: Operation) -> Schema:
    """One operation in the document."""
    in_path = re.findall(r"{(\w+)(?::\w+)?}", operation.path)
    described: Schema = {
        "summary": operation.summary,
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in in_path
        ]
        + [
            {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}
            for name, text in operation.query.items()
        ],
        "responses": _responses(operation),
    }
    if operation.body:
        described["requestBody"] = _request_body(operation.body)
    return described


def _responses(operation: Operation) -> Schema:
    done = {"type": ["object", "array"]} if operation.media == JSON else {"type": "string"}
    responses: Schema = {
        "200": {"description": "Done.", "content": {operation.media: {"schema": done}}}
    }
    if operation.media == TEXT:
        failed: Schema = {TEXT: {"schema": {"type": "string"}}}
        return responses | {"503": {"description": "What is missing.", "content": failed}}
    failed = {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}
    return responses | {
        "4XX": {"description": "The request is refused.", "content": failed},
        "5XX": {"description": "It could not be done.", "content": failed},
    }


def _request_body(body: Mapping[str, str | Member]) -> Schema:
    members = {
        name: Member(member) if isinstance(member, str) else member for name, member in body.items()
    }
    schema: Schema = {
        "type": "object",
        "properties": {name: member.schema for name, member in members.items()},
    }
    required = [name for name, member in members.items() if member.required]
    if required:
        schema["required"] = required
    return {"required": bool(required), "content": {JSON: {"schema": schema}}}


def answer(value: Any, status: int = 200) -> Response:
    """*value* as JSON."""
    content = orjson.dumps(value, default=_plain, option=orjson.OPT_INDENT_2)
    return Response(content + b"\n", status, media_type=JSON)


async def body_of(request: Request, largest: int | None = None) -> dict[str, Any]:
    """
    The JSON object in the body; an empty body is an empty object.

    Answers 413 for one of more than *largest* bytes, and 400 for anything else.
    """
    content = await request.body() if largest is None else await _limited(request, largest)
    try:
        body = orjson.loads(content or b"{}")
    except orjson.JSONDecodeError as error:
        raise HTTPException(400, f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise HTTPException(400, "the body is not a JSON object")
    return body


async def _limited(request: Request, largest: int) -> bytes:
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > largest:
            raise HTTPException(413, f"the body is larger than {largest >> 20} MiB")
    return bytes(content)


def data_of(payload: bytes | None) -> Any:
    """
    *payload* as JSON data for an answer.

    Raises :exc:`ValueError` where it is none, or is nested too deeply to be written again.
    """
    payload = payload or b"null"
    value = orjson.loads(payload)
    if payload.count(b"[") + payload.count(b"{") > DEEP:
        try:
            orjson.dumps([[[[value]]]])
        except orjson.JSONEncodeError as error:
            raise ValueError(str(error)) from error
    return value


def text_of(body: Mapping[str, Any], key: str, default: str | None = None) -> str:
    """A text in the body.  Answers 400 when it is missing and there is no *default*."""
    value = body.get(key, default)
    if not isinstance(value, str) or (not value and default is None):
        raise HTTPException(400, f"the member {key!r} is missing, or no text")
    return value


def flag_of(body: Mapping[str, Any], key: str) -> bool:
    """A yes or no in the body; no when it is missing.  Answers 400 for anything else."""
    value = body.get(key, False)
    if not isinstance(value, bool):
        raise HTTPException(400, f"the member {key!r} is neither true nor false")
    return value


def moment_of(text: str | None, name: str) -> datetime | None:
    """
    A moment: RFC 3339, or a duration before now such as ``2h``; None for no text.

    One that is further away than any event is moved nearer, so that one can reckon with it.
    Answers 400 for anything else.
    """
    if not text:
        return None
    try:
        ago = timedelta(seconds=durations.parse(text) / 1e9)
        return _near(datetime.now(UTC) - ago)
    except LanguageError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise HTTPException(
            400, f"{name} {text!r} is neither a time (RFC 3339) nor a duration such as 2h"
        ) from error
    return _near(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _near(moment: datetime) -> datetime:
    return min(max(moment, EARLIEST), LATEST)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    raise TypeError(f"{type(value).__name__} has no JSON form")
