"""File: what happens in a directory of this machine becomes events (spec: event sources 9.2)."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path
from time import thread_time

from pydantic import Field

from tiphys.errors import SourceError
from tiphys.manifests.common import SourceConfig
from tiphys.sources._base import Incoming, Source, SourceContext, source
from tiphys.sources._shared.listing import Entry, Listing
from tiphys.sources._shared.rules import missing
from tiphys.sources._shared.watched import (
    OPERATIONS,
    Change,
    WatchPath,
    cleaned,
    identity,
    matches,
    payload,
    watched_problems,
)

INTERVAL = 0.1  # seconds between two looks at the directory, at least
REST = 9  # times the time that a look takes the other threads, which is the least pause after it
RECENT = 1000  # files whose last change is remembered to tell the next one from it
EVENT_TYPES = [*OPERATIONS, "MOVE"]
OVERFLOWN = "OVERFLOW"  # no operation: more happened than the kernel keeps


class Config(SourceConfig):
    """Which directory, and what about it."""

    event_type: str = Field(
        "",
        description="What must happen: `CREATE`, `WRITE`, `REMOVE`, `RENAME` or `CHMOD`.",
        examples=["CREATE"],
    )
    watch_path_config: WatchPath = Field(
        WatchPath(), description="The directory, and which paths in it count."
    )
    polling: bool = Field(
        False,
        description="Compare listings of the directory, for file systems that notify nobody.",
    )


@source("file", delivery="at-most-once", replicas="one")
class File(Source[Config]):
    """
    Watches a directory, and nothing below it.

    Notifications come from the kernel; where it has none, listings are compared.
    """

    def check(self) -> list[str]:
        """What is wrong with the options, among it what could never match."""
        config, watched = self.config, self.config.watch_path_config
        problems = missing(eventType=config.event_type)
        if config.event_type and config.event_type not in EVENT_TYPES:
            problems.append(f"`eventType` must be one of {', '.join(EVENT_TYPES)}")
        wrong = watched_problems(watched, "watchPathConfig.")
        if not wrong and watched.path:
            if "/" in watched.path:
                wrong.append("`watchPathConfig.path` never matches, nothing below is watched")
            elif not matches(watched, self._reported(watched.path)):
                wrong.append(
                    "`watchPathConfig.path` never matches unless `directory` ends with one slash"
                )
        return problems + wrong

    async def events(self, ctx: SourceContext) -> AsyncIterator[Incoming]:
        """Turn each change that counts into an event."""
        directory = cleaned(self.config.watch_path_config.directory)
        notified = sys.platform == "linux" and not self.config.polling
        versions = _Versions()
        try:
            found = _notified(directory, ctx) if notified else self._polled(directory, ctx)
            async with aclosing(found):
                async for change in found:
                    if change.operation == OVERFLOWN:
                        yield Incoming({}, problem=f"the system lost changes of {directory}")
                    elif self._counts(change):
                        name = self._reported(change.name)
                        id = versions.id(change)
                        yield Incoming(
                            payload(name, change.bits),
                            id and f"{ctx.event_source}:{ctx.event_name}:{identity(name)}:{id}",
                        )
        except OSError as error:
            raise SourceError(
                f"the directory {directory} cannot be watched: {error.strerror or error}"
            ) from error

    async def _polled(self, directory: str, ctx: SourceContext) -> AsyncGenerator[Change]:
        """What is found by looking, without what does not count, of which there may be much."""
        listing = Listing(directory)

        def look() -> tuple[list[Change], float]:
            started = thread_time()  # in which waiting for a network does not count
            return listing.look(self._counts), thread_time() - started

        while True:
            found, seconds = await asyncio.to_thread(look)
            ctx.connected()
            for change in found:
                yield change
            await ctx.clock.sleep(max(INTERVAL, REST * seconds))

    def _counts(self, change: Change) -> bool:
        name = self._reported(change.name)
        return change.operation == self.config.event_type and matches(
            self.config.watch_path_config, name
        )

    def _reported(self, name: str) -> str:
        """The name in the payload: the full path, and when polling only its last part."""
        directory = cleaned(self.config.watch_path_config.directory)
        if self.config.polling:
            return name or Path(directory).name
        return f"{directory.rstrip('/')}/{name}" if name else directory


class _Versions:
    """
    Identities of changes, so that another watcher's event for the same change is recognised.

    The times of a file are coarse: what has the identity of the change before it gets a number.
    """

    def __init__(self) -> None:
        self._last: dict[str, tuple[str, int]] = {}

    def id(self, change: Change) -> str | None:
        """The identity of a change, or None where the file is not there to tell."""
        last, number = self._last.pop(change.name, ("", 0))
        if change.version is None:
            return None
        version = f"{change.operation}:{change.version}"
        number = number + 1 if version == last else 0
        self._last[change.name] = version, number
        if len(self._last) > RECENT:
            del self._last[next(iter(self._last))]
        return f"{version}:{number}" if number else version


async def _notified(directory: str, ctx: SourceContext) -> AsyncGenerator[Change]:
    """What the kernel notices; raises :exc:`SourceError` when the directory goes away."""
    from tiphys.sources._shared import inotify  # which only Linux has

    async with inotify.notices(directory) as notices:
        ctx.connected()
        async for notice in notices:
            if notice.mask & inotify.OVERFLOW:
                yield Change(OVERFLOWN, "")
            elif (operation := notice.operation) is not None:
                yield Change(operation, notice.name, _version(directory, notice.name))
            if notice.mask & inotify.GONE:
                raise SourceError(f"the directory {directory} was removed, moved or unmounted")


def _version(directory: str, name: str) -> str | None:
    try:
        return Entry.of((Path(directory) / name).lstat()).version
    except OSError:
        return None
