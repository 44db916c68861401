"""
The embedded bus: the real nats-server as a child, watched and restarted.

Killing either process loses nothing: nats-server writes each message before it confirms it, and
what is written outlives the process.  Only a power failure or a crash of the kernel can lose what
the disk has not got yet; *sync* bounds that:

* ``always`` loses nothing, and publishes as fast as the disk synchronises: on an ordinary SSD a
  few thousand events a second instead of tens of thousands.
* An interval loses at most what was published within it.  The default of one second is not
  measurably slower than nats-server's own two minutes (``benchmarks/bus.py --sync 2m``).
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import structlog

from tiphys.aio import capped_backoff, stop
from tiphys.bus._server_files import Access, DataDirectory, binary, sync_interval
from tiphys.bus.jetstream import Credentials, Endpoint, JetStreamBus, StreamSettings
from tiphys.bus.jetstream.redelivery import deliver_again
from tiphys.errors import BusUnavailable

log = structlog.get_logger("argo-events.eventbus")

DEFAULT_SYNC = "1s"
MAX_PAYLOAD = 8 * 1024 * 1024
_START_LIMIT = 60.0  # seconds; a large store takes a while to be read
_STOP_LIMIT = 15.0  # seconds
_STABLE = 10.0  # seconds of life after which the next restart is quick again

# Started through an interpreter that replaces itself: the kernel is told to end the server when
# this program dies in any way, without code of ours running between a fork and an exec.
_LEASH = """\
import ctypes, os, signal, sys
try:
    ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)
except (AttributeError, OSError):
    pass
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


def embedded_stream(data_dir: Path) -> StreamSettings:
    """
    The stream of a bus whose manifest says nothing: a week of events, as on a managed bus.

    Bounded by its size and not by the number of events, which would lose those of a sensor that
    was away for a while: 20 GiB, or half of what the disk has left where that is less.
    """
    day = 86_400_000_000_000
    size = min(20 * 1024**3, shutil.disk_usage(data_dir).free // 2)
    return StreamSettings(max_age=7 * day, max_bytes=size, replicas=1, duplicates=300_000_000_000)


class EmbeddedServer:
    """
    A nats-server with JetStream on the loopback.

    *sync* is ``always``, which waits for the disk before each message is confirmed, or the longest
    time between a confirmation and the disk, such as ``1s``.
    """

    def __init__(
        self, data_dir: Path, *, sync: str = DEFAULT_SYNC, max_payload: int = MAX_PAYLOAD
    ) -> None:
        self.files = DataDirectory(data_dir)
        self._sync = sync_interval(sync)
        self._max_payload = max_payload
        self._access: Access | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._reported: int | None = None
        self._asked_to_end: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """
        Start the server and keep it running.

        Raises :exc:`BusUnavailable` when it is not installed, the directory is in use or cannot be
        written, or the server does not start.
        """
        program = binary()
        self.files.acquire()
        try:
            orphan = await asyncio.to_thread(self.files.stop_orphan)
            if orphan is not None:
                log.warning("Stopped the nats-server of an earlier run", pid=orphan)
            await self._launch(program)
        except BaseException:
            await self._end()
            self.files.release()
            raise
        log.info("nats-server started", pid=self.pid, port=self.endpoint().servers[0])
        self._supervisor = asyncio.create_task(self._supervise(program), name="nats-server")

    async def close(self) -> None:
        """Stop the server and wait for its end."""
        if self._supervisor is not None:
            await stop(self._supervisor)
            self._supervisor = None
        await self._end()
        self.files.release()

    @property
    def pid(self) -> int | None:
        """The process id of the server; None while there is none."""
        return None if self._process is None else self._process.pid

    def endpoint(self) -> Endpoint:
        """Where the server is; the same for as long as it can be."""
        access = self._access
        if access is None:
            raise BusUnavailable("the embedded nats-server is not running")
        return Endpoint(
            (f"nats://127.0.0.1:{access.port}",), Credentials(access.user, access.password)
        )

    def restart(self) -> None:
        """Have the server stopped and started again; a second call for the same one kills it."""
        process = self._process
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                process.send_signal(
                    signal.SIGKILL if self._asked_to_end is process else signal.SIGTERM
                )
            self._asked_to_end = process

    async def heal(self) -> None:
        """
        Restart a server that could not write, once the disk has room.

        It refuses to store anything from its first failure on, also when there is room again.
        """
        if self.pid is None:
            return
        error = await asyncio.to_thread(self.files.write_error, self.pid)
        if not error:
            return
        if self._reported != self.pid:
            self._reported = self.pid
            log.error("nats-server cannot write; it is restarted when there is room", error=error)
        if self.files.has_space():
            self.restart()

    async def _supervise(self, program: Path) -> None:
        """Start the server again whenever it ends; slower and slower if it does so at once."""
        pauses = capped_backoff(0.05, 5.0)
        while True:
            process, started = self._process, time.monotonic()
            assert process is not None
            code = await process.wait()
            log.warning(
                "nats-server ended; starting it again",
                exitCode=code,
                error=self.files.last_words(process.pid) if code > 0 else "",
            )
            if time.monotonic() - started > _STABLE:
                pauses = capped_backoff(0.05, 5.0)
            await self._relaunch(program, pauses)
            log.info("nats-server is back", pid=self.pid)

    async def _relaunch(self, program: Path, pauses: Iterator[float]) -> None:
        """Start the server, with as many attempts as it takes."""
        reported = False
        while True:
            await asyncio.sleep(next(pauses))
            try:
                await self._launch(program)
                return
            except BusUnavailable as error:
                trouble = str(error)
            if not reported:
                log.error("nats-server does not start; trying on", error=trouble)
            reported = True

    async def _launch(self, program: Path) -> None:
        """Start the server and wait until it answers.  Raises :exc:`BusUnavailable`."""
        await self._end()
        self._access = await asyncio.to_thread(self.files.access)
        self.files.configure(self._access, self._sync, self._max_payload)
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command(program),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,  # a Ctrl-C at the terminal is for this program only
            )
        except OSError as error:
            raise BusUnavailable(f"nats-server cannot be started: {error}") from error
        self._process = process
        try:
            async with asyncio.timeout(_START_LIMIT):
                while not await _answers(self._access.port):
                    if process.returncode is not None:
                        raise BusUnavailable(
                            f"nats-server does not start: {self.files.last_words(process.pid)}"
                        )
                    await asyncio.sleep(0.02)
        except TimeoutError:
            words = self.files.last_words(process.pid)
            raise BusUnavailable(
                f"nats-server does not answer within {_START_LIMIT:g} s: {words}"
            ) from None

    def _command(self, program: Path) -> list[str]:
        server = [str(program), "-c", str(self.files.config)]
        if sys.platform != "linux" or not sys.executable:
            return server  # an orphan is found at the next start
        return [sys.executable, "-I", "-S", "-c", _LEASH, str(os.getpid()), *server]

    async def _end(self) -> None:
        """Stop the process, gracefully if it lets us."""
        process, self._process = self._process, None
        if process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            if process.returncode is not None:
                return
            with suppress(ProcessLookupError):
                process.send_signal(number)
            with suppress(TimeoutError):
                async with asyncio.timeout(_STOP_LIMIT):
                    await process.wait()


class EmbeddedBus(JetStreamBus):
    """
    A bus on a server of its own; *data_dir* keeps everything.

    *stream* is used with one replica, since there is one server; see :func:`embedded_stream`.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        sync: str = DEFAULT_SYNC,
        stream: StreamSettings | None = None,
        name: str = "tiphys",
    ) -> None:
        self.server = EmbeddedServer(data_dir, sync=sync)
        self._given_stream = stream
        self._delivered_by: int | None = None  # the process that was told to deliver again
        super().__init__(self._where, name=name)

    async def start(self) -> None:
        """Start the server, connect, and create the stream of events if it is missing."""
        await self.server.start()
        wanted = self._given_stream or embedded_stream(self.server.files.path)
        self._settings = dataclasses.replace(wanted, replicas=1)
        try:
            await super().start()
            await self.looked_after()
        except BaseException:
            await self.server.close()
            raise

    async def close(self) -> None:
        """Disconnect, then stop the server."""
        await super().close()
        await self.server.close()

    async def out_of_service(self) -> None:
        """Restart a server that gave JetStream up."""
        self.server.restart()

    async def looked_after(self) -> None:
        """Have the server healed if it could not write, and deliver at once if it is a new one."""
        await self.server.heal()
        pid = self.server.pid
        if pid != self._delivered_by:
            await deliver_again(self._api)
            self._delivered_by = pid

    async def _where(self) -> Endpoint:
        return self.server.endpoint()


async def _answers(port: int) -> bool:
    """Whether a server on *port* greets."""
    try:
        async with asyncio.timeout(1.0):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                return (await reader.read(4)) == b"INFO"
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
