"""
Keeps an endpoint registered with a provider: one hook at each place, for as long as it answers.

A hook is looked for before it is made.  Where two replicas made one at the same time, the one that
made the younger takes it back.
"""

from __future__ import annotations

import abc
import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NoReturn

import structlog

from tiphys.aio import capped_backoff, stop
from tiphys.errors import TiphysError
from tiphys.manifests.webhook import WebhookContext
from tiphys.sources._base import SourceContext
from tiphys.sources._shared.rest import APIError

EVERY = 60.0  # seconds from one look at the hooks to the next
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 60.0  # seconds from a failure to the next attempt
POLITE = 0.5  # seconds after a hook was made; providers ask not to be written to in bursts
CLEAN_UP = 8.0  # seconds for removing all hooks; the grace of a stopping service is 10
MAKING = 0.4  # seconds that a stop waits for a hook that is being made
LOOK = 0.4  # seconds for looking whether there is one after all
SHOWN = 3  # problems that are told in full
log = structlog.get_logger("argo-events.eventsource")


@dataclasses.dataclass(frozen=True, slots=True)
class Hook:
    """
    A hook that is ours as far as the provider's module can tell.

    *age* orders hooks, oldest first.  *stale*: it is to be updated.  *note* is what a person
    should know of it.
    """

    id: str
    age: tuple[Any, ...] = ()
    stale: bool = False
    note: str = ""


class Hooks(abc.ABC):
    """
    What one provider's hooks are, and the calls to keep them; each raises :exc:`APIError`.

    A *place* is what has hooks, such as a repository, in the words of the API.
    """

    @abc.abstractmethod
    async def places(self) -> Sequence[str]:
        """Where a hook belongs."""

    @abc.abstractmethod
    async def find(self, place: str) -> list[Hook]:
        """Our hooks at *place*, all pages looked through."""

    @abc.abstractmethod
    async def create(self, place: str) -> str:
        """Make a hook and return its id."""

    async def update(self, place: str, hook: Hook) -> None:
        """Bring a stale hook up to date."""
        raise NotImplementedError(f"{type(self).__name__} finds no stale hooks")

    @abc.abstractmethod
    async def delete(self, place: str, id: str) -> None:
        """Remove a hook."""


Connect = Callable[[], AbstractAsyncContextManager[Hooks]]


class HookKeeper:
    """
    Sees to the hooks again and again.

    What fails is reported, does not keep other places from their hooks, and is tried again with
    growing pauses or when the provider says so.  Connections and credentials are new every time.
    """

    def __init__(self, ctx: SourceContext, connect: Connect, every: float = EVERY) -> None:
        self._ctx = ctx
        self._connect = connect
        self._every = every
        self._known: dict[str, str] = {}
        self._made: set[tuple[str, str]] = set()
        self._making = asyncio.Lock()
        self._unsure: set[str] = set()  # places where a hook was asked for and none was seen yet
        self._notes: dict[str, str] = {}
        self._log = log.bind(eventSourceName=ctx.event_source, eventName=ctx.event_name)

    async def run(self) -> NoReturn:
        """Keep the hooks until cancelled."""
        pauses = capped_backoff(FIRST_PAUSE, LONGEST_PAUSE)
        while True:
            problems, wait = await self._look_at_all()
            self._ctx.report(_summary(problems))
            if problems:
                await self._ctx.clock.sleep(max(wait, next(pauses)))
            else:
                pauses = capped_backoff(FIRST_PAUSE, LONGEST_PAUSE)
                await self._ctx.clock.sleep(self._every)

    async def end(self, running: asyncio.Task[Any]) -> None:
        """
        End the task of :meth:`run`, so that :meth:`remove` can follow.

        A hook that is being made gets a moment, because only the answer tells its id.
        """
        try:
            async with asyncio.timeout(MAKING), self._making:
                running.cancel()  # before it asks for the next one
        except TimeoutError:
            pass  # there may be a hook all the same
        finally:
            await stop(running)

    async def remove(self) -> None:
        """Remove the hooks that are known, or may be there; what cannot be removed is logged."""
        if not (self._known or self._unsure):
            return
        until = asyncio.get_running_loop().time() + CLEAN_UP
        try:
            # A provider that did not answer before may be silent now as well.
            first = asyncio.timeout(CLEAN_UP if self._known else LOOK)
            async with first as limit, self._connect() as hooks:
                await self._look_once_more(hooks)
                limit.reschedule(until)
                for place, id in list(self._known.items()):
                    await self._remove_one(hooks, place, id)
        except (TiphysError, TimeoutError) as error:
            self._log.warning(
                "Hooks were left behind",
                places=sorted({*self._known, *self._unsure}),
                error=str(error) or "no time",
            )

    async def _look_once_more(self, hooks: Hooks) -> None:
        """Find the hooks that were asked for without an answer."""
        for place in sorted(self._unsure):
            try:
                found = await hooks.find(place)
            except APIError as error:
                self._log.warning("A hook may be left behind", place=place, error=str(error))
                found = []
            self._unsure.discard(place)
            if found:  # of twins the younger one; whoever made the other keeps that
                self._known[place] = max(found, key=lambda hook: hook.age).id

    async def _look_at_all(self) -> tuple[list[str], float]:
        """See to every place once; returns what went wrong, and for how long to wait at least."""
        problems: list[str] = []
        try:
            async with self._connect() as hooks:
                for place in await hooks.places():
                    try:
                        await self._keep(hooks, place)
                    except APIError as error:
                        problems.append(f"hook of {place}: {error}")
                        if error.wait is not None or error.status == 401:
                            return problems, error.wait or 0.0  # the rest would fare no better
        except APIError as error:
            return [*problems, str(error)], error.wait or 0.0
        except TiphysError as error:
            problems.append(str(error))
        except Exception as error:  # noqa: BLE001 - a bug must not end the care for the hooks
            self._log.error("The hooks could not be looked at", exc_info=True)
            problems.append(f"{type(error).__name__}: {error}")
        return problems, 0.0

    async def _keep(self, hooks: Hooks, place: str) -> None:
        found = await hooks.find(place)
        self._unsure.discard(place)
        hook, *twins = sorted(found or await self._make(hooks, place), key=lambda hook: hook.age)
        self._known[place] = hook.id
        for twin in twins:
            if (place, twin.id) in self._made:
                self._log.info("Another replica made the same hook first", place=place)
                await hooks.delete(place, twin.id)
        if hook.stale:
            await hooks.update(place, hook)
            self._log.info("Updated a hook", place=place, hook=hook.id)
        if hook.note and self._notes.get(place) != hook.note:
            self._log.warning(hook.note, place=place, hook=hook.id)
        self._notes[place] = hook.note

    async def _make(self, hooks: Hooks, place: str) -> list[Hook]:
        """Make a hook; returns what is there afterwards, also what others made meanwhile."""
        try:
            async with self._making:
                self._unsure.add(place)
                id = await hooks.create(place)
                self._known[place] = id
        except APIError as error:
            if 400 <= error.status < 500:
                self._unsure.discard(place)
            if error.status not in (409, 422) or not (found := await hooks.find(place)):
                raise
            return found  # somebody was faster
        self._unsure.discard(place)
        self._made.add((place, id))
        self._log.info("Created a hook", place=place, hook=id)
        await self._ctx.clock.sleep(POLITE)
        return await hooks.find(place) or [Hook(id)]

    async def _remove_one(self, hooks: Hooks, place: str, id: str) -> None:
        try:
            await hooks.delete(place, id)
            self._log.info("Deleted a hook", place=place, hook=id)
        except APIError as error:
            if error.status != 404:
                self._log.warning("A hook was left behind", place=place, hook=id, error=str(error))
        del self._known[place]


@asynccontextmanager
async def kept_hooks(
    ctx: SourceContext, connect: Connect, *, every: float = EVERY, delete: bool
) -> AsyncIterator[None]:
    """Keep hooks in the background; *delete* says whether to remove them at the end."""
    keeper = HookKeeper(ctx, connect, every)
    task = asyncio.create_task(keeper.run())
    try:
        yield
    finally:
        if delete:
            await keeper.end(task)
            await keeper.remove()
        else:
            await stop(task)


def hook_url(webhook: WebhookContext) -> str:
    """The address that a provider is told (spec: event sources 4.7)."""
    return webhook.url.rstrip("/") + "/" + webhook.endpoint.removeprefix("/")


def same_events(ours: Collection[str], theirs: object) -> bool:
    """Whether two lists name the same events, in any order and however often."""
    return isinstance(theirs, list) and set(ours) == set(theirs)


def _summary(problems: Sequence[str]) -> str | None:
    """The first problems, and how many more there are."""
    if not problems:
        return None
    more = [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
    return "; ".join([*problems[:SHOWN], *more])
