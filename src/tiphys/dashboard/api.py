"""The HTTP API of a running instance: health, status, and events put in by hand."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tiphys.errors import BusError, TiphysError
from tiphys.events import JSON, CloudEvent, timestamp
from tiphys.runtime.standalone import Standalone

Endpoint = Callable[[Request], Awaitable[Response]]


def api(instance: Standalone) -> Starlette:
    """The application that serves *instance*."""
    endpoints = _Endpoints(instance)
    return Starlette(
        routes=[
            Route("/healthz", endpoints.healthz),
            Route("/readyz", endpoints.readyz),
            Route("/api/v1/status", endpoints.status),
            Route("/api/v1/events", endpoints.send, methods=["POST"]),
        ],
        exception_handlers={HTTPException: _refused, TiphysError: _failed},
    )


class _Endpoints:
    """The handlers, by name."""

    def __init__(self, instance: Standalone) -> None:
        self._instance = instance

    async def healthz(self, _request: Request) -> Response:
        """The process answers."""
        return PlainTextResponse("ok\n")

    async def readyz(self, _request: Request) -> Response:
        """Whether every object does its work; otherwise what is missing, a line each."""
        missing = self._instance.not_ready()
        return PlainTextResponse(
            "".join(f"{line}\n" for line in missing) or "ok\n", status_code=503 if missing else 200
        )

    async def status(self, _request: Request) -> Response:
        """All objects and how they fare."""
        return _json(self._instance.status())

    async def send(self, request: Request) -> Response:
        """Put an event on the bus: ``{"eventSource", "eventName", "data"}``, as from the source."""
        body = await _body(request)
        source, name = (_text(body, key) for key in ("eventSource", "eventName"))
        namespace = str(body.get("namespace") or "")
        event = CloudEvent(
            id=str(body.get("id") or uuid.uuid4().hex),
            source=source,
            subject=name,
            type=self._instance.event_type(namespace, source, name),
            time=timestamp(),
            datacontenttype=JSON,
            data=orjson.dumps(body.get("data")),
        )
        await self._instance.bus_of(namespace, source).publish(event)
        return _json({"id": event.id})


async def _body(request: Request) -> dict[str, Any]:
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise HTTPException(400, f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise HTTPException(400, "the body is not a JSON object")
    return body


def _text(body: dict[str, Any], key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not value:
        raise HTTPException(400, f"the member {key!r} is missing")
    return value


def _json(value: Any, status: int = 200) -> Response:
    content = orjson.dumps(value, default=_plain, option=orjson.OPT_INDENT_2)
    return Response(content + b"\n", status, media_type=JSON)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _json({"error": error.detail}, error.status_code)


async def _failed(_request: Request, error: Exception) -> Response:
    return _json({"error": str(error)}, 503 if isinstance(error, BusError) else 400)
