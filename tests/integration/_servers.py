"""Servers of others on the loopback: each in a directory of its own, stopped, killed, restarted."""

from __future__ import annotations

import abc
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

import pytest

from tests._ports import free_port
from tests.integration._tools import tool_environment

PATIENCE = 45.0  # seconds for a server to answer or to end


# Debian's own `rabbitmq-server` in /usr/sbin changes the user.
PLACES = ("/usr/lib/rabbitmq/bin", str(Path(sys.executable).parent))


def binary(program: str) -> str:
    """Where a program is; fails, rather than skips, the test when it is not installed."""
    path = os.pathsep.join([*PLACES, os.environ.get("PATH", ""), "/usr/sbin"])
    found = shutil.which(program, path=path)
    if found is None:
        pytest.fail(f"{program} is not installed; run: make services")
    return found


class Server(abc.ABC):
    """
    A program that serves on a port.

    What it stores is in its directory and survives a restart; the port stays the same.
    """

    program: ClassVar[str]

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @abc.abstractmethod
    def arguments(self) -> Sequence[str | Path]:
        """The command line behind the program; writes the configuration."""

    def environment(self) -> Mapping[str, str]:
        """Variables for the program, besides those that there are."""
        return {}

    @property
    def log(self) -> Path:
        """What the program prints."""
        return self.directory / "output.log"

    def start(self) -> None:
        """Start the program, and return when it answers."""
        assert self._process is None, f"{self.program} runs already"
        self._process = self._run(self.program, *self.arguments())
        deadline = time.monotonic() + PATIENCE
        while not self.answers():
            ended = self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                self.kill()
                pytest.fail(f"{self.program} does not answer:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End the program in good order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the program as a crash would."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Keep the connections open and answer nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after :meth:`pause`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def answers(self) -> bool:
        """Whether the program accepts connections."""
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _end(self, number: int) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            process.wait(PATIENCE)

    def _run(self, program: str, *arguments: str | Path) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [binary(program), *arguments],
                env={**os.environ, **self.environment()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
            )

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()


class RedisServer(Server):
    """
    Redis, with every write in its file before it is answered.

    The user ``worker`` has the password ``secret``; others need none.  *options* are lines of the
    configuration.
    """

    program = "redis-server"

    def __init__(self, directory: Path, options: str = "") -> None:
        super().__init__(directory)
        self.options = options

    def arguments(self) -> Sequence[str | Path]:
        config = self.directory / "redis.conf"
        config.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {self.directory}\nsave ''\n"
            "appendonly yes\nappendfsync no\nuser worker on >secret ~* &* +@all\n"
            f"{self.options}\n"
        )
        return [config]


class NatsServer(Server):
    """nats-server; *options* are lines of its configuration.  Monitoring is on another port."""

    program = "nats-server"

    def __init__(self, directory: Path, options: str = "") -> None:
        super().__init__(directory)
        self.monitoring = free_port()
        self.options = options

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def arguments(self) -> Sequence[str | Path]:
        config = self.directory / "nats.conf"
        config.write_text(
            f'listen: "127.0.0.1:{self.port}"\nhttp: "127.0.0.1:{self.monitoring}"\n'
            f"{self.options}\n"
        )
        return ["-c", config]


class Mosquitto(Server):
    """
    An MQTT broker: plain on :attr:`port`, WebSocket on :attr:`websocket`.

    Anybody may connect; whoever says to be ``worker`` must have the password ``secret``.  Topics
    that are not below ``allowed/`` are denied.  With *certificate* and *key* the plain port speaks
    TLS.
    """

    program = "mosquitto"

    def __init__(
        self, directory: Path, certificate: Path | None = None, key: Path | None = None
    ) -> None:
        super().__init__(directory)
        self.websocket = free_port()
        self._tls = f"certfile {certificate}\nkeyfile {key}\n" if certificate and key else ""

    def arguments(self) -> Sequence[str | Path]:
        passwords, rights = self.directory / "passwords", self.directory / "rights"
        if not passwords.exists():
            passwords.write_text("worker:secret\n")
            subprocess.run([binary("mosquitto_passwd"), "-U", passwords], check=True)
        rights.write_text("topic readwrite allowed/#\nuser worker\ntopic readwrite allowed/#\n")
        config = self.directory / "mosquitto.conf"
        config.write_text(
            "user root\nper_listener_settings false\nallow_anonymous true\n"
            f"password_file {passwords}\nacl_file {rights}\nlog_type all\nlog_dest stderr\n"
            f"listener {self.port} 127.0.0.1\n{self._tls}"
            f"listener {self.websocket} 127.0.0.1\nprotocol websockets\n"
        )
        return ["-c", config]


class RabbitMQ(Server):
    """
    RabbitMQ; the user ``guest`` has the password ``guest``.

    With *certificate* and *key* there is TLS on :attr:`secure_port`.
    """

    program = "rabbitmq-server"

    def __init__(
        self, directory: Path, certificate: Path | None = None, key: Path | None = None
    ) -> None:
        super().__init__(directory)
        self.secure_port = free_port()
        self._ports = free_port(), free_port()
        self._tls = (certificate, key)
        self._names: subprocess.Popen[bytes] | None = None

    def arguments(self) -> Sequence[str | Path]:
        certificate, key = self._tls
        lines = [
            f"listeners.tcp.default = 127.0.0.1:{self.port}",
            "loopback_users = none",
            "disk_free_limit.absolute = 10MB",
        ]
        if certificate and key:
            lines += [
                f"listeners.ssl.default = 127.0.0.1:{self.secure_port}",
                f"ssl_options.cacertfile = {certificate}",
                f"ssl_options.certfile = {certificate}",
                f"ssl_options.keyfile = {key}",
                "ssl_options.verify = verify_none",
            ]
        (self.directory / "rabbitmq.conf").write_text("\n".join(lines) + "\n")
        (self.directory / "plugins").write_text("[].\n")
        return []

    def start(self) -> None:
        """Start the broker, and before it the server of names that it would leave behind."""
        self._names = self._run("epmd", "-address", "127.0.0.1", "-port", str(self._ports[1]))
        super().start()

    def _end(self, number: int) -> None:
        super()._end(number)
        if self._names is not None:
            self._names.kill()
            self._names.wait(PATIENCE)
            self._names = None

    def environment(self) -> Mapping[str, str]:
        distribution, names = self._ports
        return {
            "RUNNING_UNDER_SYSTEMD": "1",  # no process of the start script between us
            "HOME": str(self.directory),
            "RABBITMQ_NODENAME": f"test-{self.port}@localhost",
            "RABBITMQ_MNESIA_BASE": str(self.directory / "data"),
            "RABBITMQ_LOG_BASE": str(self.directory / "log"),
            "RABBITMQ_CONFIG_FILE": str(self.directory / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.directory / "plugins"),
            "RABBITMQ_DIST_PORT": str(distribution),
            "ERL_EPMD_PORT": str(names),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_SERVER_START_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }


class NoidaDB(Server):
    """A stand-in for Apache Kafka, with its protocol; topics are made when they are used."""

    program = "noida-db"

    def arguments(self) -> Sequence[str | Path]:
        return ["start", "--only", "kafka", "--kafka-port", str(self.port), "--data-dir", "data"]

    def _run(self, program: str, *arguments: str | Path) -> subprocess.Popen[bytes]:
        # The program itself: the one in `bin` leaves it behind when it is killed.
        place = tool_environment("noida-db==0.2.3").parent
        (found,) = place.glob("lib/python*/site-packages/noida_db/noida-db")
        return super()._run(str(found), *arguments)
