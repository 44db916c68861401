"""The double of a Kubernetes API server, which can also fall silent."""

from __future__ import annotations

import asyncio

from aiohttp import web

from tiphys.testing.kubernetes import APIServer


class PausingAPIServer(APIServer):
    """While it pauses, connections stay and requests are not answered."""

    def __init__(self) -> None:
        super().__init__()
        self._answering = asyncio.Event()
        self._answering.set()

    def pause(self) -> None:
        """Answer nothing any more."""
        self._answering.clear()

    def resume(self) -> None:
        """Go on after :meth:`pause`."""
        self._answering.set()

    async def _serve(self, http: web.Request) -> web.StreamResponse:
        await self._answering.wait()
        return await super()._serve(http)
