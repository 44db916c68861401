"""One worker process, seen from the pool: start it, ask it one thing at a time, kill it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

from tiphys.languages._errors import EvaluationError, LanguageError, LimitExceeded
from tiphys.languages._workers.protocol import Status, take_answer

__all__ = ["WorkerProcess"]

_PROGRAM = (
    "import sys; sys.path[:] = sys.argv[4:]; "
    "from tiphys.languages._workers.worker import main; main(sys.argv[1:4])"
)
_SECONDS_TO_START = 30.0
_CHUNK = 1 << 16


class WorkerProcess:
    """
    A worker and the two pipes to it; belongs to the event loop that started it.

    Once it is dead (*alive* is false) it stays dead; :meth:`kill` then tidies up after it.
    """

    def __init__(self, memory: int, seconds: float) -> None:
        self._alive = True
        self._loop = asyncio.get_running_loop()
        self._seconds = seconds
        self._received = bytearray()
        self._unsent = memoryview(b"")
        self._answer: asyncio.Future[tuple[Status, bytes]] | None = None
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-I", "-c", _PROGRAM),
                *(str(os.getpid()), str(memory), str(seconds)),
                *sys.path,
            ],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=_environment(),
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._pipes = self._process.stdin, self._process.stdout
        self._requests, self._answers = (pipe.fileno() for pipe in self._pipes)
        os.set_blocking(self._requests, False)
        os.set_blocking(self._answers, False)
        self._loop.add_reader(self._answers, self._readable)

    @property
    def alive(self) -> bool:
        """Whether it can be asked, as far as the kernel knows."""
        return self._alive and self._process.poll() is None

    @property
    def number(self) -> int:
        """The process number."""
        return self._process.pid

    async def start(self) -> None:
        """Wait until it can be asked; raises EvaluationError when it does not come up."""
        await self._exchange(b"", _SECONDS_TO_START)

    async def ask(self, frame: bytes) -> bytes:
        """
        Send one request and wait for its answer.

        Raises EvaluationError for the script's own failure, LimitExceeded when it took too long
        or too much memory; after the latter, and when cancelled, the worker is dead.
        """
        status, body = await self._exchange(frame, self._seconds)
        if status is Status.DONE:
            return body
        message = body.decode("utf-8", "replace")
        if status is Status.EXHAUSTED:
            self.kill()
            raise LimitExceeded(message)
        raise EvaluationError(message)

    def kill(self, error: LanguageError | None = None) -> None:
        """End it at once, whatever it does; what it was asked fails with *error*."""
        if not self._alive:
            return
        self._alive = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or EvaluationError("the script was stopped"))
        self._loop.remove_reader(self._answers)
        self._loop.remove_writer(self._requests)
        self._process.kill()
        for pipe in self._pipes:
            pipe.close()

    async def wait(self) -> None:
        """Wait until the killed process is gone, so that none is left behind."""
        while self._process.poll() is None:  # noqa: ASYNC110  nothing tells when a child is gone
            await asyncio.sleep(0.002)

    async def _exchange(self, frame: bytes, seconds: float) -> tuple[Status, bytes]:
        self._answer = self._loop.create_future()
        deadline = self._loop.call_later(seconds, self._overrun, seconds)
        try:
            self._send(memoryview(frame))
            return await self._answer
        except asyncio.CancelledError:
            self.kill()  # it may be busy with what nobody wants any more
            raise
        finally:
            deadline.cancel()
            self._answer = None

    def _send(self, unsent: memoryview) -> None:
        """Write what the pipe takes now, and the rest as the worker reads."""
        try:
            while unsent:
                unsent = unsent[os.write(self._requests, unsent) :]
        except BlockingIOError:
            self._loop.add_writer(self._requests, self._writable)
        except OSError:
            unsent = memoryview(b"")  # it died; the end of its answers tells why
        self._unsent = unsent

    def _writable(self) -> None:
        self._loop.remove_writer(self._requests)
        self._send(self._unsent)

    def _readable(self) -> None:
        try:
            chunk = os.read(self._answers, _CHUNK)
        except BlockingIOError:
            return
        if not chunk:
            self._died()
            return
        self._received += chunk
        if (answer := take_answer(self._received)) is None:
            return
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)

    def _overrun(self, seconds: float) -> None:
        self.kill(LimitExceeded(f"took longer than {seconds:g} s"))

    def _died(self) -> None:
        code = self._process.wait()  # its pipe is closed: it is gone or about to be
        self.kill(_reason(code))


def _reason(code: int) -> LanguageError:
    if code in (-signal.SIGABRT, -signal.SIGSEGV):  # how libjq ends when memory runs out
        return LimitExceeded("not enough memory")
    if code == -signal.SIGXCPU:
        return LimitExceeded("took too much processor time")
    if code < 0:
        return EvaluationError(f"the script's process was ended by signal {-code}")
    return EvaluationError(f"the script's process ended with code {code}")


def _environment() -> dict[str, str]:
    """Nothing but the time zone, which local times in scripts depend on."""
    return {"TZ": os.environ["TZ"]} if "TZ" in os.environ else {}
