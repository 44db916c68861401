"""
Joins: only events with the same key, and close enough in time, make a condition true together.

Each key has a memory of its own, which works as that of a condition without keys (see
:mod:`tiphys.sensors.state`).  It ends when nothing can join its events any more.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from tiphys.aio import Clock
from tiphys.bus import State
from tiphys.sensors.flow.deadlines import Deadlines
from tiphys.sensors.flow.memory import digest
from tiphys.sensors.state import ConditionState, Held, Memory, Position

_MOMENT = timedelta(microseconds=1)  # an event at the very end of the window still joins
LATE = timedelta(minutes=10)  # a message of which a key knows may come again for this long


class KeyState(ConditionState):
    """The memory of one key."""

    async def end(self) -> None:
        """Remove what is left when nothing is held and no firing is pending."""
        await self._state.delete(self._key("=through"))


class JoinState(KeyState):
    """
    The memory of one key, as an event of *dependency* sees it that the bus stored at *moment*.

    Of other dependencies it sees only what is within *window*.
    """

    def __init__(
        self,
        state: State,
        place: str,
        dependencies: Iterable[str],
        *,
        moment: datetime,
        window: timedelta,
        dependency: str,
    ) -> None:
        super().__init__(state, place, dependencies)
        self._moment = moment
        self._window = window
        self._own = dependency

    async def read(self) -> Memory:
        """What can join the event."""
        memory = await super().read()
        held = {
            name: held
            for name, held in memory.held.items()
            if name == self._own or abs(held.position.published - self._moment) <= self._window
        }
        return Memory(held, memory.through, memory.revision)


class Joins:
    """
    The memories of all keys of a trigger.

    *shape* changes when what is remembered loses its meaning.
    """

    def __init__(
        self,
        state: State,
        place: str,
        dependencies: Iterable[str],
        window: float,
        *,
        shape: str,
        clock: Clock,
    ) -> None:
        self._state = state
        self._place = place
        self._prefix = f"{place}/{digest(shape)}"
        self._dependencies = list(dependencies)
        self._window = timedelta(seconds=window)
        self._clock = clock
        self._due: Deadlines[str] = Deadlines()
        self._seen: dict[str, datetime] = {}  # when a key was last touched, by the clock
        self._firing: dict[str, set[str]] = {}  # by key: the firings that are not done

    async def load(self) -> None:
        """Find the keys that there are, and forget those of another shape.  Raises BusError."""
        self._due, self._seen, self._firing = Deadlines(), {}, {}
        now = self._clock.now()
        for key in await self._state.keys(f"{self._place}/"):
            if not key.startswith(f"{self._prefix}/"):
                await self._state.delete(key)
                continue
            name, _, rest = key.removeprefix(f"{self._prefix}/").partition("/")
            if rest.startswith("=firing/"):
                self._firing.setdefault(name, set()).add(rest)
            self._seen[name] = now
            self._due.set(name, now)

    def of(self, key: str, position: Position, dependency: str) -> JoinState:
        """The memory that the event of the message at *position* belongs to."""
        name = digest(key)
        self._seen[name] = self._clock.now()
        return JoinState(
            self._state,
            f"{self._prefix}/{name}",
            self._dependencies,
            moment=position.published,
            window=self._window,
            dependency=dependency,
        )

    def decided(self, key: str, position: Position) -> None:
        """The event was decided on, and may be held now; call it afterwards."""
        self._due.hasten(digest(key), position.published + self._window + _MOMENT)

    def fired(self, key: str, sequence: int, dependency: str) -> None:
        """An action of *key* was decided and is not done."""
        self._firing.setdefault(digest(key), set()).add(f"=firing/{sequence}.{dependency}")

    def done(self, key: str, sequence: int, dependency: str) -> None:
        """An action of *key* is done."""
        name = digest(key)
        self._firing.get(name, set()).discard(f"=firing/{sequence}.{dependency}")
        self._due.hasten(name, self._clock.now())

    def next_due(self) -> datetime | None:
        """When to call :meth:`expire`."""
        return self._due.next()

    async def expire(self, upto: datetime) -> list[tuple[str, Held]]:
        """Forget what nothing can join any more; returns the events.  Raises BusError."""
        expired: list[tuple[str, Held]] = []
        for name in self._due.take(upto):
            try:
                expired += await self._expire(name, upto)
            except BaseException:
                self._due.set(name, upto)
                raise
        return expired

    async def reset(self, before: datetime | None) -> list[tuple[str, Held]]:
        """Forget held events of all keys; returns them by dependency.  Raises BusError."""
        forgotten: list[tuple[str, Held]] = []
        for name in list(self._seen):
            forgotten += (await self._plain(name).reset(before)).items()
        return forgotten

    async def _expire(self, name: str, upto: datetime) -> list[tuple[str, Held]]:
        state = self._plain(name)
        memory = await state.read()
        ends = {n: held.position.published + self._window for n, held in memory.held.items()}
        old = {n: memory.held[n] for n, end in ends.items() if end < upto}
        await state.forget(old)
        later = [end for n, end in ends.items() if n not in old]
        if later:
            self._due.set(name, min(later) + _MOMENT)
        elif not self._firing.get(name):
            await self._end(name, state)
        return list(old.items())

    async def _end(self, name: str, state: KeyState) -> None:
        """Forget a key that holds nothing, once no message of it can come again."""
        ends = self._seen.get(name, self._clock.now()) + LATE
        if self._clock.now() < ends:
            self._due.set(name, ends)
            return
        await state.end()
        self._seen.pop(name, None)
        self._firing.pop(name, None)

    def _plain(self, name: str) -> KeyState:
        return KeyState(self._state, f"{self._prefix}/{name}", self._dependencies)
