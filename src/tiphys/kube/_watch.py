"""Watching a resource: list, then follow, and start again where that is needed."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any, Literal, Protocol

import orjson
import structlog
from aiohttp import ClientResponse, ClientTimeout, StreamReader, hdrs

from tiphys.aio import capped_backoff
from tiphys.errors import ClusterUnavailable, Gone, KubernetesError, TooManyRequests
from tiphys.kube._failures import Target, from_status
from tiphys.kube._resources import name_of, namespace_of
from tiphys.kube._transport import Transport

Object = dict[str, Any]
Key = tuple[str, str]  # namespace and name
LONGEST = 600  # seconds that one request of a watch lasts; half of them at least
LATE = 30.0  # seconds that the server may be late to end a request
SILENT = 90.0  # seconds without a sign of life; bookmarks come every minute from most servers
ANSWER = 10.0  # seconds that a server has to answer when it is asked whether it is there
JSON: Mapping[str, str] = {hdrs.ACCEPT: "application/json"}
log = structlog.get_logger("argo-events.kubernetes")


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """
    What happened to one object.

    *old* is its state before, None for ``ADDED``.  The *object* of a deletion is the last state
    known; *missed* says that the deletion was found out later, so that it may be an older one.
    """

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    object: Object
    old: Object | None = None
    missed: bool = False


class Snapshot(Protocol):
    """What a listing gives."""

    @property
    def items(self) -> list[Object]:
        """The objects."""
        ...

    @property
    def resource_version(self) -> str:
        """The version from which to follow."""
        ...


class Watch:
    """
    An endless series of :class:`Change`: first every object there is, then what happens.

    Lost connections are made again for ever, with pauses; nothing is reported twice, and what
    happened meanwhile is reported as the difference.  A connection counts as lost, too, when it
    has fallen silent and the server does not answer another request.  Before the first listing,
    an error that waiting does not cure is raised.  Iterate once; ``contextlib.aclosing`` of the
    iterator ends the request at once when a loop is left early.
    """

    def __init__(
        self,
        transport: Transport,
        target: Target,
        selectors: Mapping[str, str],
        snapshot: Callable[[], Awaitable[Snapshot]],
    ) -> None:
        self.objects: dict[Key, Object] = {}
        """The objects as last reported, by namespace and name."""
        self.synced = asyncio.Event()
        """Set when every object of the first listing has been reported."""
        self.connected = False
        """Whether the server is being listened to at this moment."""
        self.on_connect: Callable[[], None] = lambda: None
        """Called whenever the server begins to be listened to."""
        self._transport = transport
        self._target = target
        self._selectors = selectors
        self._snapshot = snapshot
        self.version = ""
        """The resource version up to which everything has been reported."""
        self._interrupted = False

    async def __aiter__(self) -> AsyncIterator[Change]:
        """The changes."""
        pauses = capped_backoff()
        while True:
            try:
                if not self.version:
                    listing = await self._snapshot()
                    for change in self._differences(listing.items):
                        yield change
                    self.version = listing.resource_version
                    self.synced.set()
                async with self._open() as answer:
                    self._note(connected=True)
                    async for line in _lines(answer.content, self._ask):
                        pauses = capped_backoff()
                        if (happened := self._take(line)) is not None:
                            yield happened
                pause = next(pauses)  # ended by the server, as each request is some time
            except Gone:
                self.version = ""
                pause = next(pauses)
            except KubernetesError as error:
                if not self.synced.is_set() and not _passes(error):
                    raise
                self._note(connected=False, error=error)
                pause = max(next(pauses), error.retry_after or 0.0)
            finally:
                self.connected = False
            await asyncio.sleep(pause)

    @contextlib.asynccontextmanager
    async def _open(self) -> AsyncIterator[ClientResponse]:
        seconds = random.randint(LONGEST // 2, LONGEST)
        query = {
            **self._selectors,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self.version,
            "timeoutSeconds": str(seconds),
        }
        timeout = ClientTimeout(total=None, sock_connect=10, sock_read=seconds + LATE)
        async with contextlib.AsyncExitStack() as stack:
            request = self._request(query, timeout)
            try:
                async with asyncio.timeout(SILENT):
                    answer = await stack.enter_async_context(request)
            except TimeoutError as error:
                raise ClusterUnavailable(f"cannot {self._target}: no answer in time") from error
            yield answer

    async def _ask(self) -> None:
        """Raise :exc:`ClusterUnavailable` unless the server answers a request that costs little."""
        try:
            async with self._request({"limit": "1"}, ClientTimeout(total=ANSWER)):
                return
        except ClusterUnavailable:
            raise
        except KubernetesError:
            return  # no welcome answer, but one

    def _request(
        self, query: Mapping[str, str], timeout: ClientTimeout
    ) -> contextlib.AbstractAsyncContextManager[ClientResponse]:
        resource = self._target.resource
        assert resource is not None
        path = resource.path(self._target.namespace)
        return self._transport.open("GET", path, self._target, query, JSON, timeout=timeout)

    def _take(self, line: bytes) -> Change | None:
        """One line of the stream; raises what an ``ERROR`` line says."""
        try:
            event = orjson.loads(line)
            kind, obj = event["type"], event["object"]
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise ClusterUnavailable(f"cannot {self._target}: the stream is broken") from error
        if kind == "ERROR":
            raise from_status(obj, int(obj.get("code") or 500), self._target)
        self.version = (obj.get("metadata") or {}).get("resourceVersion") or self.version
        if kind == "BOOKMARK":
            return None
        return self._changed(kind == "DELETED", obj)

    def _changed(self, deleted: bool, obj: Object, missed: bool = False) -> Change | None:
        """What *obj* means after what has been reported; None for nothing new."""
        key = (namespace_of(obj), name_of(obj))
        old = self.objects.get(key)
        if deleted:
            if old is None:
                return None
            del self.objects[key]
            return Change("DELETED", obj, old, missed)
        self.objects[key] = obj
        if old is None:
            return Change("ADDED", obj)
        return None if _version(old) == _version(obj) else Change("MODIFIED", obj, old)

    def _differences(self, items: list[Object]) -> Iterator[Change]:
        """The changes that lead from what has been reported to *items*."""
        uids = {_uid(item) for item in items}
        for gone in [obj for obj in self.objects.values() if _uid(obj) not in uids]:
            if (change := self._changed(True, gone, missed=True)) is not None:
                yield change
        for item in items:
            if (change := self._changed(False, item)) is not None:
                yield change

    def _note(self, *, connected: bool, error: KubernetesError | None = None) -> None:
        """One log line when the watch breaks, one when it is back."""
        self.connected = connected
        if connected:
            self.on_connect()
        if connected and self._interrupted:
            log.info("The watch is back", watch=str(self._target))
        elif not connected and not self._interrupted:
            log.warning("The watch is interrupted", watch=str(self._target), error=str(error))
        self._interrupted = not connected


def _passes(error: KubernetesError) -> bool:
    """Whether waiting may cure it."""
    return isinstance(error, (ClusterUnavailable, TooManyRequests)) or error.status >= 500


def _version(obj: Object) -> Any:
    return obj["metadata"].get("resourceVersion")


def _uid(obj: Object) -> Any:
    return obj["metadata"].get("uid")


async def _lines(content: StreamReader, ask: Callable[[], Awaitable[None]]) -> AsyncIterator[bytes]:
    """The lines of a stream, of any length; *ask* is called when it has fallen silent."""
    rest: list[bytes] = []
    while chunk := await _chunk(content, ask):
        *complete, last = chunk.split(b"\n")
        for line in complete:
            whole = b"".join([*rest, line])
            rest = []
            if whole:
                yield whole
        if last:
            rest.append(last)


async def _chunk(content: StreamReader, ask: Callable[[], Awaitable[None]]) -> bytes:
    """What comes next; empty at the end."""
    while True:
        try:
            async with asyncio.timeout(SILENT) as silence:
                return await content.readany()
        except TimeoutError:
            if not silence.expired():
                raise
        await ask()
