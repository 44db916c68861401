"""Servers, ports and certificates."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests._ports import free_port
from tiphys.ingest import IngestServer


@pytest.fixture
async def server() -> AsyncIterator[IngestServer]:
    server = IngestServer("127.0.0.1")
    yield server
    await server.close(1)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """Two self-signed certificates for 127.0.0.1, with their keys."""
    folder = tmp_path_factory.mktemp("certificates")
    made = []
    for name in ("one", "two"):
        certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"),
                *("-pkeyopt", "ec_paramgen_curve:P-256", "-subj", f"/CN={name}"),
                *("-addext", "subjectAltName=IP:127.0.0.1"),
                *("-out", certificate, "-keyout", key),
            ],
            check=True,
            capture_output=True,
        )
        made.append((certificate.read_text(), key.read_text()))
    return made
