"""A compiled script and its evaluation in a pool of workers."""

from __future__ import annotations

import dataclasses

from tiphys.languages._errors import CompileError
from tiphys.languages._workers import WorkerPool
from tiphys.languages._workers.engines import require
from tiphys.languages._workers.protocol import Operation
from tiphys.languages.lua._statements import translate
from tiphys.languages.lua._tokens import SyntaxFault

__all__ = ["LuaScript", "Value", "compile", "require_engine"]


@dataclasses.dataclass(frozen=True, slots=True)
class Value:
    """The last value a script returned: its Lua type, and its text, which for tables is JSON."""

    type: str
    text: str


class LuaScript:
    """
    A script that is known to be Lua; :func:`compile` makes one.

    *data* is the JSON text of an object or of ``null``; the script sees it as the global table
    ``event``.  Every evaluation starts with fresh globals.  All raise EvaluationError when the
    script fails or the data is no object, and LimitExceeded when it had to be stopped.
    """

    def __init__(self, text: str, translation: str) -> None:
        self.text = text
        self._program = translation.encode("latin-1")

    async def filter(self, pool: WorkerPool, data: bytes) -> bool:
        """Whether the last value returned is the boolean ``true``."""
        return await pool.evaluate(Operation.LUA_FILTER, self._program, data) == b"1"

    async def transform(self, pool: WorkerPool, data: bytes) -> bytes:
        """The JSON text of the last value returned, which must be a table."""
        return await pool.evaluate(Operation.LUA_TRANSFORM, self._program, data)

    async def value(self, pool: WorkerPool, data: bytes) -> Value:
        """The last value returned, whatever it is; nil when there is none."""
        answer = await pool.evaluate(Operation.LUA_VALUE, self._program, data)
        kind, _, text = answer.partition(b"\n")
        return Value(kind.decode("ascii"), text.decode("utf-8", "surrogateescape"))


def compile(text: str) -> LuaScript:
    """
    Compile a script; needs neither the engine nor a worker.

    Raises CompileError with the place of the first mistake.
    """
    source = text.encode("utf-8", "surrogateescape")
    try:
        return LuaScript(text, translate(source.decode("latin-1")))
    except SyntaxFault as fault:
        before = source[: fault.position].decode("utf-8", "surrogateescape")
        raise CompileError(str(fault), text, len(before)) from None
    except RecursionError:
        raise CompileError("nested too deeply", text, 0) from None


def require_engine() -> None:
    """Raise CompileError, with the command to install it, when the module ``lupa`` is missing."""
    require("lupa")
