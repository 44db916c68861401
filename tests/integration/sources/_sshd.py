"""OpenSSH's server on the loopback, for whoever runs the tests."""

from __future__ import annotations

import getpass
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.integration._servers import Server, binary


class SSHServer(Server):
    """
    sshd with SFTP; the user is who runs it.

    :attr:`client_key` is let in; :attr:`host_key` is what the server shows.  Both are paths, of the
    private key; the public one ends with ``.pub``.
    """

    program = "sshd"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.user = getpass.getuser()
        self.host_key, self.client_key = directory / "host", directory / "client"
        for key in (self.host_key, self.client_key):
            make_key(key)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def known_hosts(self) -> str:
        """The line of a ``known_hosts`` file."""
        return f"[127.0.0.1]:{self.port} {public(self.host_key)}\n"

    def arguments(self) -> Sequence[str | Path]:
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # which the service of the system would make
        config = self.directory / "sshd_config"
        config.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.host_key}\n"
            f"AuthorizedKeysFile {self.client_key}.pub\nPidFile none\nUsePAM no\n"
            "StrictModes no\nPermitRootLogin yes\nPasswordAuthentication yes\n"
            "MaxStartups 100\nSubsystem sftp internal-sftp\n"
        )
        return ["-D", "-e", "-f", config]

    def pause(self) -> None:
        """Answer nothing, in the processes of the connections either."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after :meth:`pause`."""
        self._signal(signal.SIGCONT)

    def drop(self) -> None:
        """End the connections, not the server."""
        assert self._process is not None
        for process in descendants(self._process.pid):
            _send(process, signal.SIGKILL)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        for process in [self._process.pid, *descendants(self._process.pid)]:
            _send(process, number)

    def _end(self, number: int) -> None:
        if self._process is not None:
            left = descendants(self._process.pid)
            super()._end(number)
            for process in left:
                _send(process, signal.SIGKILL)


def make_key(path: Path) -> None:
    """Make a pair of keys at *path*."""
    subprocess.run(
        [binary("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", path],
        check=True,
    )


def public(key: Path) -> str:
    """The public part of a key, in one line."""
    return Path(f"{key}.pub").read_text().strip()


def descendants(process: int) -> list[int]:
    """The processes that a process has started, and those that they have."""
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return []
    return [found for child in map(int, children) for found in (child, *descendants(child))]


def _send(process: int, number: int) -> None:
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return  # it has ended by itself
