"""The connection to an API server, which tests can cut and silence without touching the server."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from typing import Self

from tiphys.kube import Cluster


class Wire:
    """
    Passes on what comes, encrypted as it is, to the server of a cluster and back.

    ``async with Wire(cluster) as wire`` listens; *cluster* is the cluster behind the wire.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._target = cluster
        self._port = 0
        self._ends: set[asyncio.StreamWriter] = set()
        self._flows = asyncio.Event()
        self._flows.set()

    async def __aenter__(self) -> Self:
        """Listen."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await self.close()

    @property
    def cluster(self) -> Cluster:
        """How to reach the server through the wire; it shows the certificate of before."""
        target = self._target
        url = target.server.with_host("127.0.0.1").with_port(self._port)
        name = target.server_name or target.server.host
        return dataclasses.replace(target, server=url, server_name=name)

    async def start(self) -> None:
        """Listen, on the same port each time."""
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._listener.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Cut all connections, and take no more."""
        self._listener.close()
        while self._ends:
            self.cut()
            await asyncio.sleep(0)

    def cut(self) -> None:
        """Cut all connections."""
        for end in list(self._ends):
            end.transport.abort()

    def pause(self) -> None:
        """Keep the connections, and let nothing through."""
        self._flows.clear()

    def resume(self) -> None:
        """Go on after :meth:`pause`."""
        self._flows.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server = self._target.server
        self._ends.add(writer)
        try:
            there, back = await asyncio.open_connection(server.host, server.port)
        except OSError:
            self._drop(writer)
            return
        self._ends.add(back)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass(reader, back))
                group.create_task(self._pass(there, writer))
        finally:
            self._drop(back)
            self._drop(writer)

    def _drop(self, end: asyncio.StreamWriter) -> None:
        end.transport.abort()
        self._ends.discard(end)

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(64 * 1024):
                await self._flows.wait()
                sink.write(data)
                await sink.drain()
        sink.transport.abort()  # which ends the other direction as well
