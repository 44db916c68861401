"""A compiled program and its evaluation in a pool of workers."""

from __future__ import annotations

from tiphys.languages._errors import CompileError
from tiphys.languages._workers import WorkerPool
from tiphys.languages._workers.engines import require
from tiphys.languages._workers.protocol import Operation
from tiphys.languages.jq._terms import translate

__all__ = ["JqProgram", "compile", "require_engine"]


class JqProgram:
    """
    A program that is known to be jq; :func:`compile` makes one.

    All methods raise EvaluationError when the program fails, and LimitExceeded when it had to be
    stopped.
    """

    def __init__(self, text: str, translation: str) -> None:
        self.text = text
        self._program = translation.encode("utf-8", "surrogatepass")

    async def transform(self, pool: WorkerPool, data: bytes) -> bytes:
        """
        The first output for *data*, the JSON text of an object or ``null``, as JSON text.

        That output must be an object; the error for another one, and for a program that fails,
        is ``jq transformation output must be a JSON object``, followed by the cause.
        """
        return await pool.evaluate(Operation.JQ_TRANSFORM, self._program, data)

    async def outputs(self, pool: WorkerPool, data: bytes) -> list[bytes]:
        """The first hundred outputs for *data*, any JSON text, as JSON texts."""
        answer = await pool.evaluate(Operation.JQ_OUTPUTS, self._program, data)
        return answer.split(b"\n") if answer else []


def compile(text: str) -> JqProgram:
    """
    Compile a program; needs neither the engine nor a worker.

    Raises CompileError with the place of the first mistake.
    """
    try:
        return JqProgram(text, translate(text))
    except RecursionError:
        raise CompileError("nested too deeply", text, 0) from None


def require_engine() -> None:
    """Raise CompileError, with the command to install it, when the module ``jq`` is missing."""
    require("jq")
