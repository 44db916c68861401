"""What a source saw of a directory elsewhere, kept across restarts until its events are stored."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import zlib
from collections.abc import AsyncGenerator, Callable, Iterable
from typing import Any
from urllib.parse import quote, unquote

import orjson

from tiphys.errors import SourceError
from tiphys.sources._base import Incoming, SourceContext
from tiphys.sources._shared.watched import identity, is_odd, payload

SAVE = 1.0  # seconds between two saves while events of one listing are on their way
State = tuple[int | str, ...]
"""What tells one state of a file from another."""


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """A file that is not as it was: its new state, None when it has gone."""

    name: str
    bits: int
    state: State | None


class Remembered:
    """
    The files of one directory as the events say that are stored.

    A difference is taken over when its event is stored, so that one whose event is not shows again
    with the next listing, also after a crash.  Its id is then the same, and that of another change
    of the file another one: it holds the state, of a file that has gone the last one.
    """

    def __init__(self, ctx: SourceContext, place: str) -> None:
        self.files: dict[str, State] = {}
        self._ctx = ctx
        self._place = place
        self._key = f"{ctx.event_name}/files"
        self._round = 0  # of listings with events; part of the ids
        self._saved = ctx.clock.monotonic()
        self._unsaved = False
        self._saving = asyncio.Lock()

    async def load(self) -> bool:
        """
        Read the record; false when there is none for this place.

        Raises :exc:`SourceError` when it cannot be understood.
        """
        record = await self._ctx.store.get(self._key)
        if record is None:
            return False
        try:
            content = orjson.loads(zlib.decompress(record))
            files = {name: tuple(state) for name, state in content["files"].items()}
            for name, state in content.get("odd", {}).items():
                files[unquote(name, errors="surrogateescape")] = tuple(state)
            place, number = str(content["place"]), int(content["round"])
        except (zlib.error, ValueError, TypeError, KeyError, AttributeError) as error:
            raise SourceError(
                f"the remembered files cannot be read: {error}; remove the record {self._key!r}"
            ) from error
        if place != self._place:
            return False
        self.files, self._round = files, number
        return True

    async def save(self) -> None:
        """Write the record.  Raises :exc:`BusError`."""
        async with self._saving:  # or an older record might come last
            self._saved, self._unsaved = self._ctx.clock.monotonic(), False
            content = {"place": self._place, "round": self._round, "files": dict(self.files)}
            try:
                await self._ctx.store.put(self._key, await asyncio.to_thread(_packed, content))
            except BaseException:
                self._unsaved = True
                raise

    async def report(
        self, differences: Iterable[Difference], counts: Callable[[Difference], bool]
    ) -> AsyncGenerator[Incoming]:
        """
        Yield an event for each difference that counts; the others are taken over at once.

        Ends when all events are settled.  Raises :exc:`BusError` when the record cannot be written.
        """
        found = list(differences)
        batch = _Batch([difference for difference in found if counts(difference)])
        for difference in found:
            if not counts(difference):
                self._take(difference)
        for difference in batch.events:
            yield self._incoming(difference, batch)
        if batch.events:
            await batch.settled.wait()
        if self._unsaved:
            await self.save()

    def _incoming(self, difference: Difference, batch: _Batch) -> Incoming:
        ctx = self._ctx
        known = difference.state or self.files.get(difference.name, ())
        state = ":".join(map(str, known))
        return Incoming(
            payload(difference.name, difference.bits),
            f"{ctx.event_source}:{ctx.event_name}:{self._round}:{identity(difference.name)}"
            f":{difference.bits}:{state}",
            functools.partial(self._settle, difference, batch, stored=True),
            functools.partial(self._settle, difference, batch, stored=False),
        )

    async def _settle(self, difference: Difference, batch: _Batch, *, stored: bool) -> None:
        if stored:
            self._take(difference)
        batch.left -= 1
        batch.complete = batch.complete and stored
        last = not batch.left
        if last and batch.complete:
            self._round += 1
        try:
            due = self._ctx.clock.monotonic() - self._saved >= SAVE
            if last or (stored and due):
                await self.save()
        finally:
            if last:
                batch.settled.set()

    def _take(self, difference: Difference) -> None:
        self._unsaved = True
        if difference.state is None:
            self.files.pop(difference.name, None)
        else:
            self.files[difference.name] = difference.state


class _Batch:
    """The events of one listing."""

    def __init__(self, events: list[Difference]) -> None:
        self.events = events
        self.left = len(events)
        self.complete = True  # so far; false when one of them was refused
        self.settled = asyncio.Event()


def _packed(content: dict[str, Any]) -> bytes:
    """The record; names with bytes that are not UTF-8, which JSON cannot have, are apart."""
    try:
        text = orjson.dumps(content)
    except TypeError:
        files = content["files"]
        odd = {quote(n, errors="surrogateescape"): state for n, state in files.items() if is_odd(n)}
        plain = {name: state for name, state in files.items() if not is_odd(name)}
        text = orjson.dumps({**content, "files": plain, "odd": odd})
    return zlib.compress(text)
