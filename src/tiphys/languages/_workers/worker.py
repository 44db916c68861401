"""The program of a worker: reads a request, evaluates it, writes the answer, for ever."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

from tiphys.languages._errors import EvaluationError, LanguageError, LimitExceeded
from tiphys.languages._workers.engines import missing
from tiphys.languages._workers.limits import confine, die_with_parent, extend_processor_time
from tiphys.languages._workers.protocol import (
    LENGTH,
    Operation,
    Status,
    pack_answer,
    unpack_request,
)

__all__ = ["main"]

Evaluate = Callable[[Operation, bytes, bytes], bytes]


def main(arguments: list[str]) -> None:
    """
    Serve requests from standard input until it ends.

    *arguments*: the parent's process number, bytes of memory for scripts, seconds for each.
    """
    parent, memory, seconds = int(arguments[0]), int(arguments[1]), float(arguments[2])
    die_with_parent(parent)
    requests, answers = 0, _take_standard_output()
    engines = {Operation.LUA_FILTER: _lua(), Operation.JQ_TRANSFORM: _jq()}
    engines[Operation.LUA_TRANSFORM] = engines[Operation.LUA_VALUE] = engines[Operation.LUA_FILTER]
    engines[Operation.JQ_OUTPUTS] = engines[Operation.JQ_TRANSFORM]
    time.localtime()  # reads the time zone while files can still be opened
    confine(memory)
    _write(answers, pack_answer(Status.DONE, b""))
    while (length := _read(requests, LENGTH.size)) is not None:
        body = _read(requests, LENGTH.unpack(length)[0])
        if body is None:
            return
        extend_processor_time(seconds)
        _write(answers, _answer(engines, body))


def _answer(engines: dict[Operation, Evaluate], body: bytes) -> bytes:
    try:
        operation, program, data = unpack_request(body)
        return pack_answer(Status.DONE, engines[operation](operation, program, data))
    except (LimitExceeded, MemoryError) as error:
        message = str(error) or "not enough memory"
        return pack_answer(Status.EXHAUSTED, message.encode("utf-8", "replace"))
    except LanguageError as error:
        return pack_answer(Status.FAILED, str(error).encode("utf-8", "replace"))
    except Exception as error:  # noqa: BLE001  an engine's fault must not end the worker
        message = f"{type(error).__name__}: {error}"
        return pack_answer(Status.FAILED, message.encode("utf-8", "replace"))


def _lua() -> Evaluate:
    try:
        from tiphys.languages.lua._engine import Engine
    except ImportError:
        return _without("lupa")
    return Engine().evaluate


def _jq() -> Evaluate:
    try:
        from tiphys.languages.jq._engine import Engine
    except ImportError:
        return _without("jq")
    return Engine().evaluate


def _without(module: str) -> Evaluate:
    def evaluate(operation: Operation, program: bytes, data: bytes) -> bytes:
        raise EvaluationError(missing(module))

    return evaluate


def _take_standard_output() -> int:
    """Keep the pipe for answers and give anything that prints nowhere to print to."""
    answers = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return answers


def _read(descriptor: int, count: int) -> bytes | None:
    """Exactly *count* bytes; None when the other side has closed the pipe."""
    chunk = os.read(descriptor, count)
    if len(chunk) == count:
        return chunk
    chunks = [chunk]
    while chunk:
        count -= len(chunk)
        if not count:
            return b"".join(chunks)
        chunk = os.read(descriptor, count)
        chunks.append(chunk)
    return None


def _write(descriptor: int, frame: bytes) -> None:
    view = memoryview(frame)
    while view:
        view = view[os.write(descriptor, view) :]


if __name__ == "__main__":
    main(sys.argv[1:])
