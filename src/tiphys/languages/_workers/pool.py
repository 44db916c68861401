"""The pool: hands each evaluation to a free worker, and replaces workers that had to be killed."""

from __future__ import annotations

import asyncio
from collections import deque

from tiphys.languages._errors import EvaluationError
from tiphys.languages._workers.process import WorkerProcess
from tiphys.languages._workers.protocol import Operation, pack_request

__all__ = ["WorkerPool"]

_MEBIBYTE = 1024 * 1024


class WorkerPool:
    """
    At most *size* worker processes, started when first needed.

    Each evaluation may take *timeout* seconds and *memory_limit* bytes.  Callers beyond *size*
    wait in line.  A pool belongs to one event loop; :meth:`close` ends its processes, and so
    does the end of this process, however it comes.
    """

    def __init__(
        self,
        size: int = 2,
        timeout: float = 1.0,
        memory_limit: int = 256 * _MEBIBYTE,
    ) -> None:
        self._size = size
        self._timeout = timeout
        self._memory_limit = memory_limit
        self._idle: list[WorkerProcess] = []
        self._workers: set[WorkerProcess] = set()
        self._waiting: deque[asyncio.Future[WorkerProcess | None]] = deque()
        self._departing: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def processes(self) -> frozenset[int]:
        """The numbers of the processes running now."""
        return frozenset(worker.number for worker in self._workers)

    async def evaluate(self, operation: Operation, program: bytes, data: bytes) -> bytes:
        """
        Evaluate *program* on *data* in the next free worker.

        Raises EvaluationError when it fails, LimitExceeded when it had to be stopped.
        """
        worker = await self._acquire()
        try:
            return await worker.ask(pack_request(operation, program, data))
        finally:
            self._release(worker)

    async def close(self) -> None:
        """End all workers; evaluations under way fail, later ones are refused."""
        self._closed = True
        for turn in self._waiting:
            if not turn.done():
                turn.set_result(None)
        self._waiting.clear()
        for worker in list(self._workers):
            self._discard(worker)
        if self._departing:
            await asyncio.gather(*self._departing)

    async def _acquire(self) -> WorkerProcess:
        while not self._closed:
            while self._idle:
                worker = self._idle.pop()
                if worker.alive:
                    return worker
                self._discard(worker)  # it died while nobody used it
            if len(self._workers) < self._size:
                return await self._start()
            if (handed := await self._turn()) is not None:
                return handed
        raise EvaluationError("scripts are no longer evaluated: the pool is closed")

    async def _start(self) -> WorkerProcess:
        worker = WorkerProcess(self._memory_limit, self._timeout)
        self._workers.add(worker)
        try:
            await worker.start()
        except BaseException:
            self._discard(worker)
            raise
        return worker

    async def _turn(self) -> WorkerProcess | None:
        """Wait for a worker, or, being told None, for the room to start one."""
        turn: asyncio.Future[WorkerProcess | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it came too late to be told
                self._pass_on(turn.result())
            raise

    def _release(self, worker: WorkerProcess) -> None:
        if worker.alive and not self._closed:
            self._pass_on(worker)
        else:
            self._discard(worker)

    def _discard(self, worker: WorkerProcess) -> None:
        if worker not in self._workers:
            return
        self._workers.remove(worker)
        worker.kill()
        task = asyncio.get_running_loop().create_task(worker.wait())
        self._departing.add(task)
        task.add_done_callback(self._departing.discard)
        self._pass_on(None)

    def _pass_on(self, worker: WorkerProcess | None) -> None:
        """Give *worker*, or the room for a new one, to who has waited longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(worker)
                return
        if worker is not None:
            self._idle.append(worker)
