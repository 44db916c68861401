"""
Name nodes of Hadoop, as far as WebHDFS lists directories, on the loopback.

Written from Hadoop's documentation of the WebHDFS REST API (``LISTSTATUS``, its JSON schemas, and
the table of HTTP response codes).
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import posixpath
import ssl
from typing import Any

from aiohttp import web

from tests._ports import free_port

USER = "worker"  # to whom everything belongs


@dataclasses.dataclass
class Node:
    """A file, or a directory if *length* is None."""

    id: int
    length: int | None
    modified: int
    permission: str


class FileSystem:
    """The files that name nodes share."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.gives_ids = True
        self._ids = itertools.count(16386)
        self._now = itertools.count(1_795_660_000_000, 1000)
        self.mkdir("/")

    def mkdir(self, path: str) -> None:
        self.nodes[path] = Node(next(self._ids), None, next(self._now), "755")

    def write(self, path: str, length: int = 1) -> None:
        node = self.nodes.get(path)
        if node is None:
            self.nodes[path] = Node(next(self._ids), length, next(self._now), "644")
        else:
            node.length, node.modified = length, next(self._now)

    def chmod(self, path: str, permission: str) -> None:
        self.nodes[path].permission = permission

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

    def _status(self, suffix: str, node: Node) -> dict[str, Any]:
        is_file = node.length is not None
        status = {
            "accessTime": node.modified if is_file else 0,
            "blockSize": 134217728 if is_file else 0,
            "childrenNum": 0,
            "group": "supergroup",
            "length": node.length or 0,
            "modificationTime": node.modified,
            "owner": USER,
            "pathSuffix": suffix,
            "permission": node.permission,
            "replication": 1 if is_file else 0,
            "storagePolicy": 0,
            "type": "FILE" if is_file else "DIRECTORY",
        }
        return {**status, "fileId": node.id} if self.gives_ids else status


class NameNode:
    """The HTTP server of a name node; with *tls* it speaks TLS."""

    def __init__(self, files: FileSystem, tls: ssl.SSLContext | None = None) -> None:
        self.files = files
        self.port = free_port()
        self.on_standby = False
        self.demands_kerberos = False
        self.answer: web.Response | None = None  # to give once instead
        self.walks: list[str] = []  # the directories that were listed
        self._tls = tls
        self._going_on = asyncio.Event()
        self._going_on.set()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/webhdfs/v1{path:/.*}", self._list)
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self._tls).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def pause(self) -> None:
        self._going_on.clear()

    def resume(self) -> None:
        self._going_on.set()

    async def _list(self, request: web.Request) -> web.Response:
        await self._going_on.wait()
        if self.answer is not None:
            answer, self.answer = self.answer, None
            return answer
        path, user = request.match_info["path"], request.query.get("user.name", "dr.who")
        if self.demands_kerberos:
            return web.Response(
                status=401,
                headers={"WWW-Authenticate": "Negotiate"},
                text="<html>Authentication required</html>",
                content_type="text/html",
            )
        if request.query["op"] != "LISTSTATUS":
            return refusal(400, "IllegalArgumentException", f"No op {request.query['op']}")
        if self.on_standby:
            text = "Operation category READ is not supported in state standby."
            return refusal(403, "StandbyException", text, "org.apache.hadoop.ipc")
        if user != USER:
            text = (
                f"Permission denied: user={user}, access=READ_EXECUTE, "
                f'inode="{path}":{USER}:supergroup:drwx------\n\tat org.apache.hadoop.hdfs'
            )
            return refusal(403, "AccessControlException", text, "org.apache.hadoop.security")
        if path not in self.files.nodes:
            return refusal(404, "FileNotFoundException", f"File {path} does not exist.", "java.io")
        self.walks.append(path)
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
