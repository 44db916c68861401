"""StorageGRID's tenant management API for endpoints and notifications of buckets."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from tests.integration.sources._providers._server import CALL, Call, Provider, answer

TOKEN = "7d5a2d0b-c2a5-4a0f-b2f6-0f3c7f3b5e11"
ENDPOINTS = "/api/v3/org/endpoints"


class StorageGrid(Provider):
    """One tenant with the bucket ``photos``; ``notifications`` has the XML of each bucket."""

    def __init__(self) -> None:
        super().__init__()
        self.endpoints: list[dict[str, Any]] = []
        self.notifications: dict[str, str] = {"photos": ""}

    @property
    def api(self) -> str:
        return f"{self.url}/api/v3"

    def routes(self, router: web.UrlDispatcher) -> None:
        router.add_get(ENDPOINTS, self._list)
        router.add_post(ENDPOINTS, self._create)
        router.add_put("/api/v3/org/containers/{bucket}/notification", self._notify)

    def refusal(self, call: Call) -> web.Response | None:
        if call.headers.get("Authorization") == f"Bearer {TOKEN}":
            return None
        return _error(401, "Unauthorized")

    async def _list(self, _request: web.Request) -> web.Response:
        return _success(200, self.endpoints)

    async def _create(self, request: web.Request) -> web.Response:
        endpoint = {"id": str(self.next_id()), **request[CALL].body}
        if any(one["endpointURN"] == endpoint["endpointURN"] for one in self.endpoints):
            return _error(409, "An endpoint with this URN already exists")
        self.endpoints.append(endpoint)
        return _success(201, endpoint)

    async def _notify(self, request: web.Request) -> web.Response:
        bucket = request.match_info["bucket"]
        if bucket not in self.notifications:
            return _error(404, f"The bucket {bucket} does not exist")
        self.notifications[bucket] = request[CALL].body["notification"]
        return _success(200, request[CALL].body)


def _success(status: int, data: Any) -> web.Response:
    return answer(status, {"status": "success", "apiVersion": "3.0", "data": data})


def _error(status: int, text: str) -> web.Response:
    message = {"code": status, "text": text}
    return answer(status, {"status": "error", "apiVersion": "3.0", "message": message})
