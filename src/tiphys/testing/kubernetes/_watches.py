"""Watches: what happened since a revision, and then what happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

from tiphys.testing.kubernetes._answers import ApiError, expired, option_error
from tiphys.testing.kubernetes._decode import clone
from tiphys.testing.kubernetes._kinds import Kind
from tiphys.testing.kubernetes._lifecycle import presented
from tiphys.testing.kubernetes._lists import revision_of, selection
from tiphys.testing.kubernetes._problems import Problem
from tiphys.testing.kubernetes._requests import Request
from tiphys.testing.kubernetes._selectors import Matches
from tiphys.testing.kubernetes._store import Event, Object, Store

INITIAL_END = "k8s.io/initial-events-end"
LONGEST = 1800.0  # seconds, where the client names no timeout


class WatchStream:
    """The answer to one watch; asks nothing of the client but to read it."""

    def __init__(self, request: Request, kind: Kind, store: Store, pause: float) -> None:
        """Raises :exc:`ApiError` for parameters that do not fit; *pause* is between bookmarks."""
        self._request = request
        self._kind = kind
        self._store = store
        self._pause = pause
        self._matches: Matches = selection(request, kind)
        self._initial = request.query.get("sendInitialEvents")
        self._bookmarks = request.query.get("allowWatchBookmarks") in ("true", "1")
        self._check_initial()
        version = request.query.get("resourceVersion", "")
        self._fresh = version in ("", "0") if self._initial is None else self._initial == "true"
        self._position = store.revision
        if not self._fresh and version not in ("", "0"):
            try:
                self._position = revision_of(version)
            except ValueError as error:
                raise ApiError(500, "", str(error)) from error
        self._timeout = float(request.query.get("timeoutSeconds") or LONGEST)

    async def events(self) -> AsyncIterator[Object]:
        """The events, until the time is over."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._timeout
        if not self._fresh and self._position < self._store.compacted:
            yield self._too_old()
            return
        if self._fresh:
            for event in self._existing():
                yield event
        while True:
            if self._position < self._store.compacted:
                yield self._too_old()
                return
            changed = self._store.change()
            for event in self._news():
                yield event
            rest = end - loop.time()
            if rest <= 0:
                break
            try:
                async with asyncio.timeout(min(rest, self._pause)):
                    await changed.wait()
            except TimeoutError:
                if self._bookmarks and loop.time() < end:
                    yield self._bookmark()

    def _check_initial(self) -> None:
        match = self._request.query.get("resourceVersionMatch", "")
        if self._initial is not None and match != "NotOlderThan":
            raise _options_error(
                "resourceVersionMatch",
                "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            )
        if self._initial is None and match:
            raise _options_error(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            )

    def _existing(self) -> Iterator[Object]:
        for obj in self._store.items(self._kind.key, self._request.namespace or None):
            if self._matches(obj):
                yield self._event("ADDED", obj)
        if self._initial == "true" and self._bookmarks:
            bookmark = self._bookmark()
            bookmark["object"]["metadata"]["annotations"] = {INITIAL_END: "true"}
            yield bookmark

    def _news(self) -> Iterator[Object]:
        for change in self._store.since(self._position):
            self._position = change.revision
            if change.resource == self._kind.key and self._wanted(change):
                event = self._seen(change)
                if event is not None:
                    yield event

    def _wanted(self, change: Event) -> bool:
        return not self._request.namespace or change.key[0] == self._request.namespace

    def _seen(self, change: Event) -> Object | None:
        """*change* as somebody sees it who sees only the objects that match."""
        before = change.old is not None and self._matches(change.old)
        after = change.new is not None and self._matches(change.new)
        if after:
            assert change.new is not None
            return self._event("MODIFIED" if before else "ADDED", change.new)
        if not before:
            return None
        assert change.old is not None
        gone = clone(change.old)
        gone["metadata"]["resourceVersion"] = str(change.revision)
        return self._event("DELETED", gone)

    def _event(self, kind: str, obj: Object) -> Object:
        return {"type": kind, "object": presented(obj, self._kind)}

    def _bookmark(self) -> Object:
        return {
            "type": "BOOKMARK",
            "object": {
                "kind": self._kind.kind,
                "apiVersion": self._kind.api_version,
                "metadata": {"resourceVersion": str(self._position)},
            },
        }

    def _too_old(self) -> Object:
        error = expired(f"too old resource version: {self._position} ({self._store.compacted + 1})")
        return {"type": "ERROR", "object": error.status}


def _options_error(field: str, text: str) -> ApiError:
    return option_error("ListOptions", Problem.forbidden(field, text))
