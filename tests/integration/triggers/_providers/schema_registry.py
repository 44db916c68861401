"""
The part of a schema registry that hands schemas out.

From https://docs.confluent.io/platform/current/schema-registry/develop/api.html.
"""

from __future__ import annotations

import json
from typing import Any

from aiohttp import encode_basic_auth, web


class Registry:
    """Schemas by number, for whoever logs in."""

    def __init__(self) -> None:
        self.schemas: dict[int, dict[str, Any]] = {}
        self.reads = 0

    def add(self, number: int, schema: Any, **extra: Any) -> None:
        """Register a schema."""
        self.schemas[number] = {"schema": json.dumps(schema), **extra}

    def application(self) -> web.Application:
        """The server."""
        application = web.Application()
        application.router.add_get("/schemas/ids/{number}", self.read)
        return application

    async def read(self, request: web.Request) -> web.Response:
        """One schema."""
        if request.headers.get("Authorization") != encode_basic_auth("ada", "s3cret"):
            return web.json_response({"error_code": 40101, "message": "Unauthorized"}, status=401)
        self.reads += 1
        found = self.schemas.get(int(request.match_info["number"]))
        if found is None:
            return web.json_response({"error_code": 40403, "message": "not found"}, status=404)
        return web.json_response(found)
