"""Pulsar Lite: a broker that speaks Pulsar's protocol; it checks no login and has no TLS."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pulsar

from tests.integration._servers import Server
from tests.integration._tools import tool_environment


class PulsarLite(Server):
    """The broker, what it keeps in a file."""

    program = "pulsar-lite"

    @property
    def url(self) -> str:
        return f"pulsar://127.0.0.1:{self.port}"

    def arguments(self) -> Sequence[str | Path]:
        address = f"127.0.0.1:{self.port}"
        return ["--addr", address, "--db-path", self.directory / "messages.db"]

    async def messages(self, topic: str) -> list[pulsar.Message]:
        """All messages that a topic ever got."""
        return await asyncio.to_thread(self._read, topic)

    def _read(self, topic: str) -> list[pulsar.Message]:
        logger = pulsar.ConsoleLogger(pulsar.LoggerLevel.Error)
        client = pulsar.Client(self.url, operation_timeout_seconds=5, logger=logger)
        try:
            reader = client.create_reader(topic, pulsar.MessageId.earliest)
            messages = []
            while reader.has_message_available():
                messages.append(reader.read_next(timeout_millis=5000))
            return messages
        finally:
            client.shutdown()

    def _run(self, program: str, *arguments: str | Path) -> subprocess.Popen[bytes]:
        # The package installs no program; the broker is a file in it.
        packages = tool_environment("pulsar-lite==0.2.0").parent / "lib"
        (path,) = packages.glob(f"python3*/site-packages/pulsar_lite/bin/{program}")
        return super()._run(str(path), *arguments)
