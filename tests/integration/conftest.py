"""Real servers, one of each kind for all tests; none is started before a test asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration._certificates import Pair, self_signed
from tests.integration._hadoop import Hadoop
from tests.integration._servers import Mosquitto, NatsServer, RabbitMQ, RedisServer


@pytest.fixture(scope="session")
def server_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the servers keep what they store."""
    return tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="session")
def server_certificate(server_directory: Path) -> Pair:
    """The certificate of servers that speak TLS, which is also its own authority."""
    return self_signed(server_directory, "server")


@pytest.fixture(scope="session")
def client_certificate(server_directory: Path) -> Pair:
    """A certificate of a client."""
    return self_signed(server_directory, "client")


@pytest.fixture(scope="session")
def redis_server(server_directory: Path) -> Iterator[RedisServer]:
    """A Redis server."""
    with RedisServer(server_directory / "redis") as server:
        yield server


@pytest.fixture(scope="session")
def nats_server(server_directory: Path) -> Iterator[NatsServer]:
    """A NATS server that knows the user ``worker``; others need no password."""
    accounts = (
        "authorization { users: ["
        "{user: worker, password: secret}, {user: anybody, password: unused}] }\n"
        "no_auth_user: anybody"
    )
    with NatsServer(server_directory / "nats", accounts) as server:
        yield server


@pytest.fixture(scope="session")
def mosquitto(server_directory: Path) -> Iterator[Mosquitto]:
    """An MQTT broker."""
    with Mosquitto(server_directory / "mosquitto") as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq(server_directory: Path, server_certificate: Pair) -> Iterator[RabbitMQ]:
    """An AMQP broker, with TLS on a second port."""
    with RabbitMQ(server_directory / "rabbitmq", *server_certificate) as server:
        yield server


@pytest.fixture(scope="session")
def hadoop(server_directory: Path, server_certificate: Pair) -> Iterator[Hadoop]:
    """A file system of Hadoop."""
    with Hadoop(server_directory / "hadoop", server_certificate) as cluster:
        yield cluster
