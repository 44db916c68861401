"""Programs that run for one action: what they are given, what they say, and how they end."""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import Process
from collections.abc import Mapping

PASSED_ON = ("PATH", "HOME", "LANG", "TZ")  # of our environment; the rest may hold secrets
GRACE = 5.0  # seconds between asking a program to end and ending it


def environment(action_id: str, added: Mapping[str, str]) -> dict[str, str]:
    """The environment of a program: little of ours, the id of the action, and what is *added*."""
    ours = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {**ours, "TIPHYS_ACTION_ID": action_id, **added}


async def feed(process: Process, data: bytes) -> None:
    """Write the standard input; a program that does not read it is no error."""
    assert process.stdin is not None
    try:
        process.stdin.write(data)
        await process.stdin.drain()
    except ConnectionError:
        return
    finally:
        process.stdin.close()


async def tail(stream: asyncio.StreamReader | None, kept: int) -> bytes:
    """The last *kept* bytes of what a program writes, however much it is."""
    assert stream is not None
    end = b""
    while chunk := await stream.read(64 * 1024):
        end = (end + chunk)[-kept:]
    return end


async def ended(process: Process) -> None:
    """Make sure that neither the program nor what it started lives on."""
    if process.returncode is not None:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            async with asyncio.timeout(GRACE):
                await process.wait()
                return
        except TimeoutError:
            continue
