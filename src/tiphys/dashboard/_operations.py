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


@dataclasses.dataclass(frozen=True)
class Operation:
    """
    One operation of the API.

    *query* and *body* describe parameters and members by name, a sentence each.
    """

    method: str
    path: str
    summary: str
    handler: Handler
    query: Mapping[str, str] = dataclasses.field(default_factory=dict)
    body: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def route(self) -> Route:
        """The operation as a route."""
        return Route(self.path, self.handler, methods=[self.method])


def openapi(operations: Sequence[Operation]) -> dict[str, Any]:
    """The OpenAPI 3.1 document of *operations*."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        in_path = re.findall(r"{(\w+)(?::\w+)?}", operation.path)
        parameters = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in in_path
        ] + [
            {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}
            for name, text in operation.query.items()
        ]
        described: dict[str, Any] = {
            "summary": operation.summary,
            "parameters": parameters,
            "responses": {
                "200": {"description": "Done.", "content": {JSON: {"schema": {}}}},
                "default": {
                    "description": "The member `error` says what is wrong.",
                    "content": {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}},
                },
            },
        }
        if operation.body:
            members = {name: {"description": text} for name, text in operation.body.items()}
            schema = {"type": "object", "properties": members}
            described["requestBody"] = {"content": {JSON: {"schema": schema}}}
        path = re.sub(r"{(\w+):\w+}", r"{\1}", operation.path)
        paths.setdefault(path, {})[operation.method.lower()] = described
    error = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tiphys", "version": __version__},
        "paths": paths,
        "components": {"schemas": {"Error": error}},
    }


def answer(value: Any, status: int = 200) -> Response:
    """*value* as JSON."""
    content = orjson.dumps(value, default=_plain, option=orjson.OPT_INDENT_2)
    return Response(content + b"\n", status, media_type=JSON)


async def body_of(request: Request) -> dict[str, Any]:
    """The JSON object in the body; an empty body is an empty object."""
    content = await request.body()
    try:
        body = orjson.loads(content or b"{}")
    except orjson.JSONDecodeError as error:
        raise HTTPException(400, f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise HTTPException(400, "the body is not a JSON object")
    return body


def text_of(body: Mapping[str, Any], key: str, default: str | None = None) -> str:
    """A text in the body.  Answers 400 when it is missing and there is no *default*."""
    value = body.get(key, default)
    if not isinstance(value, str) or (not value and default is None):
        raise HTTPException(400, f"the member {key!r} is missing, or no text")
    return value


def moment_of(text: str | None, name: str) -> datetime | None:
    """
    A moment: RFC 3339, or a duration before now such as ``2h``; None for no text.

    Answers 400 for anything else.
    """
    if not text:
        return None
    try:
        return datetime.now(UTC) - timedelta(seconds=durations.parse(text) / 1e9)
    except LanguageError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise HTTPException(
            400, f"{name} {text!r} is neither a time (RFC 3339) nor a duration such as 2h"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    raise TypeError(f"{type(value).__name__} has no JSON form")
