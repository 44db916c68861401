"""
The whole program: durable webhook ingest, latency from webhook to action, memory at rest.

The program is pinned to one core and measured beside a bare uvicorn endpoint and beside bare
pipelined publishing with nats-py, both on the same core and server in the same run.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks._load import Load
from tiphys.bus import Limits
from tiphys.bus.embedded import EmbeddedBus
from tiphys.observe.history import JOURNAL, SUBJECT, History
from tiphys.observe.metrics import Metrics

BODY = b'{"ref":"refs/heads/main","after":"6113728f27ae82c7b1a177c8d03f9e96e0adf246","n":1}'
REQUESTS = 20_000
CONNECTIONS = 64
RECORDS = 800  # of the history, that are written together
BARE = """
async def app(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-length", b"7")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"success"})
"""
PUBLISH = """
import asyncio, os, sys, time, nats, uvloop
url, user, password, count = sys.argv[1:]
async def main():
    client = await nats.connect(url, user=user, password=password)
    stream = client.jetstream(publish_async_max_pending=100000)
    body = b"x" * 400
    rest = iter(range(int(count)))
    async def worker():
        for n in rest:
            headers = {"Nats-Msg-Id": f"{os.getpid()}-{n}"}
            await stream.publish("default.bench.bare", body, headers=headers)
    started = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(64)))
    print(int(count) / (time.perf_counter() - started))
    await client.close()
uvloop.run(main())
"""


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def pinned(core: int) -> list[str]:
    """The beginning of a command that runs on one core."""
    cores = sorted(os.sched_getaffinity(0))
    return ["taskset", "-c", str(cores[core % len(cores)])]


class Program:
    """``tiphys run`` with one webhook and one sensor that calls back."""

    def __init__(self, folder: Path, receiver: int) -> None:
        self.folder = folder
        self.port, self.api, self.metrics = free_port(), free_port(), free_port()
        webhook = {
            name: {"port": str(self.port), "endpoint": f"/{name}", "method": "POST"}
            for name in ("sink", "act")
        }
        payload = [{"src": {"dependencyName": "d", "dataKey": "body.n"}, "dest": "n"}]
        http = {"url": f"http://127.0.0.1:{receiver}/", "payload": payload}
        objects = [
            _object("EventSource", "bench", {"webhook": webhook}),
            _object(
                "Sensor",
                "bench",
                {
                    "dependencies": [{"name": "d", "eventSourceName": "bench", "eventName": "act"}],
                    "triggers": [{"template": {"name": "call", "http": http}}],
                },
            ),
        ]
        (folder / "all.yaml").write_text("\n---\n".join(map(json.dumps, objects)))

    def start(self) -> subprocess.Popen[bytes]:
        """Start it on one core and wait until it is ready."""
        process = subprocess.Popen(
            [
                *pinned(0),
                str(Path(sys.executable).with_name("tiphys")),
                "run",
                str(self.folder / "all.yaml"),
                f"--data-dir={self.folder / 'data'}",
                f"--api-port={self.api}",
                f"--metrics-port={self.metrics}",
                "--host=127.0.0.1",
                "--log-level=warn",
                "--no-watch",
            ],
            stdout=subprocess.DEVNULL,
        )
        for _ in range(200):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.api}/readyz"):
                    return process
            except OSError:
                time.sleep(0.1)
        raise SystemExit("the program did not become ready")

    def access(self) -> tuple[str, str, str]:
        """Address, user and password of its bus."""
        (path,) = (self.folder / "data").glob("*/*/nats/access.json")
        access = json.loads(path.read_text())
        return f"nats://127.0.0.1:{access['port']}", access["user"], access["password"]


def _object(kind: str, name: str, spec: object) -> dict[str, object]:
    metadata = {"name": name}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": kind,
        "metadata": metadata,
        "spec": spec,
    }


async def bare_endpoint(folder: Path) -> Load:
    """A uvicorn endpoint that does nothing."""
    (folder / "bare.py").write_text(BARE)
    port = free_port()
    server = await asyncio.create_subprocess_exec(
        *pinned(0),
        *(sys.executable, "-m", "uvicorn", "bare:app", "--port", str(port)),
        *("--no-access-log", "--log-level", "critical", "--loop", "uvloop"),
        cwd=folder,
    )
    try:
        await _until_open(port)
        load = Load(port, "/", BODY, REQUESTS, CONNECTIONS)
        await load.run()
        return load
    finally:
        server.terminate()
        await server.wait()


async def bare_publishing(program: Program) -> float:
    """Publications per second of nats-py alone, pipelined, each confirmed."""
    process = await asyncio.create_subprocess_exec(
        *(*pinned(0), sys.executable, "-c", PUBLISH, *program.access(), str(REQUESTS)),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    return float(output)


async def _until_open(port: int) -> None:
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return


async def latency(
    program: Program, receiver: int, rate: int = 200, count: int = 1000
) -> list[float]:
    """Milliseconds from sending a webhook to the arrival of its action, at *rate* a second."""
    sent: dict[int, float] = {}
    took: list[float] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            number = int(json.loads(await reader.readexactly(length))["n"])
            took.append((time.perf_counter() - sent[number]) * 1000)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async def quiet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(quiet, "127.0.0.1", receiver)
    reader, writer = await asyncio.open_connection("127.0.0.1", program.port)
    async with server:
        for number in range(count):
            body = json.dumps({"n": number}).encode()
            sent[number] = time.perf_counter()
            writer.write(
                b"POST /act HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n" % len(body) + body
            )
            await reader.readuntil(b"success")
            await asyncio.sleep(max(0.0, sent[number] + 1 / rate - time.perf_counter()))
        for _ in range(100):
            if len(took) >= count:
                break
            await asyncio.sleep(0.1)
    writer.close()
    return sorted(took)


async def processor_time(program: Program) -> float:
    """Microseconds of the processor for one webhook; unlike rates, hardly hurt by other load."""
    process = program.start()
    try:
        spent = []
        for _ in range(3):
            before = _processor_seconds(process)
            await Load(program.port, "/sink", BODY, REQUESTS, CONNECTIONS).run()
            spent.append((_processor_seconds(process) - before) / REQUESTS * 1e6)
        return min(spent)
    finally:
        process.terminate()
        process.wait()


async def history_time(folder: Path) -> float:
    """
    Microseconds of the processor for what the history keeps of one webhook.

    Measured by itself, because rates with and without it differ by less than they vary.
    """
    bus = EmbeddedBus(folder / "history")
    await bus.start()
    try:
        journal = await bus.journal(JOURNAL, Limits())
        history = History(Metrics())
        ids = [uuid.uuid4().hex for _ in range(REQUESTS)]
        spent = []
        for _ in range(3):
            before = time.process_time()
            for start in range(0, REQUESTS, RECORDS):
                for id in ids[start : start + RECORDS]:
                    history.add("published", (id,), "bench", "sink")
                await history.flush(lambda body: journal.append(SUBJECT, body))
            spent.append((time.process_time() - before) / REQUESTS * 1e6)
        return min(spent)
    finally:
        await bus.close()


def _processor_seconds(process: subprocess.Popen[bytes]) -> float:
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(process: subprocess.Popen[bytes]) -> float:
    """Resident memory of a process in MiB."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


async def main() -> None:
    """Measure and print."""
    table = Table("what", "per second", "p50 ms", "p99 ms", "share of bare publishing")
    with tempfile.TemporaryDirectory() as name:
        folder, receiver = Path(name), free_port()
        program = Program(folder, receiver)
        process = program.start()
        try:
            await asyncio.sleep(1)
            idle = memory(process)
            publishing = [await bare_publishing(program)]
            ingest = [Load(program.port, "/sink", BODY, REQUESTS, CONNECTIONS) for _ in range(2)]
            rates = [await load.run() for load in ingest]
            publishing.append(await bare_publishing(program))
            bare = await bare_endpoint(folder)
            times = await latency(program, receiver)
        finally:
            process.terminate()
            process.wait()
        webhook_time = await processor_time(program)
        record_time = await history_time(folder)
    best = max(range(2), key=lambda n: rates[n])
    reference = max(publishing)
    row = ingest[best]
    total = sum(bare.times) / CONNECTIONS
    table.add_row("bare publishing (nats-py, pipelined)", f"{reference:,.0f}", "", "", "100 %")
    table.add_row(
        "bare uvicorn endpoint",
        f"{len(bare.times) / total:,.0f}",
        f"{bare.percentile(0.5):.2f}",
        f"{bare.percentile(0.99):.2f}",
        "",
    )
    table.add_row(
        "webhook, durable",
        f"{rates[best]:,.0f}",
        f"{row.percentile(0.5):.2f}",
        f"{row.percentile(0.99):.2f}",
        f"{rates[best] / reference:.0%}",
    )
    Console().print(table)
    print(
        f"processor time of a webhook: {webhook_time:.0f} µs, "
        f"of which {record_time:.1f} µs for the history ({record_time / webhook_time:.1%})"
    )
    if row.refused:
        print(f"{row.refused} requests were refused")
    print(
        f"webhook to HTTP action at 200 a second: p50 {times[len(times) // 2]:.2f} ms, "
        f"p99 {times[int(len(times) * 0.99)]:.2f} ms ({len(times)} of 1000 arrived)"
    )
    print(f"memory at rest, without the bus: {idle:.0f} MiB")


if __name__ == "__main__":
    uvloop.run(main())
