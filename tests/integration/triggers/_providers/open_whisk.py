"""
The part of OpenWhisk's REST API that invokes actions.

From https://github.com/apache/openwhisk/blob/master/docs/rest_api.md and docs/actions.md.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Callable
from typing import Any

from aiohttp import BasicAuth, web

KEY = (
    "23bc46b1-71f6-4ed5-8c54-816aa4f8c502:123zO3xZCLrMN6v2BKK1dXYFpXlPkccOFqm12CdAsMgRU4VrNZ9lyGVCG"
)


@dataclasses.dataclass
class Invocation:
    """A call that an action got."""

    namespace: str
    action: str
    parameters: dict[str, Any]


def _double(parameters: dict[str, Any]) -> web.Response:
    return web.json_response({"doubled": int(parameters["n"]) * 2})


def _broken(_parameters: dict[str, Any]) -> web.Response:
    return web.json_response({"error": "division by zero"}, status=502)


def _slow(_parameters: dict[str, Any]) -> web.Response:
    return web.json_response({"activationId": "44794bd6aab74415b4e42a308d880e5b"}, status=202)


ACTIONS: dict[str, Callable[[dict[str, Any]], web.Response]] = {
    "double": _double,
    "tools/double": _double,
    "broken": _broken,
    "slow": _slow,
}


class OpenWhiskAPI:
    """Some actions that whoever has the key may invoke, waiting for their results."""

    def __init__(self) -> None:
        self.invocations: list[Invocation] = []
        self.flowing = asyncio.Event()
        self.flowing.set()

    def application(self) -> web.Application:
        """The server."""
        application = web.Application()
        application.router.add_post(
            "/api/v1/namespaces/{namespace}/actions/{action:.+}", self.invoke
        )
        return application

    async def invoke(self, request: web.Request) -> web.Response:
        """Run an action."""
        await self.flowing.wait()
        try:
            login = BasicAuth.decode(request.headers.get("Authorization", ""))
        except ValueError:
            login = None
        if login is None or f"{login.login}:{login.password}" != KEY:
            return _error(401, "The supplied authentication is invalid")
        if request.content_type != "application/json":
            return _error(415, "The request's Content-Type is not supported")
        if dict(request.query) != {"blocking": "true", "result": "true"}:
            return _error(400, "this server answers with results only")
        parameters = json.loads(await request.read())
        if not isinstance(parameters, dict):
            return _error(400, "The request content was malformed")
        action = request.match_info["action"]
        if action not in ACTIONS:
            return _error(404, "The requested resource does not exist.")
        self.invocations.append(Invocation(request.match_info["namespace"], action, parameters))
        return ACTIONS[action](parameters)


def _error(status: int, text: str) -> web.Response:
    return web.json_response({"code": "a1b2", "error": text}, status=status)
