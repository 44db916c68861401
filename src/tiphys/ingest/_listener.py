"""One listening port, open and closed in the event loop of the process."""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING

from tiphys.errors import SourceError
from tiphys.ingest._application import Application, Route
from tiphys.ingest._patience import Patience
from tiphys.ingest.tls import ServerTLS

if TYPE_CHECKING:
    from tiphys.ingest._protocol import Connections

CLOSING = 5.0  # seconds until connections that do not close are cut


class Listener:
    """
    A port that is open from :meth:`open` to :meth:`close`.

    :attr:`application` answers the requests.
    """

    def __init__(self, host: str, port: int, tls: ServerTLS | None, patience: Patience) -> None:
        self.host = host
        self.port = port
        self.tls = tls
        self.application = Application(patience)
        self._patience = patience
        self._connections: Connections | None = None
        self._server: asyncio.AbstractServer | None = None

    async def open(self) -> None:
        """Listen.  Raises :exc:`SourceError` when the port cannot be had."""
        from tiphys.ingest._protocol import Connections  # uvicorn is slow to import

        self._connections = connections = Connections(self.application, self._patience)
        try:
            self._server = await asyncio.get_running_loop().create_server(
                connections.protocol,
                self.host or None,
                self.port,
                ssl=self.tls.context if self.tls else None,
                backlog=2048,
            )
        except OSError as error:
            raise SourceError(_explain(self.port, error)) from error

    def cut(self, route: Route) -> None:
        """Wait no more for what is still missing of the requests for *route*."""
        if self._connections is not None:
            self._connections.cut(route)

    async def close(self) -> None:
        """
        Stop listening and close every connection, after the answer that is on its way.

        Requests that have not arrived completely are cut off.
        """
        if self._server is None or self._connections is None:
            return
        self._server.close()
        try:
            async with asyncio.timeout(CLOSING):
                await self._connections.close()
        except TimeoutError:
            self._connections.abort()
        self._server = None


def _explain(port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is in use by another program; stop that or choose another `port`"
    if error.errno == errno.EACCES:
        return (
            f"port {port} needs privileges that this process does not have; "
            "choose a `port` from 1024 up, or grant CAP_NET_BIND_SERVICE"
        )
    return f"port {port} cannot be opened: {error.strerror or error}"
