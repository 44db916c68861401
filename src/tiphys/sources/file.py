"""File: what happens in a directory of this machine becomes events (spec: event sources 9.2)."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

from pydantic import Field

from tiphys.errors import SourceError
from tiphys.manifests.common import SourceConfig
from tiphys.sources._base import Incoming, Source, SourceContext, source
from tiphys.sources._shared.listing import Entry, changes, look
from tiphys.sources._shared.rules import missing
from tiphys.sources._shared.watched import (
    OPERATIONS,
    Change,
    WatchPath,
    cleaned,
    matches,
    payload,
    watched_problems,
)

INTERVAL = 0.1  # seconds between two looks at the directory
EVENT_TYPES = [*OPERATIONS, "MOVE"]


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
        found = _notified(directory) if notified else _polled(ctx, directory)
        versions = _Versions(f"{ctx.event_source}:{ctx.event_name}")
        try:
            async with aclosing(found):
                async for change in found:
                    if isinstance(change, Incoming):
                        yield change
                    elif (incoming := await self._incoming(change, versions)) is not None:
                        yield incoming
        except OSError as error:
            reason = error.strerror or str(error)
            raise SourceError(f"the directory {directory} cannot be watched: {reason}") from error

    async def _incoming(self, change: Change, versions: _Versions) -> Incoming | None:
        config = self.config
        name = self._reported(change.name)
        if change.operation != config.event_type or not matches(config.watch_path_config, name):
            return None
        return Incoming(payload(name, change.bits), versions.id(name, change))

    def _reported(self, name: str) -> str:
        """The name in the payload: the full path, and when polling only its last part."""
        directory = cleaned(self.config.watch_path_config.directory)
        if self.config.polling:
            return name or Path(directory).name
        return f"{directory.rstrip('/')}/{name}" if name else directory
