"""
Tries out manifests that callers send, in a process for each request.

A filter or template is Python that computes: in a thread it would hold up every event of this
program, and nothing could end it when its caller is gone.  The process has an empty environment
and a folder of its own, so there is nothing in it that a manifest could tell; it is killed with the
request, and dies with this program.  There is one at a time, since each keeps a processor busy
that the running pipelines need; who comes meanwhile waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import structlog
from starlette.exceptions import HTTPException

from tiphys.aio import finish

log = structlog.get_logger("argo-events.api")
LONGEST = 600.0  # seconds that one may take
ENDING = 5.0  # seconds for the process and its folder to go
LINE = 64 << 20  # bytes; more than any body can make the process ask for
# How libraries end when they get no memory, and what the kernel does where there is none.
OUT_OF_MEMORY = (signal.SIGABRT, signal.SIGSEGV, signal.SIGKILL)
PROGRAM = (
    "import sys; sys.path[:] = sys.argv[2:]; "
    "from tiphys.testing.pipelines._trial import main; main(sys.argv[1])"
)
Wanted = Sequence[tuple[str, str]]
"""Events that a trial asks for: event source and name."""
Stream = AsyncGenerator[Mapping[str, Any], None]
Events = Callable[[Wanted], Stream]


async def _none(_wanted: Wanted) -> Stream:
    return
    yield {}


class Trials:
    """Those of one instance."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def run(self, task: Mapping[str, Any], events: Events = _none) -> bytes:
        """
        The JSON document that the trial comes to; *events* gives those it asks for.

        Answers 400 for what is wrong in the files, and for what takes too long.
        """
        async with self._turn:
            limit = asyncio.timeout(LONGEST)
            try:
                async with limit, _folder() as folder, _process(folder) as trial:
                    return await _outcome(trial, task, events)
            except TimeoutError as error:
                if not limit.expired():
                    raise
                text = f"this takes longer than {LONGEST:g} s: choose less, or fewer events"
                raise HTTPException(400, text) from error


async def _outcome(trial: Process, task: Mapping[str, Any], events: Events) -> bytes:
    assert trial.stdin is not None
    assert trial.stdout is not None
    with contextlib.suppress(ConnectionError):  # if it is dead, the end of its output tells
        trial.stdin.write(orjson.dumps(task) + b"\n")
        await trial.stdin.drain()
    while line := await trial.stdout.readline():
        message = orjson.loads(line)
        if "wanted" in message:
            await _feed(trial, events(message["wanted"]))
        elif message["end"] == "done":
            return await trial.stdout.read()
        elif message["end"] == "refused":
            raise HTTPException(400, message["text"])
        else:
            log.error("A trial of manifests failed for an unforeseen reason", error=message["text"])
            raise HTTPException(500, "the trial failed; the log of the instance tells why")
    status = await trial.wait()
    if -status in OUT_OF_MEMORY:
        raise HTTPException(400, "this takes too much memory: choose less, or fewer events")
    log.error("A trial of manifests ended without an answer", status=status)
    raise HTTPException(500, f"the trial ended without an answer, with status {status}")


async def _feed(trial: Process, events: Stream) -> None:
    """Write the events, then the end; what is read ahead is bounded by the pipe."""
    assert trial.stdin is not None
    with contextlib.suppress(ConnectionError):
        async with contextlib.aclosing(events):
            async for event in events:
                trial.stdin.write(orjson.dumps(event) + b"\n")
                await trial.stdin.drain()
    trial.stdin.close()


@contextlib.asynccontextmanager
async def _folder() -> AsyncIterator[str]:
    """A new folder, which is removed with all that is in it.  Answers 503 where there is none."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="tiphys-", ignore_cleanup_errors=True)
    except OSError as error:
        reason = error.strerror or "there is no place for temporary files"
        raise HTTPException(503, f"no temporary folder can be made: {reason}") from error
    try:
        yield folder.name
    finally:
        await finish(asyncio.to_thread(folder.cleanup), ENDING)


@contextlib.asynccontextmanager
async def _process(folder: str) -> AsyncIterator[Process]:
    """A process that waits for its task; it is gone when the context closes."""
    trial = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-X", "utf8", "-c", PROGRAM, str(os.getpid()), *_paths()),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        cwd=folder,
        env={"TZ": os.environ["TZ"]} if "TZ" in os.environ else {},
        start_new_session=True,
        limit=LINE,
    )
    try:
        yield trial
    finally:
        await finish(_ended(trial), ENDING)


def _paths() -> list[str]:
    """Where modules are; absolute, since what the caller sends must not be taken for some."""
    return [str(Path(path).absolute()) for path in sys.path]


async def _ended(trial: Process) -> None:
    assert trial.stdin is not None
    trial.stdin.close()
    with contextlib.suppress(ProcessLookupError):
        trial.kill()
    await trial.wait()
