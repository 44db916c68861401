"""The part of WebHDFS, Hadoop's REST API, that lists directories."""

from __future__ import annotations

import contextlib
import dataclasses
import ssl
from collections import deque
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import aiohttp
import orjson
from yarl import URL

from tiphys.errors import SourceError
from tiphys.sources._shared.failures import CONNECT, reason, refused

ANSWER = 30.0  # seconds for the listing of one directory
SHOWN = 300  # characters of an answer that is no listing


@dataclasses.dataclass(frozen=True, slots=True)
class FileStatus:
    """A file; *modified* is milliseconds, *id* is 0 where the server tells none."""

    path: str
    id: int
    length: int
    modified: int
    permission: str


class NameNodes:
    """
    The name nodes of one cluster, of which one is active.

    *addresses* are base URLs.  The one that answered last is asked first.
    """

    def __init__(self, session: aiohttp.ClientSession, addresses: list[URL], user: str) -> None:
        self._session = session
        self._addresses = deque(addresses)
        self._user = user
        hosts = (f"{address.host_subcomponent}:{address.port}" for address in addresses)
        self._name = f"HDFS at {', '.join(hosts)}"

    async def walk(self, directory: str) -> dict[str, FileStatus]:
        """All files in *directory* and below, by path; raises :exc:`SourceError`."""
        files: dict[str, FileStatus] = {}
        left = deque([directory])
        while left:
            current = left.popleft()
            try:
                entries = await self._list(current)
            except _NotFound as error:
                if current == directory:
                    raise self._missing(directory) from error
                continue  # it has gone meanwhile
            for entry in entries:
                suffix = str(entry["pathSuffix"])
                if not suffix:
                    raise SourceError(f"{self._name}: {current!r} is no directory")
                path = f"{current.rstrip('/')}/{suffix}"
                if entry["type"] == "DIRECTORY":
                    left.append(path)
                else:
                    files[path] = _status(path, entry)
        return files

    async def check(self, directory: str) -> None:
        """Raise :exc:`SourceError` unless the directory is still there, which costs little."""
        try:
            await self._ask(directory, "GETFILESTATUS")
        except _NotFound as error:
            raise self._missing(directory) from error

    async def _list(self, directory: str) -> list[dict[str, Any]]:
        answer = await self._ask(directory, "LISTSTATUS")
        try:
            return list(orjson.loads(answer)["FileStatuses"]["FileStatus"])
        except (orjson.JSONDecodeError, TypeError, KeyError) as error:
            shown = answer[:SHOWN].decode(errors="replace")
            raise SourceError(f"{self._name} answers with no listing: {shown}") from error

    async def _ask(self, path: str, operation: str) -> bytes:
        """The answer of whichever name node is active."""
        problems = []
        for _ in range(len(self._addresses)):
            address = self._addresses[0]
            try:
                return await self._ask_at(address, path, operation)
            except _Unavailable as error:
                problems.append(str(error))
                self._addresses.rotate(-1)
        raise SourceError(f"{self._name} cannot be reached: {', '.join(problems)}")

    async def _ask_at(self, address: URL, path: str, operation: str) -> bytes:
        user = f"&user.name={quote(self._user, safe='')}" if self._user else ""
        path = quote(path.rstrip("/"), safe="/")
        url = URL(f"{address}webhdfs/v1{path or '/'}?op={operation}{user}", encoded=True)
        try:
            async with self._session.get(url, allow_redirects=False) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, OSError) as error:
            raise _Unavailable(reason(error)) from error
        if answer.status != 200:
            raise self._failure(answer.status, body)
        return body

    def _missing(self, directory: str) -> SourceError:
        return SourceError(f"{self._name} has no directory {directory!r}")

    def _failure(self, status: int, body: bytes) -> SourceError:
        """The error that an answer stands for."""
        try:
            content = orjson.loads(body)
        except orjson.JSONDecodeError:
            content = None
        remote = content.get("RemoteException") if isinstance(content, dict) else None
        remote = remote if isinstance(remote, dict) else {}
        kind = str(remote.get("exception", ""))
        message = str(remote.get("message", "")).partition("\n")[0] or f"status {status}"
        if kind == "StandbyException":
            return _Unavailable("this name node is on standby")
        if kind == "RetriableException":  # such as in safe mode, or while it starts
            return _Unavailable(message)
        if status == 401 or kind in ("AccessControlException", "SecurityException"):
            return refused(self._name, message)
        if kind == "FileNotFoundException":
            return _NotFound(message)
        return SourceError(f"{self._name} does not list the directory: {message}")


class _Unavailable(SourceError):
    """This name node does not answer, or not now."""


class _NotFound(SourceError):
    """There is no such directory."""


@contextlib.asynccontextmanager
async def name_nodes(
    addresses: list[str], user: str, tls: ssl.SSLContext | None
) -> AsyncIterator[NameNodes]:
    """Clients for name nodes, each with its scheme."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=True if tls is None else tls),
        timeout=aiohttp.ClientTimeout(total=ANSWER, connect=CONNECT),
    ) as session:
        yield NameNodes(session, [URL(address).with_path("/") for address in addresses], user)


def _status(path: str, entry: dict[str, Any]) -> FileStatus:
    return FileStatus(
        path,
        int(entry.get("fileId") or 0),
        int(entry.get("length") or 0),
        int(entry.get("modificationTime") or 0),
        str(entry.get("permission", "")),
    )
