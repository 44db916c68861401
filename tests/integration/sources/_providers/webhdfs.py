"""
A name node of Hadoop, as far as WebHDFS lists directories, which can be made to misbehave.

Written from Hadoop's documentation of the WebHDFS REST API (``LISTSTATUS``, ``GETFILESTATUS``,
their JSON schemas, and the table of HTTP response codes).
"""

from __future__ import annotations

import dataclasses
import itertools
import posixpath
from typing import Any, Self

from aiohttp import web

from tests._ports import free_port


@dataclasses.dataclass
class Node:
    """A file, or a directory if *length* is None."""

    id: int
    length: int | None
    modified: int
    permission: str


class FileSystem:
    """The files that a name node lists."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.gives_ids = True
        self._ids = itertools.count(16386)
        self._now = itertools.count(1_795_660_000_000, 1000)
        self.mkdir("/")

    def mkdir(self, path: str) -> None:
        self.nodes[path] = Node(next(self._ids), None, next(self._now), "755")

    def write(self, path: str) -> None:
        self.nodes[path] = Node(next(self._ids), 1, next(self._now), "644")

    def rename(self, path: str, new: str) -> None:
        self.nodes[new] = self.nodes.pop(path)

    def delete(self, path: str) -> None:
        for name in [*self.nodes]:
            if name == path or name.startswith(f"{path}/"):
                del self.nodes[name]

    def listing(self, path: str) -> list[dict[str, Any]]:
        """``FileStatus`` objects; of a file, its own without a name."""
        if self.nodes[path].length is not None:
            return [self._status("", self.nodes[path])]
        return [
            self._status(posixpath.basename(name), node)
            for name, node in sorted(self.nodes.items())
            if name != path and posixpath.dirname(name) == path
        ]

    def status(self, path: str) -> dict[str, Any]:
        """The ``FileStatus`` of one file or directory."""
        return self._status("", self.nodes[path])

    def _status(self, suffix: str, node: Node) -> dict[str, Any]:
        is_file = node.length is not None
        status = {
            "accessTime": node.modified if is_file else 0,
            "blockSize": 134217728 if is_file else 0,
            "childrenNum": 0,
            "group": "supergroup",
            "length": node.length or 0,
            "modificationTime": node.modified,
            "owner": "worker",
            "pathSuffix": suffix,
            "permission": node.permission,
            "replication": 1 if is_file else 0,
            "storagePolicy": 0,
            "type": "FILE" if is_file else "DIRECTORY",
        }
        return {**status, "fileId": node.id} if self.gives_ids else status


class DoubleNameNode:
    """The HTTP server of a name node; entering starts it."""

    def __init__(self, files: FileSystem) -> None:
        self.files = files
        self.demands_kerberos = False
        self.answer: web.Response | None = None  # to give once instead
        self._port = free_port()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        """Start."""
        app = web.Application()
        app.router.add_get("/webhdfs/v1{path:/.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.Response:
        if self.answer is not None:
            answer, self.answer = self.answer, None
            return answer
        path = request.match_info["path"]
        if self.demands_kerberos:
            return web.Response(
                status=401,
                headers={"WWW-Authenticate": "Negotiate"},
                text="<html>Authentication required</html>",
                content_type="text/html",
            )
        operation = request.query["op"]
        if operation not in ("LISTSTATUS", "GETFILESTATUS"):
            return refusal(400, "IllegalArgumentException", f"No op {operation}")
        if path not in self.files.nodes:
            return refusal(404, "FileNotFoundException", f"File {path} does not exist.", "java.io")
        if operation == "GETFILESTATUS":
            return web.json_response({"FileStatus": self.files.status(path)})
        return web.json_response({"FileStatuses": {"FileStatus": self.files.listing(path)}})


def refusal(status: int, kind: str, message: str, package: str = "java.lang") -> web.Response:
    """A ``RemoteException``."""
    return web.json_response(
        {
            "RemoteException": {
                "exception": kind,
                "javaClassName": f"{package}.{kind}",
                "message": message,
            }
        },
        status=status,
    )
