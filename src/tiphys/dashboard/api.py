"""The HTTP API of a running instance."""

from __future__ import annotations

import hmac
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tiphys.dashboard import pausing
from tiphys.dashboard._dead_letters import DeadLetterOperations
from tiphys.dashboard._events import EventOperations
from tiphys.dashboard._guard import LoopbackOnly
from tiphys.dashboard._manifests import ManifestOperations
from tiphys.dashboard._operations import TEXT, Operation, answer, openapi
from tiphys.errors import BusError, ManifestError, TiphysError
from tiphys.runtime.standalone import Standalone

OPEN = ("/healthz", "/readyz")  # probes have no token


def api(instance: Standalone, token: str = "") -> Starlette:
    """The application that serves *instance*; with *token* only to who knows it."""
    operations = [
        *_HealthOperations(instance).all(),
        *EventOperations(instance).all(),
        *DeadLetterOperations(instance).all(),
        *pausing.operations(instance),
        *ManifestOperations(instance).all(),
    ]
    document = openapi(operations, token=bool(token))

    async def describe(_request: Request) -> Response:
        return answer(document)

    operations.append(Operation("GET", "/api/v1/openapi.json", "This document.", describe))
    return Starlette(
        routes=[operation.route for operation in operations],
        middleware=[Middleware(_Token, token=token) if token else Middleware(LoopbackOnly)],
        exception_handlers={HTTPException: _refused, TiphysError: _failed},
    )


class _HealthOperations:
    """Whether the instance does its work."""

    def __init__(self, instance: Standalone) -> None:
        self._instance = instance

    def all(self) -> list[Operation]:
        probe: dict[str, Any] = {"media": TEXT, "open": True}
        return [
            Operation("GET", "/healthz", "The process answers.", self.healthz, **probe),
            Operation("GET", "/readyz", "Everything does its work.", self.readyz, **probe),
            Operation("GET", "/api/v1/status", "All objects and how they fare.", self.status),
        ]

    async def healthz(self, _request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(self, _request: Request) -> Response:
        """503 while something is missing, a line each."""
        missing = self._instance.not_ready()
        text = "".join(f"{line}\n" for line in missing) or "ok\n"
        return PlainTextResponse(text, 503 if missing else 200)

    async def status(self, _request: Request) -> Response:
        return answer(self._instance.status())


class _Token:
    """Lets only requests with the bearer token pass."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in OPEN:
            given = dict(scope["headers"]).get(b"authorization", b"")
            if not hmac.compare_digest(given, self._expected):
                refusal = answer({"error": "this API needs its token: Authorization: Bearer"}, 401)
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


async def _refused(_request: Request, error: Any) -> Response:
    return answer({"error": error.detail}, error.status_code)


async def _failed(_request: Request, error: Exception) -> Response:
    if isinstance(error, ManifestError):
        return answer({"error": str(error)}, 404)
    return answer({"error": str(error)}, 503 if isinstance(error, BusError) else 400)
