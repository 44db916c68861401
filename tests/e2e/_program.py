"""The installed program as a user runs it, and a receiver that its actions can call."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from tests._ports import free_port

TIPHYS = Path(sys.executable).with_name("tiphys")


class Receiver:
    """Writes down every request; answers with *status*."""

    def __init__(self) -> None:
        self.port = free_port()
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        self.delay = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(body) for _, body in self.requests]

    async def wait(self, count: int, timeout: float = 20.0) -> None:
        """Until *count* requests have come."""
        async with asyncio.timeout(timeout):
            while len(self.requests) < count:
                await asyncio.sleep(0.02)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Receiver]:
        app = web.Application(client_max_size=16 << 20)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        await asyncio.sleep(self.delay)
        self.requests.append((dict(request.headers), body))
        return web.Response(status=self.status, text="received")


class Program:
    """``tiphys run`` in a folder of its own; may be killed and started again."""

    def __init__(self, folder: Path, *options: str, env: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.options = options
        self.env = env or {}
        self.host = "127.0.0.1"
        self.metrics_port = free_port()
        self.api_port = free_port()
        self.process: asyncio.subprocess.Process | None = None
        self.output = ""
        self._killed = False
        self._reader: asyncio.Task[None] | None = None

    @property
    def api(self) -> str:
        return f"http://{self.host}:{self.api_port}"

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    def write(self, name: str, text: str) -> Path:
        """Put a manifest into the folder."""
        path = self.folder / "manifests" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    async def start(self, *, ready: bool = True) -> None:
        """Start it and wait until it is ready."""
        self._killed = False
        self.process = await asyncio.create_subprocess_exec(
            str(TIPHYS),
            "run",
            str(self.folder / "manifests"),
            f"--data-dir={self.data_dir}",
            f"--metrics-port={self.metrics_port}",
            f"--api-port={self.api_port}",
            "--host=127.0.0.1",
            *self.options,
            env={**os.environ, **self.env},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._reader = asyncio.create_task(self._read(self.process))
        if ready:
            await self.wait_ready()

    async def revive(self) -> None:
        """Start it if it is dead; in any case wait until it is ready."""
        if self._killed:  # perhaps by a task that was cancelled before it saw the end
            await self._ended()
        if self.process is None or self.process.returncode is not None:
            await self.start()
        await self.wait_ready()

    async def wait_ready(self, timeout: float = 20.0) -> None:
        """Until ``/readyz`` says so."""
        async with asyncio.timeout(timeout), aiohttp.ClientSession() as session:
            while True:
                assert self.process is not None
                assert self.process.returncode is None, self.output
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"{self.api}/readyz") as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(0.05)

    async def wait_output(self, text: str, timeout: float = 10.0) -> None:
        """Until it has printed *text*."""
        async with asyncio.timeout(timeout):
            while text not in self.output:
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        """SIGKILL; what it started is on its own."""
        assert self.process is not None
        self._killed = True
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self._ended()

    async def stop(self, timeout: float = 20.0) -> int:
        """SIGTERM; returns the exit status."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        async with asyncio.timeout(timeout):
            await self._ended()
        assert self.process.returncode is not None
        return self.process.returncode

    def kill_nats_server(self) -> None:
        """SIGKILL of the embedded bus."""
        for path in self.data_dir.rglob("*.pid"):
            with contextlib.suppress(ProcessLookupError, ValueError):
                os.kill(int(path.read_text()), signal.SIGKILL)

    async def _ended(self) -> None:
        assert self.process is not None
        await self.process.wait()
        if self._reader is not None:
            await self._reader

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            self.output += line.decode(errors="replace")


async def tiphys(*arguments: str, env: dict[str, str] | None = None) -> tuple[int, str]:
    """Run a command to its end; returns exit status and output."""
    process = await asyncio.create_subprocess_exec(
        str(TIPHYS),
        *arguments,
        env={**os.environ, **(env or {})},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(30):
        output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()
