"""What has changed in a directory since it was last looked at."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tiphys.sources._shared.watched import Change

Snapshot = Mapping[str, tuple[int, ...]]
"""
The states of entries by name.

These are plain tuples, because the garbage collector stops everything to walk whatever else there
are 100,000 of.
"""


class Entry(NamedTuple):
    """What tells one state of an entry from another; times are nanoseconds."""

    device: int
    inode: int
    mode: int
    modified: int
    changed: int  # which also moves with the mode and the name

    @classmethod
    def of(cls, status: os.stat_result) -> Entry:
        """The state that the system tells."""
        return cls(*_state(status))

    @property
    def version(self) -> str:
        """A text that no other state of the file has."""
        return f"{self.inode}:{self.changed}"


class Listing:
    """
    A directory, and what was in it when it was looked at last.

    Looking takes long where there are many entries, so it belongs into a thread.  What is done with
    all of them is done in small steps of the interpreter, between which other threads have a turn.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._before: Snapshot | None = None

    def look(self, counts: Callable[[Change], bool]) -> list[Change]:
        """
        What has changed since the last look, and counts; nothing the first time.

        Raises :exc:`OSError` when the directory cannot be read.
        """
        before, self._before = self._before, look(self._directory)
        if before is None:
            return []
        return [change for change in changes(before, self._before) if counts(change)]


def look(directory: str) -> Snapshot:
    """
    The entries of *directory* by their names, and the directory itself under the empty one.

    Raises :exc:`OSError` when it cannot be read.
    """
    entries = {"": _state(Path(directory).stat())}
    with os.scandir(directory) as found:
        for entry in found:
            try:
                entries[entry.name] = _state(entry.stat(follow_symlinks=False))
            except FileNotFoundError:
                continue  # it has gone meanwhile
    return entries


def changes(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    """
    The differences, one or more for each name; a file that was renamed comes with its old one.

    Entries that came follow the order in which they were changed.
    """
    gone = [name for name in before if name not in after]
    new = {name: Entry(*after[name]) for name in after if name not in before}
    identities = {(entry.device, entry.inode): name for name, entry in new.items()}
    for name in sorted(gone):
        entry = Entry(*before[name])
        moved = identities.get((entry.device, entry.inode))
        if moved is not None:
            new.pop(moved, None)
        yield Change("RENAME" if moved is not None else "REMOVE", name, entry.version)
    for name in sorted(new, key=lambda name: (new[name].changed, name)):
        yield Change("CREATE", name, new[name].version)
    for name, state in after.items():
        known = before.get(name)
        if known is not None and known != state:
            yield from _difference(name, Entry(*known), Entry(*state))


def _state(status: os.stat_result) -> tuple[int, ...]:
    """The values of an :class:`Entry`."""
    return (status.st_dev, status.st_ino, status.st_mode, status.st_mtime_ns, status.st_ctime_ns)


def _difference(name: str, before: Entry, after: Entry) -> Iterator[Change]:
    if before.modified != after.modified:
        yield Change("WRITE", name, after.version)
    if stat.S_IMODE(before.mode) != stat.S_IMODE(after.mode):
        yield Change("CHMOD", name, after.version)
