"""An API server that a trigger finds through its environment, and that can be made to hang."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import orjson

from tests._ports import free_port
from tiphys.kube import NAMESPACES, Client
from tiphys.testing.kubernetes import APIServer
from tiphys.triggers import Firing, Outcome, TriggerContext, triggers

Object = dict[str, Any]


@contextlib.contextmanager
def environment(kubeconfig: Path) -> Iterator[None]:
    """Let the cluster be found through *kubeconfig*."""
    before = os.environ.get("KUBECONFIG")
    os.environ["KUBECONFIG"] = str(kubeconfig)
    try:
        yield
    finally:
        if before is None:
            del os.environ["KUBECONFIG"]
        else:
            os.environ["KUBECONFIG"] = before


@contextlib.asynccontextmanager
async def cluster(folder: Path, *namespaces: str) -> AsyncIterator[tuple[APIServer, Client]]:
    """A server with *namespaces*, to which ``KUBECONFIG`` leads, and a client of it."""
    async with APIServer() as server, server.client() as client:
        for name in namespaces:
            await client.create(NAMESPACES, {"metadata": {"name": name}})
        with environment(server.kubeconfig(folder / "kubeconfig")):
            yield server, client


def unreachable_kubeconfig(folder: Path) -> Path:
    """A kubeconfig for a server that is not there."""
    path = folder / "nowhere"
    address = f"http://127.0.0.1:{free_port()}"
    path.write_bytes(
        orjson.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "c", "cluster": {"server": address}}],
                "users": [{"name": "u", "user": {}}],
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "c",
            }
        )
    )
    return path


class Gateway:
    """Passes bytes to and from a port, until it is told to keep them."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[int]:
        """The port to connect to."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def hold(self) -> None:
        """Pass nothing any more."""
        self._open.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        for source, sink in ((reader, back), (there, writer)):
            self._tasks.add(asyncio.create_task(self._pass(source, sink)))

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                await self._open.wait()
                sink.write(data)
                await sink.drain()
        except ConnectionError:
            pass
        finally:
            sink.close()


async def fire(ctx: TriggerContext, key: str, block: Object, **firing: Any) -> Outcome:
    """One firing of a trigger of *key* with *block*, without parameters."""
    trigger = triggers.get(key)()
    await trigger.start(ctx)
    config = trigger.Config.model_validate(block)
    return await trigger.fire(await prepared(trigger, config, **firing))


async def prepared(trigger: Any, config: Any, **changes: Any) -> Firing[Any]:
    """What the engine would give the trigger to do."""
    firing: Firing[Any] = Firing(
        config=config,
        trigger="tr",
        sensor="sn",
        namespace=trigger.ctx.namespace,
        action_id="action-1",
        events={},
        resource=await trigger.fetch(config),
    )
    return dataclasses.replace(firing, **changes)
