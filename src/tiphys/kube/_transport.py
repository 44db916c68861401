"""HTTP to one API server: connections, credentials, and the retries that the server asks for."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
import structlog
from aiohttp import (
    AddrInfoType,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    TCPConnector,
    hdrs,
)

from tiphys import __version__
from tiphys.errors import ClusterUnavailable
from tiphys.kube._cluster import Cluster
from tiphys.kube._failures import Target, failure

ATTEMPTS = 4  # of a request, while the server names a moment to try again
LONGEST_PAUSE = 15.0  # seconds; a server that asks for more gets an error
TIMEOUT = ClientTimeout(total=60, sock_connect=10)
READ = 64 * 1024  # bytes of an error that are read
KEEP_ALIVE = {  # seconds of silence, seconds between probes, probes before giving up
    "TCP_KEEPIDLE": 30,
    "TCP_KEEPINTVL": 10,
    "TCP_KEEPCNT": 3,
}
log = structlog.get_logger("argo-events.kubernetes")


class Transport:
    """One session with the server of *cluster*; to be closed."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._warned: set[str] = set()
        self._session = ClientSession(
            connector=TCPConnector(
                ssl=cluster.tls if cluster.tls is not None else True,
                limit=0,
                socket_factory=_keeping_alive,
            ),
            trust_env=cluster.proxy is None and not cluster.loopback,
            timeout=TIMEOUT,
            headers={hdrs.USER_AGENT: f"tiphys/{__version__}"},
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def read(
        self,
        method: str,
        path: str,
        target: Target,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> bytes:
        """
        The body of a successful answer.

        Raises :exc:`KubernetesError` for any other, :exc:`ClusterUnavailable` for none.
        """
        headers: dict[str, str] = {hdrs.ACCEPT: accept}
        if body is not None:
            headers[hdrs.CONTENT_TYPE] = content_type
        data = None if body is None else orjson.dumps(body)
        async with self.open(method, path, target, query, headers, data) as answer:
            return await answer.read()

    @contextlib.asynccontextmanager
    async def open(
        self,
        method: str,
        path: str,
        target: Target,
        query: Mapping[str, str] | None,
        headers: Mapping[str, str],
        data: bytes | None = None,
        timeout: ClientTimeout = TIMEOUT,
    ) -> AsyncIterator[ClientResponse]:
        """A successful answer, of which only the head has been read; raises like :meth:`read`."""
        try:
            async with contextlib.AsyncExitStack() as stack:
                answer = await self._attempts(
                    stack, method, path, target, query, headers, data, timeout
                )
                yield answer
        except (ClientError, OSError, TimeoutError) as error:
            said = str(error) or type(error).__name__
            message = f"cannot {target}: no answer from {self._cluster.server}: {said}"
            raise ClusterUnavailable(message) from error

    async def _attempts(
        self,
        stack: contextlib.AsyncExitStack,
        method: str,
        path: str,
        target: Target,
        query: Mapping[str, str] | None,
        headers: Mapping[str, str],
        data: bytes | None,
        timeout: ClientTimeout,
    ) -> ClientResponse:
        cluster = self._cluster
        url = cluster.server.with_path(cluster.server.path.rstrip("/") + path).with_query(query)
        refused = False
        for attempt in range(1, ATTEMPTS + 1):
            answer = await self._session.request(
                method, url, data=data, headers={**headers, **await self._credentials()},
                timeout=timeout, proxy=cluster.proxy, server_hostname=cluster.server_name,
                allow_redirects=False,
            )  # fmt: skip
            if answer.status < 300:
                self._warn(answer)
                return await stack.enter_async_context(answer)
            async with answer:
                body = await answer.content.read(READ)
            error = failure(answer.status, body, answer.headers, target)
            if answer.status == 401 and not refused:
                refused = True  # what is in a file or from a plugin may have been renewed
                cluster.credentials.refused()
                continue
            pause = error.retry_after
            if pause is None or pause > LONGEST_PAUSE or attempt == ATTEMPTS:
                raise error
            await asyncio.sleep(pause)
        raise error

    async def _credentials(self) -> dict[str, str]:
        value = None
        if self._cluster.takes_credentials:
            value = await self._cluster.credentials.authorization()
        return {} if value is None else {hdrs.AUTHORIZATION: value}

    def _warn(self, answer: ClientResponse) -> None:
        """Log each warning of the server once."""
        for header in answer.headers.getall("Warning", ()):
            text = header.split(" ", 2)[-1]
            if text.startswith('"'):
                text = re.sub(r"\\(.)", r"\1", text.strip()[1:-1])
            if text not in self._warned and len(self._warned) < 1000:
                self._warned.add(text)
                log.warning("The API server warns", warning=text)


def _keeping_alive(address: AddrInfoType) -> socket.socket:
    """A socket that notices within a minute that nobody is there, also while it only listens."""
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in KEEP_ALIVE.items():
        if hasattr(socket, option):  # not on every system
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return made
