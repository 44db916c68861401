"""Ministack: SNS and others of AWS on the loopback; its messages carry no valid signature."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiobotocore.session import get_session

from tests.integration._servers import Server
from tests.integration._tools import tool_environment

ACCESS, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
REGION = "eu-central-1"


class Ministack(Server):
    """The services of AWS on one port."""

    program = "ministack"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def arguments(self) -> Sequence[str | Path]:
        return []

    def environment(self) -> Mapping[str, str]:
        return {"GATEWAY_PORT": str(self.port), "BIND_HOST": "127.0.0.1"}

    @asynccontextmanager
    async def client(self, service: str) -> AsyncIterator[Any]:
        """A client of a service, for the test's own calls."""
        async with get_session().create_client(
            service,
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id=ACCESS,
            aws_secret_access_key=SECRET,
        ) as client:
            yield client

    def _run(self, program: str, *arguments: str | Path) -> subprocess.Popen[bytes]:
        programs = tool_environment("ministack==1.5.33")
        return super()._run(str(programs / program), *arguments)
