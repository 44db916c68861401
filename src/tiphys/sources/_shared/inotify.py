"""What the kernel tells about a directory, inotify(7); for Linux only."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import NamedTuple

from watchdog.observers.inotify_c import InotifyConstants, inotify_add_watch, inotify_init

OVERFLOW = InotifyConstants.IN_Q_OVERFLOW
GONE = (
    InotifyConstants.IN_DELETE_SELF
    | InotifyConstants.IN_MOVE_SELF
    | InotifyConstants.IN_UNMOUNT
    | InotifyConstants.IN_IGNORED
)
OPERATIONS = {
    InotifyConstants.IN_CREATE: "CREATE",
    InotifyConstants.IN_MOVED_TO: "CREATE",
    InotifyConstants.IN_MODIFY: "WRITE",
    InotifyConstants.IN_DELETE: "REMOVE",
    InotifyConstants.IN_DELETE_SELF: "REMOVE",
    InotifyConstants.IN_MOVED_FROM: "RENAME",
    InotifyConstants.IN_MOVE_SELF: "RENAME",
    InotifyConstants.IN_ATTRIB: "CHMOD",
}
SIZE = 64 * 1024  # bytes to read at a time
_HEAD = struct.Struct("iIII")  # watch, mask, cookie, length of the name


class Notice(NamedTuple):
    """One event of the kernel; *name* is empty when it is about the directory itself."""

    mask: int
    name: str

    @property
    def operation(self) -> str | None:
        """What happened, in the words of fsnotify."""
        return next((word for bit, word in OPERATIONS.items() if self.mask & bit), None)


@contextlib.asynccontextmanager
async def notices(directory: str) -> AsyncIterator[AsyncIterator[Notice]]:
    """
    What happens in *directory*, not below it.

    Nothing is read ahead: what nobody asks for yet waits in the kernel, which says with
    :data:`OVERFLOW` when it had to drop something.  Raises :exc:`OSError`.
    """
    watch = _failing(inotify_init())
    try:
        os.set_inheritable(watch, False)
        os.set_blocking(watch, False)
        mask = 0
        for bit in OPERATIONS:
            mask |= bit
        path = os.fsencode(directory)
        _failing(inotify_add_watch(watch, path, mask | InotifyConstants.IN_ONLYDIR))
        async with contextlib.aclosing(_read(watch)) as found:
            yield found
    finally:
        os.close(watch)


async def _read(watch: int) -> AsyncGenerator[Notice]:
    while True:
        await _readable(watch)
        with contextlib.suppress(BlockingIOError):
            for notice in _parsed(os.read(watch, SIZE)):
                yield notice


async def _readable(watch: int) -> None:
    """Wait for something to read.  The loop, which else would spin, looks no longer than that."""
    loop, readable = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(watch, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(watch)


def _parsed(data: bytes) -> Iterator[Notice]:
    position = 0
    while position < len(data):
        _, mask, _, length = _HEAD.unpack_from(data, position)
        position += _HEAD.size
        name = data[position : position + length].rstrip(b"\0")
        position += length
        yield Notice(mask, os.fsdecode(name))


def _failing(result: int) -> int:
    """Raise what the C library reports with -1."""
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
