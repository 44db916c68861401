"""The HTTP server that all push sources share: one listener a port, any number of endpoints."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from tiphys.aio import stop
from tiphys.errors import ManifestError, SourceError
from tiphys.ingest._admission import OPEN, Admission
from tiphys.ingest._application import Route
from tiphys.ingest._listener import Listener
from tiphys.ingest._patience import PATIENCE, Patience
from tiphys.ingest._types import Handler
from tiphys.ingest.tls import ServerTLS

DRAIN = 30.0  # seconds that requests on their way have to be answered


class Mount:
    """An endpoint that answers; made by :meth:`IngestServer.mount`."""

    def __init__(self, server: IngestServer, listener: Listener, route: Route) -> None:
        self._server = server
        self._listener = listener
        self._route = route

    async def close(self, limit: float = DRAIN) -> None:
        """
        Take no more requests, wait at most *limit* seconds for those on their way, and go.

        A request of which a part is still missing is not waited for: its sender is told to come
        again.  The port is closed with its last endpoint.  Closing twice is no error.
        """
        route = self._route
        if route.closing:
            return
        route.closing, route.expected = True, self._server.reloads
        self._listener.cut(route)
        try:
            if route.active:
                async with asyncio.timeout(limit):
                    await route.idle.wait()
        except TimeoutError:
            pass  # whoever still waits is cut off with the port
        finally:
            await self._server._unmount(self._listener, route)


class IngestServer:
    """
    Listens where endpoints are mounted.

    *host* is the address to listen on, ``0.0.0.0`` for all of IPv4, empty for all there is.
    """

    def __init__(self, host: str = "0.0.0.0", patience: Patience = PATIENCE) -> None:
        self._host = host
        self._patience = patience
        self._listeners: dict[int, Listener] = {}
        self._lock = asyncio.Lock()  # opening and closing a port take turns
        self._forgetting: asyncio.Task[None] | None = None
        self.reloads = False

    @asynccontextmanager
    async def reloading(self) -> AsyncIterator[None]:
        """
        Expect the endpoints that go in this block to come again, in it or soon after it.

        Their ports stay open, and new requests wait for them; those that have waited for too long
        get 503 with ``Retry-After``.
        """
        await self._no_forgetting()
        self.reloads = True
        try:
            yield
        finally:
            self.reloads = any(route.expected for route in self._routes())
            if self.reloads:
                self._forgetting = asyncio.create_task(self._forget_later())

    async def mount(
        self,
        port: int | str,
        endpoint: str,
        tls: ServerTLS | None,
        handler: Handler,
        *,
        admission: Admission = OPEN,
        owner: str = "",
    ) -> Mount:
        """
        Let *handler* answer the requests to *endpoint* on *port*; it answers once this returns.

        *owner* tells in messages whose endpoint it is.  Raises :exc:`ManifestError` for a port or
        endpoint that cannot be, and :exc:`SourceError` for one that cannot be had now: used by
        another program or event, or served with other TLS settings.
        """
        route = Route(endpoint, handler, admission, owner)
        try:
            return await self._mount(parse_port(port), tls, route)
        except (ManifestError, SourceError) as error:
            raise type(error)(f"{owner}: {error}" if owner else str(error)) from error

    async def close(self, limit: float = DRAIN) -> None:
        """Close every endpoint and port."""
        await self._no_forgetting()
        self.reloads = False
        mounts = [
            Mount(self, listener, route)
            for listener in self._listeners.values()
            for route in listener.application.routes.all()
        ]
        await asyncio.gather(*(mount.close(limit) for mount in mounts))
        await self._forget()

    async def _mount(self, port: int, tls: ServerTLS | None, route: Route) -> Mount:
        async with self._lock:
            listener = self._listeners.get(port)
            if listener is not None and tls != listener.tls and _is_deserted(listener):
                await self._remove(listener, listener.application.routes.all())
                listener = None
            if listener is None:
                listener = Listener(self._host, port, tls, self._patience)
                listener.application.routes.add(route.endpoint, route)
                await listener.open()
                self._listeners[port] = listener
            else:
                before = listener.application.routes.get(route.endpoint)
                _check_company(listener, tls, route)
                listener.application.routes.add(route.endpoint, route)
                if before is not None:
                    before.successor = route
                    before.settled.set()
            return Mount(self, listener, route)

    async def _unmount(self, listener: Listener, route: Route) -> None:
        async with self._lock:
            if self.reloads:
                route.expected = route.away = True
            else:
                await self._remove(listener, [route])

    async def _remove(self, listener: Listener, routes: Iterable[Route]) -> None:
        for route in routes:
            listener.application.routes.remove(route.endpoint)
            route.settled.set()
        if not listener.application.routes:
            self._listeners.pop(listener.port, None)
            await listener.close()

    def _routes(self) -> list[Route]:
        listeners = self._listeners.values()
        return [route for listener in listeners for route in listener.application.routes.all()]

    async def _forget_later(self) -> None:
        await asyncio.sleep(self._patience.again)
        self.reloads = False
        await self._forget()

    async def _forget(self) -> None:
        """Expect the endpoints no more that have not come again."""
        async with self._lock:
            for listener in list(self._listeners.values()):
                away = [route for route in listener.application.routes.all() if route.away]
                if away:
                    await self._remove(listener, away)

    async def _no_forgetting(self) -> None:
        if self._forgetting is not None:
            await stop(self._forgetting)
            self._forgetting = None


def parse_port(port: int | str) -> int:
    """The number of a port.  Raises :exc:`ManifestError` for what is none."""
    text = str(port).strip()
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise ManifestError(f"{port!r} is not a port; write a number from 1 to 65535 in quotes")
    return int(text)


def _is_deserted(listener: Listener) -> bool:
    """Whether no endpoint answers on the port, and none is about to go."""
    return all(route.away for route in listener.application.routes.all())


def _check_company(listener: Listener, tls: ServerTLS | None, route: Route) -> None:
    """Raise :exc:`SourceError` when *route* does not get along with those on the port."""
    port, routes = listener.port, listener.application.routes
    other = routes.get(route.endpoint)
    if other is not None and not other.away:
        raise SourceError(
            f"the endpoint {route.endpoint!r} on port {port} already belongs to "
            f"{other.owner or 'another event'}; give each event an endpoint or port of its own"
        )
    if tls != listener.tls:
        has = "without TLS" if listener.tls is None else "with another certificate"
        owners = ", ".join(route.owner or "another event" for route in routes.all())
        raise SourceError(
            f"port {port} is already served {has} (by {owners}); use the same "
            "`serverCertSecret` and `serverKeySecret`, or another `port`"
        )
