"""Frames between the pool and its workers: a length, a code, and bytes, over two pipes."""

from __future__ import annotations

import enum
import struct
from typing import Final

__all__ = ["Operation", "Status", "pack_answer", "pack_request", "take_answer", "unpack_request"]

_ANSWER: Final = struct.Struct("!IB")  # bytes after the length, status
_REQUEST: Final = struct.Struct("!IBI")  # bytes after the length, operation, bytes of the program
LENGTH: Final = struct.Struct("!I")
_REQUEST_REST: Final = struct.Struct("!BI")


class Operation(enum.IntEnum):
    """What a worker can be asked to do with a program and a document."""

    LUA_FILTER = 1
    LUA_TRANSFORM = 2
    LUA_VALUE = 3
    JQ_TRANSFORM = 4
    JQ_OUTPUTS = 5


class Status(enum.IntEnum):
    """How an evaluation ended."""

    DONE = 0
    FAILED = 1  # the body is the error's message
    EXHAUSTED = 2  # the same, and the worker has run out of memory: it must be replaced


def pack_request(operation: Operation, program: bytes, data: bytes) -> bytes:
    """One frame that asks for an evaluation."""
    length = _REQUEST_REST.size + len(program) + len(data)
    return _REQUEST.pack(length, operation, len(program)) + program + data


def unpack_request(body: bytes) -> tuple[Operation, bytes, bytes]:
    """Operation, program and document of a request whose length has been read."""
    operation, program_length = _REQUEST_REST.unpack_from(body)
    start = _REQUEST_REST.size
    return (
        Operation(operation),
        body[start : start + program_length],
        body[start + program_length :],
    )


def pack_answer(status: Status, body: bytes) -> bytes:
    """One frame that answers an evaluation."""
    return _ANSWER.pack(len(body) + 1, status) + body


def take_answer(buffer: bytearray) -> tuple[Status, bytes] | None:
    """Remove one answer from the front of *buffer*; None as long as it is not complete."""
    if len(buffer) < _ANSWER.size:
        return None
    length, status = _ANSWER.unpack_from(buffer)
    end = LENGTH.size + length
    if len(buffer) < end:
        return None
    body = bytes(buffer[_ANSWER.size : end])
    del buffer[:end]
    return Status(status), body
