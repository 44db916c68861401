"""
A gRPC server with the service ``generic.Eventing``, as a program of its own.

Clients are told apart by the text of their ``config``; one that begins with ``guarded`` needs the
token ``secret``.  The service ``test.Control`` says who listens, and sends to them.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import grpc
from grpc import aio

from tests.integration._servers import Server

Received = dict[str, Any]


class Eventing:
    """Both services."""

    def __init__(self) -> None:
        self.calls: list[Received] = []
        self.queues: dict[str, list[asyncio.Queue[Received]]] = {}

    async def start_event_source(
        self, request: bytes, context: aio.ServicerContext
    ) -> AsyncIterator[bytes]:
        metadata = dict(context.invocation_metadata())
        fields = {"name": "", "config": "", "authorization": metadata.get("authorization")}
        while request:  # both fields are short and of bytes
            tag, length = request[0], request[1]
            fields[{0x0A: "name", 0x12: "config"}[tag]] = request[2 : 2 + length].decode()
            request = request[2 + length :]
        self.calls.append(fields)
        config = str(fields["config"])
        if config.startswith("guarded") and fields["authorization"] != "Bearer secret":
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "unknown token")
        queue: asyncio.Queue[Received] = asyncio.Queue()
        queues = self.queues.setdefault(config, [])
        queues.append(queue)
        try:
            while "end" not in (command := await queue.get()):
                yield base64.b64decode(command["message"])
            if command["end"] != "OK":
                await context.abort(grpc.StatusCode[command["end"]], "on demand")
        finally:
            queues.remove(queue)

    async def send(self, request: bytes, _: aio.ServicerContext) -> bytes:
        command = json.loads(request)
        for queue in self.queues.get(command["config"], []):
            queue.put_nowait(command)
        return b""

    async def state(self, request: bytes, _: aio.ServicerContext) -> bytes:
        config = request.decode()
        calls = [call for call in self.calls if call["config"] == config]
        listening = len(self.queues.get(config, []))
        return json.dumps({"calls": calls, "listening": listening}).encode()


async def serve(port: int, credentials: grpc.ServerCredentials | None) -> None:
    """Serve until the program is ended."""
    eventing = Eventing()
    server = aio.server(
        options=[
            ("grpc.so_reuseport", 0),
            ("grpc.http2.min_ping_interval_without_data_ms", 10),
            ("grpc.http2.max_ping_strikes", 0),
        ]
    )
    stream = grpc.unary_stream_rpc_method_handler(eventing.start_event_source)
    controls = {
        "Send": grpc.unary_unary_rpc_method_handler(eventing.send),
        "State": grpc.unary_unary_rpc_method_handler(eventing.state),
    }
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler("generic.Eventing", {"StartEventSource": stream}),
            grpc.method_handlers_generic_handler("test.Control", controls),
        )
    )
    address = f"127.0.0.1:{port}"
    if credentials is not None:
        server.add_secure_port(address, credentials)
    else:
        server.add_insecure_port(address)
    await server.start()
    await server.wait_for_termination()


class EventingServer(Server):
    """The program; with *certificate* and *key* it speaks TLS, and wants *client_ca*'s clients."""

    program = "python"

    def __init__(
        self,
        directory: Path,
        certificate: Path | None = None,
        key: Path | None = None,
        client_ca: Path | None = None,
    ) -> None:
        super().__init__(directory)
        self._tls = [str(path or "") for path in (certificate, key, client_ca)]

    def arguments(self) -> Sequence[str | Path]:
        names = ("--certificate", "--key", "--client-ca")
        options = [f"{name}={value}" for name, value in zip(names, self._tls, strict=True)]
        return ["-m", __name__, f"--port={self.port}", *options]

    def environment(self) -> dict[str, str]:
        return {"PYTHONPATH": str(Path(__file__).parents[4])}


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="generic.Eventing, for tests")
    parser.add_argument("--port", type=int, required=True)
    for name in ("--certificate", "--key", "--client-ca"):
        parser.add_argument(name, default="")
    options = parser.parse_args()
    credentials = None
    if options.certificate:
        pair = (Path(options.key).read_bytes(), Path(options.certificate).read_bytes())
        roots = Path(options.client_ca).read_bytes() if options.client_ca else None
        credentials = grpc.ssl_server_credentials([pair], roots, roots is not None)
    asyncio.run(serve(options.port, credentials))


if __name__ == "__main__":
    main()
