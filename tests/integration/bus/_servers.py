"""A nats-server of somebody else: started with any configuration, stopped, killed."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from tests._ports import free_port
from tiphys.bus._server_files import binary


class NatsServer:
    """A server with JetStream on the loopback; *options* are lines of its configuration."""

    def __init__(self, directory: Path, options: str = "") -> None:
        self.directory = directory
        self.options = options
        self.port = free_port()
        self.process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        config = self.directory / "nats.conf"
        config.write_text(
            f'listen: "127.0.0.1:{self.port}"\n'
            f'jetstream {{ store_dir: "{self.directory}" }}\n{self.options}\n'
        )
        self.process = await asyncio.create_subprocess_exec(
            binary(), "-c", config,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        async with asyncio.timeout(20):
            while not await self._answers():
                assert self.process.returncode is None, "nats-server ended"
                await asyncio.sleep(0.02)

    async def pause(self) -> None:
        """Keep the connections open and answer nothing."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        async with asyncio.timeout(10):
            while _state(self.process.pid) != "T":
                await asyncio.sleep(0.01)

    def resume(self) -> None:
        """Go on after :meth:`pause`."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    async def stop(self, number: int = signal.SIGTERM) -> None:
        process, self.process = self.process, None
        if process is not None:
            if process.returncode is None:
                process.send_signal(number)
                process.send_signal(signal.SIGCONT)  # a paused one would not end
            await process.wait()

    async def _answers(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        try:
            return (await reader.read(4)) == b"INFO"
        finally:
            writer.close()


def _state(process: int) -> str:
    """The letter of its state; T is stopped."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
