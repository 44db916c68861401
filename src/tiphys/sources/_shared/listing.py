"""What has changed in a directory since it was last looked at."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tiphys.sources._shared.watched import Change

Snapshot = Mapping[str, "Entry"]


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
        return cls(
            status.st_dev, status.st_ino, status.st_mode, status.st_mtime_ns, status.st_ctime_ns
        )

    @property
    def version(self) -> str:
        """A text that no other state of the file has."""
        return f"{self.inode}:{self.changed}"


def look(directory: str) -> Snapshot:
    """
    The entries of *directory* by their names, and the directory itself under the empty one.

    Raises :exc:`OSError` when it cannot be read.
    """
    entries = {"": Entry.of(Path(directory).stat())}
    with os.scandir(directory) as found:
        for entry in found:
            try:
                entries[entry.name] = Entry.of(entry.stat(follow_symlinks=False))
            except FileNotFoundError:
                continue  # it has gone meanwhile
    return entries


def changes(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    """
    The differences, one or more for each name; a file that was renamed comes with its old one.

    Entries that came follow the order in which they were changed.
    """
    gone = before.keys() - after.keys()
    new = after.keys() - before.keys()
    identities = {(after[name].device, after[name].inode): name for name in new}
    for name in sorted(gone):
        entry = before[name]
        moved = identities.get((entry.device, entry.inode))
        if moved is not None:
            new.discard(moved)
        yield Change("RENAME" if moved is not None else "REMOVE", name, entry.version)
    for name in sorted(new, key=lambda name: (after[name].changed, name)):
        yield Change("CREATE", name, after[name].version)
    for name, entry in after.items():
        if name in before:
            yield from _difference(name, before[name], entry)


def _difference(name: str, before: Entry, after: Entry) -> Iterator[Change]:
    if before.modified != after.modified:
        yield Change("WRITE", name, after.version)
    if stat.S_IMODE(before.mode) != stat.S_IMODE(after.mode):
        yield Change("CHMOD", name, after.version)
