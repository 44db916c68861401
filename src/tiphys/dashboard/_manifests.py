"""Operations on manifests that the caller sends: compare two versions, run unit tests."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from pathlib import PurePosixPath
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tiphys.aio import stop
from tiphys.dashboard._events import shown
from tiphys.dashboard._operations import (
    Member,
    Operation,
    answer,
    body_of,
    flag_of,
    moment_of,
    text_of,
)
from tiphys.dashboard._trials import Stream, Trials, Wanted
from tiphys.events import JSON
from tiphys.manifests.loader import TEST_SUFFIXES
from tiphys.runtime import archive, trace
from tiphys.runtime.standalone import Standalone

LARGEST = 16 << 20  # bytes of a body
FILES = 1000  # in one member
LONGEST_NAME = 255  # bytes; no system takes more of a part, and no folder is deeper than that
BEGINNING = 80  # characters of a name in a message


class ManifestOperations:
    """The handlers.  What they are sent acts on nothing, and is gone with the request."""

    def __init__(self, instance: Standalone) -> None:
        self._instance = instance
        self._trials = Trials()

    def all(self) -> list[Operation]:
        """What there is."""

        def files(text: str) -> Member:
            return Member(f"{text}: texts by file name.", "object", required=True, values="string")

        versions = {
            "old": files("Manifests of the one version"),
            "new": files("Manifests of the other"),
            "since": Member("Events not older than this.", "string", required=True),
            "source": Member("Only events of this event source.", "string"),
            "event": Member("Only events of this name.", "string"),
            "sensor": Member("Only this sensor.", "string"),
        }
        tests = {
            "files": files("Manifests, `*.test.yaml`, payloads"),
            "name": Member("Only tests with this in their name.", "string"),
            "coverage": Member("Also list what no test exercises.", "boolean"),
        }
        path = "/api/v1"
        return [
            Operation(
                "POST",
                f"{path}/diff",
                "Compare two versions over events.",
                self.diff,
                body=versions,
            ),
            Operation("POST", f"{path}/test", "Run unit tests.", self.test, body=tests),
        ]

    async def diff(self, request: Request) -> Response:
        """About which archived events do two versions of sensors do different things?"""
        body = await body_of(request, LARGEST)
        task = {
            "do": "diff",
            "old": files_of(body, "old"),
            "new": files_of(body, "new"),
            "source": text_of(body, "source", ""),
            "event": text_of(body, "event", ""),
            "sensor": text_of(body, "sensor", ""),
        }
        since = moment_of(text_of(body, "since"), "since")
        assert since is not None
        buses = list(self._instance.buses.values())

        async def events(wanted: Wanted) -> Stream:
            for source, name in wanted:
                async for event in trace.archived(buses, archive.Wanted(source, name), since):
                    yield shown(event)

        return await _unless_gone(request, self._trials.run(task, events))

    async def test(self, request: Request) -> Response:
        """Do manifests do what their tests say?  The answer is 200 also when they do not."""
        body = await body_of(request, LARGEST)
        files = files_of(body, "files")
        if not any(name.lower().endswith(TEST_SUFFIXES) for name in files):
            raise HTTPException(400, "the member 'files' has no *.test.yaml")
        task = {
            "do": "test",
            "files": files,
            "name": text_of(body, "name", ""),
            "coverage": flag_of(body, "coverage"),
        }
        return await _unless_gone(request, self._trials.run(task))


def files_of(body: Mapping[str, Any], key: str) -> dict[str, str]:
    """
    The files in a member of the body: texts by name.

    Answers 400 where there is none, and for names that lead anywhere but into a folder of their
    own.
    """
    found = body.get(key)
    if not isinstance(found, dict) or not found:
        raise HTTPException(400, f"the member {key!r} is missing, or no object with files")
    if len(found) > FILES:
        raise HTTPException(400, f"the member {key!r} has more than {FILES} files")
    for name, text in found.items():
        place = f"the member {key!r}: the file {_beginning(name)!r}"
        if wrong := _wrong(name) or _folder_of(name, found):
            raise HTTPException(400, f"{place}: {wrong}")
        if not isinstance(text, str):
            raise HTTPException(400, f"{place} is no text")
    return found


def _wrong(name: str) -> str:
    """What is wrong with the name of a file; empty if nothing is."""
    parts = name.split("/")
    if not name:
        return "the name is empty"
    if name.startswith("/"):
        return "the name must be relative"
    if ".." in parts:
        return "the name must not have `..` in it"
    if not {"", "."}.isdisjoint(parts):
        return "the name has an empty part, or a `.`, between its slashes"
    if "\\" in name or not name.isprintable():
        return "the name has a backslash or a control character in it"
    if len(name.encode()) > LONGEST_NAME:
        return f"the name is longer than {LONGEST_NAME} bytes"
    return ""


def _folder_of(name: str, names: Mapping[str, Any]) -> str:
    """That a folder of the file is a file itself; empty if none is."""
    both = next((str(p) for p in PurePosixPath(name).parents if str(p) in names), "")
    return f"{both!r} is a file, and cannot be its folder" if both else ""


def _beginning(name: str) -> str:
    return name if len(name) <= BEGINNING else f"{name[:BEGINNING]}…"


async def _unless_gone(request: Request, trial: Coroutine[Any, Any, bytes]) -> Response:
    """What *trial* comes to; it is ended when the caller goes."""
    running = asyncio.create_task(trial)
    leaving = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait([running, leaving], return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            return Response(running.result(), media_type=JSON)
        return answer({"error": "the caller is gone"}, 503)  # nobody reads it
    finally:
        await stop(leaving)
        await stop(running, limit=10.0)


async def _gone(request: Request) -> None:
    """Until the caller is."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
