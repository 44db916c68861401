"""
What a worker takes away from itself before it runs anybody's script.

Nothing here needs privileges.  Limits that a platform lacks are left out: the pool's deadline
and the engines' own sandboxes do not depend on them.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
import time
from pathlib import Path

__all__ = ["confine", "die_with_parent", "extend_processor_time"]

_SET_PARENT_DEATH_SIGNAL = 1
_SET_NO_NEW_PRIVILEGES = 38


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when the one numbered *parent* ends, busy or not."""
    if sys.platform == "linux":
        process_control = ctypes.CDLL(None, use_errno=True).prctl
        process_control(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        process_control(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(0)  # it ended before the kernel knew


def confine(memory: int) -> None:
    """
    Forbid new files, new processes, written files and core dumps, and bound the memory.

    *memory* is in bytes and counts what is allocated from now on.
    """
    _limit(resource.RLIMIT_AS, _address_space() + memory)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_NPROC, 0)
    _limit(resource.RLIMIT_NOFILE, 0)


def extend_processor_time(seconds: float) -> None:
    """
    Let this process compute for *seconds* more, rounded up, before the kernel kills it.

    The pool's deadline comes first; this one holds when the pool cannot act, being stopped.
    """
    used = int(time.process_time()) + 1
    soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    wanted = used + int(seconds) + 1
    if soft == resource.RLIM_INFINITY or soft < wanted:
        resource.setrlimit(resource.RLIMIT_CPU, (wanted, hard))


def _limit(kind: int, value: int) -> None:
    with contextlib.suppress(OSError, ValueError):  # the platform does not know or allow it
        resource.setrlimit(kind, (value, value))


def _address_space() -> int:
    """Bytes this process has mapped; half a gibibyte where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:
        return 512 * 1024 * 1024
    return pages * resource.getpagesize()
