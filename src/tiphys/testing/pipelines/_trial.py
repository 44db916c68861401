"""
A trial: the files of a stranger in, one JSON document out, in a process of its own.

The program reads JSON lines: the task, and for a comparison the events that it then asks for, up
to the end of its input.  It writes one JSON line that says how it ended (``done``, ``refused`` with
what is wrong in the files, or ``failed``: a bug of ours), and after ``done`` the document.  The
folder in which it is started is empty and its own; it reads no other file but those of Python.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from tiphys.errors import ManifestError, TiphysError
from tiphys.languages import LanguageError
from tiphys.languages._workers.limits import die_with_parent
from tiphys.observe import logs
from tiphys.testing.pipelines._comparison import compare, needed
from tiphys.testing.pipelines._given import archived
from tiphys.testing.pipelines._pipeline import Pipeline
from tiphys.testing.pipelines._results import results_as_json
from tiphys.testing.pipelines._runner import Result, Suites

MEMORY = 1 << 30  # bytes of addresses, of which Python and our modules take a tenth
Task = Mapping[str, Any]
HERE = Path()


class _Channel:
    """The two pipes to who started the trial; nothing else reads or prints there."""

    def __init__(self) -> None:
        self._tasks, self._answers = _taken(0, "rb"), _taken(1, "wb")
        with Path(os.devnull).open("r+b") as nowhere:
            os.dup2(nowhere.fileno(), 0)
            os.dup2(nowhere.fileno(), 1)

    def task(self) -> Task:
        """What is to be done."""
        found: Task = orjson.loads(self._tasks.readline())
        return found

    def events(self, wanted: list[tuple[str, str]]) -> list[Any]:
        """Ask for the events of these sources and names."""
        self._say({"wanted": wanted})
        return [orjson.loads(line) for line in self._tasks]

    def end(self, how: str, text: str = "", document: bytes = b"") -> None:
        """Say how it ended."""
        self._say({"end": how, "text": text}, document)

    def _say(self, message: Mapping[str, Any], document: bytes = b"") -> None:
        self._answers.write(json.dumps(message).encode() + b"\n" + document)
        self._answers.flush()


def main(parent: str) -> None:
    """Do what standard input asks for; *parent* is the number of the process that asks."""
    die_with_parent(int(parent))
    channel = _Channel()
    logs.set_up("human", "error", sys.stderr)
    with contextlib.suppress(OSError, ValueError):  # the platform does not know or allow it
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    try:
        task = channel.task()
        found = _tested(task) if task["do"] == "test" else _compared(task, channel)
        # In ASCII: a payload may hold half a character, which UTF-8 cannot.
        document = json.dumps(found, indent=2).encode() + b"\n"
    except (TiphysError, LanguageError) as error:
        channel.end("refused", str(error))
    except RecursionError:
        channel.end("refused", "something in the files is nested too deeply")
    except MemoryError:
        channel.end("refused", "this takes too much memory: choose less, or fewer events")
    except Exception:  # noqa: BLE001  whoever asks must learn of it
        channel.end("failed", traceback.format_exc())
    else:
        channel.end("done", document=document)


def _tested(task: Task) -> dict[str, Any]:
    """What ``tiphys test --format json`` prints."""
    write(task["files"], HERE)
    suites = Suites([HERE], matching=task["name"], within=HERE)
    suites.load()

    async def results() -> list[Result]:
        return [result async for result in suites.results()]

    return results_as_json(asyncio.run(results()), suites.coverage if task["coverage"] else None)


def _compared(task: Task, channel: _Channel) -> dict[str, Any]:
    """What ``tiphys diff --json`` prints."""
    for version in ("old", "new"):
        write(task[version], HERE / version)
    old, new = (Pipeline(HERE / version, within=HERE) for version in ("old", "new"))
    wanted = needed(old, new, source=task["source"], event=task["event"])
    given = [archived(each) for each in channel.events(wanted)]
    given.sort(key=lambda each: each.event.time)
    return compare(old, new, given, sensor=task["sensor"]).as_json()


def write(files: Mapping[str, str], folder: Path) -> None:
    """
    Make new files, by name below *folder*.

    Raises :exc:`ManifestError` for one that the system does not take.
    """
    for name, text in files.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:  # two names may be one to the system
                file.write(text.encode())
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise ManifestError(f"cannot be written: {reason}", file=str(path)) from error


def _taken(descriptor: int, mode: str) -> BinaryIO:
    taken: Any = os.fdopen(os.dup(descriptor), mode)
    return taken  # type: ignore[no-any-return]
