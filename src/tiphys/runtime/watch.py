"""Tells when manifests on disk have changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from tiphys.manifests.loader import STDIN, SUFFIXES

QUIET = 0.3  # seconds without a change after which it counts; editors write in several steps


class _Handler(FileSystemEventHandler):
    """Hands changes from the observer's thread to the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, changed: asyncio.Event) -> None:
        self._loop = loop
        self._changed = changed

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type in ("opened", "closed_no_write"):
            return
        names = (str(event.src_path), str(getattr(event, "dest_path", "")))
        if event.is_directory or any(name.lower().endswith(SUFFIXES) for name in names):
            self._loop.call_soon_threadsafe(self._changed.set)


async def changes(paths: Iterable[Path | str]) -> AsyncIterator[None]:
    """
    Yield once after every change to the manifests of *paths*, until cancelled.

    A file is watched through its directory, because editors replace files.
    """
    changed = asyncio.Event()
    handler = _Handler(asyncio.get_running_loop(), changed)
    observer = Observer()
    for directory, recursive in _directories(paths).items():
        observer.schedule(handler, str(directory), recursive=recursive)
    observer.start()
    try:
        while True:
            await changed.wait()
            while changed.is_set():
                changed.clear()
                await asyncio.sleep(QUIET)
            yield
    finally:
        observer.stop()
        await asyncio.to_thread(observer.join)


def _directories(paths: Iterable[Path | str]) -> dict[Path, bool]:
    """The directories to watch, and whether with what is below them."""
    found: dict[Path, bool] = {}
    for path in (Path(p).absolute() for p in paths if str(p) != STDIN):
        directory = path if path.is_dir() else path.parent
        found[directory] = found.get(directory, False) or path.is_dir()
    return found
