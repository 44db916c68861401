"""Hadoop on the loopback: name nodes, a data node, and a client that changes what they store."""

from __future__ import annotations

import asyncio
import getpass
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import quote
from xml.sax.saxutils import escape

import aiohttp
import pytest
from yarl import URL

from tests._ports import free_port
from tests.integration._certificates import Pair
from tests.integration._servers import PATIENCE, Server, binary

JARS = Path(__file__).parents[2] / ".venv/share/hadoop"  # from install_services.sh, as the next
JERSEY = [
    Path(f"/usr/share/java/{name}.jar")
    for name in ("jersey1-core", "jersey1-server", "jersey1-servlet", "jsr311-api", "asm-all")
]
STATE = "/jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState"
SUPERUSER = getpass.getuser()  # in HDFS that is who started the name node
PASSWORD = "changeit"  # of the key store
NO_PAGES = '<web-app xmlns="http://java.sun.com/xml/ns/javaee" version="2.4"/>'
LOGGING = """
log4j.rootLogger=WARN,console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%d %p %c: %m%n
log4j.logger.org.apache.hadoop.hdfs.server.namenode.FSNamesystem.audit=INFO,audit
log4j.additivity.org.apache.hadoop.hdfs.server.namenode.FSNamesystem.audit=false
log4j.appender.audit=org.apache.log4j.FileAppender
log4j.appender.audit.File=${audit}
log4j.appender.audit.layout=org.apache.log4j.PatternLayout
log4j.appender.audit.layout.ConversionPattern=%m%n
"""


class _Node(Server):
    """A process of Hadoop, with its configuration in its directory."""

    program = "java"
    main: ClassVar[str]

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.web = free_port()

    def properties(self) -> dict[str, object]:
        """What the configuration says."""
        return {"hadoop.tmp.dir": self.directory / "tmp", "dfs.replication": 1}

    def arguments(self) -> Sequence[str | Path]:
        self.configure()
        return self.java(self.main)

    def configure(self) -> None:
        """Write the configuration."""
        for application in ("hdfs", "datanode", "static"):  # the jars lack their pages
            inside = self._configuration / "webapps" / application / "WEB-INF"
            inside.mkdir(parents=True, exist_ok=True)
            (inside / "web.xml").write_text(NO_PAGES)
        for name in ("core-site.xml", "hdfs-site.xml"):
            (self._configuration / name).write_text(_xml(self.properties()))
        (self._configuration / "log4j.properties").write_text(LOGGING)

    @property
    def audit(self) -> Path:
        """A line for each thing that a user asked of a name node."""
        return self.directory / "audit.log"

    def java(self, main: str) -> list[str | Path]:
        """The arguments of Java that run a program of Hadoop."""
        jars = [*sorted(JARS.glob("*.jar")), *JERSEY]
        if not JARS.is_dir() or not all(jar.exists() for jar in jars):
            pytest.fail("Hadoop is not installed; run: make services")
        return [
            *("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
            *("-Djava.net.preferIPv4Stack=true", f"-Daudit={self.audit}"),
            "-Dfile.encoding=UTF-8",  # of names, whatever the language of who runs the tests
            # Hadoop 2 looks at Kerberos by reflection, also where there is none.
            *("--add-opens", "java.security.jgss/sun.security.krb5=ALL-UNNAMED"),
            *("-cp", ":".join(map(str, [self._configuration, *jars])), main),
        ]

    @property
    def _configuration(self) -> Path:
        return self.directory / "conf"


class NameNode(_Node):
    """
    A name node with WebHDFS, plain and with TLS.

    Whoever starts it is the superuser; others are who they say they are.  *options* are
    properties of the configuration.
    """

    main = "org.apache.hadoop.hdfs.server.namenode.NameNode"

    def __init__(
        self, directory: Path, certificate: Pair, options: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(directory)
        self.options = dict(options or {})
        self._secure = free_port()
        self._certificate = certificate

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        # A name, since clients keep no cookies of addresses, and Hadoop sends one.
        return f"http://localhost:{self.web}"

    @property
    def secure_url(self) -> str:
        return f"https://127.0.0.1:{self._secure}"

    def properties(self) -> dict[str, object]:
        return {
            **super().properties(),
            "fs.defaultFS": f"hdfs://{self.address}",
            "dfs.namenode.name.dir": f"file://{self.directory}/name",
            "dfs.namenode.http-address": f"127.0.0.1:{self.web}",
            "dfs.namenode.https-address": f"127.0.0.1:{self._secure}",
            "dfs.namenode.safemode.extension": 0,
            "dfs.namenode.edits.noeditlogchannelflush": True,  # it dies, the machine does not
            "dfs.ls.limit": 20,  # at a time; a listing has it all, and each time is in the audit
            # It would ask for the name of 127.0.0.1.
            "dfs.namenode.datanode.registration.ip-hostname-check": False,
            "dfs.http.policy": "HTTP_AND_HTTPS",
            **self.options,
        }

    def configure(self) -> None:
        super().configure()
        store = self.directory / "keys.p12"
        secrets = {
            "ssl.server.keystore.type": "pkcs12",
            "ssl.server.keystore.location": store,
            "ssl.server.keystore.password": PASSWORD,
            "ssl.server.keystore.keypassword": PASSWORD,
        }
        (self._configuration / "ssl-server.xml").write_text(_xml(secrets))
        if not store.exists():
            certificate, key = self._certificate
            subprocess.run(
                [
                    *("openssl", "pkcs12", "-export", "-passout", f"pass:{PASSWORD}"),
                    *("-in", certificate, "-inkey", key, "-out", store),
                ],
                check=True,
                capture_output=True,
            )

    def format(self) -> None:
        """Make a file system that is empty."""
        self.configure()
        self._do(self.main, "-format", "-nonInteractive")

    def activate(self) -> None:
        """Be the active one of two, if the other is gone; returns when files can be written."""
        name = str(self.options["dfs.ha.namenode.id"])
        program = "org.apache.hadoop.hdfs.tools.DFSHAAdmin"
        self._do(program, "-transitionToActive", "--forceactive", name)
        self.wait_for_data_node()

    def wait_for_data_node(self) -> None:
        """Return when the data node has said that it is there."""
        deadline = time.monotonic() + PATIENCE
        while not self.state().get("NumLiveDataNodes"):
            if time.monotonic() > deadline:
                pytest.fail(f"no data node comes to {self.url}")
            time.sleep(0.02)

    def answers(self) -> bool:
        """Whether what is stored is read, and can be changed."""
        return super().answers() and self.state().get("FSState") == "Operational"

    def state(self) -> dict[str, Any]:
        """What it says of itself; nothing while it begins or ends."""
        try:
            with urllib.request.urlopen(f"{self.url}{STATE}", timeout=5) as answer:
                beans: list[dict[str, Any]] = json.load(answer)["beans"]
        except OSError:
            return {}
        return beans[0] if beans else {}

    def _do(self, main: str, *arguments: str) -> None:
        command = [binary(self.program), *self.java(main), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.directory)
        if done.returncode:
            pytest.fail(f"{main} {arguments}:\n{done.stderr[-2000:]}")


class DataNode(_Node):
    """A data node, which keeps the contents of the files of a name node."""

    main = "org.apache.hadoop.hdfs.server.datanode.DataNode"

    def __init__(self, directory: Path, names: NameNode) -> None:
        super().__init__(directory)
        self._names = names
        self._ipc = free_port()

    def properties(self) -> dict[str, object]:
        return {
            **super().properties(),
            "fs.defaultFS": f"hdfs://{self._names.address}",
            "dfs.datanode.data.dir": f"file://{self.directory}/blocks",
            "dfs.datanode.hostname": "127.0.0.1",
            "dfs.datanode.address": f"127.0.0.1:{self.port}",
            "dfs.datanode.http.address": f"127.0.0.1:{self.web}",
            "dfs.datanode.ipc.address": f"127.0.0.1:{self._ipc}",
            # It must notice soon that the name node was restarted.
            "dfs.heartbeat.interval": 1,
            "ipc.client.connect.retry.interval": 100,
            **self._names.options,
        }


class Hadoop:
    """A name node and a data node; to start and to stop it means the name node."""

    def __init__(self, directory: Path, certificate: Pair) -> None:
        self.names = NameNode(directory / "name-node", certificate)
        self.data = DataNode(directory / "data-node", self.names)

    def start(self) -> None:
        """Start the name node; returns when files can be written."""
        self.names.start()
        self.names.wait_for_data_node()

    def stop(self) -> None:
        """End the name node."""
        self.names.stop()

    def __enter__(self) -> Self:
        """Make a new file system, and start; nothing is left behind when that fails."""
        try:
            self.make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def make(self) -> None:
        """Make a new file system, and start."""
        self.names.format()
        self.names.start()
        self.data.start()
        self.names.wait_for_data_node()

    def __exit__(self, *_: object) -> None:
        """Stop everything."""
        self.names.stop()
        self.data.stop()


class HighlyAvailableHadoop(Hadoop):
    """Hadoop with another name node; both are on standby until one is activated."""

    def __init__(self, directory: Path, certificate: Pair) -> None:
        super().__init__(directory, certificate)
        self.other = NameNode(directory / "other", certificate)
        nodes = {"one": self.names, "other": self.other}
        options: dict[str, object] = {
            "dfs.nameservices": "both",
            "dfs.ha.namenodes.both": ",".join(nodes),
            "dfs.namenode.shared.edits.dir": f"file://{directory}/edits",
            "dfs.client.failover.proxy.provider.both": (
                "org.apache.hadoop.hdfs.server.namenode.ha.ConfiguredFailoverProxyProvider"
            ),
        }
        for name, node in nodes.items():
            options[f"dfs.namenode.rpc-address.both.{name}"] = node.address
            options[f"dfs.namenode.http-address.both.{name}"] = f"127.0.0.1:{node.web}"
        for name, node in nodes.items():
            node.options = {**options, "dfs.ha.namenode.id": name}

    def make(self) -> None:
        """Make a new file system, and start."""
        self.names.format()
        shutil.copytree(self.names.directory / "name", self.other.directory / "name")
        for node in (self.names, self.other, self.data):
            node.start()

    def __exit__(self, *_: object) -> None:
        """Stop everything."""
        super().__exit__()
        self.other.stop()


class Files:
    """What *user* may do with the files of a name node, over WebHDFS."""

    def __init__(self, names: NameNode, user: str = SUPERUSER) -> None:
        self._names = names
        self._user = user

    async def mkdir(self, path: str, permission: str = "755") -> None:
        await self._do("PUT", path, "MKDIRS", permission=permission)

    async def write(self, path: str, content: bytes = b"") -> None:
        """
        Make a file, in place of the one that may be there.

        One with content takes 0.4 seconds, for which Hadoop sleeps.
        """
        await self._do("PUT", path, "CREATE", content, overwrite="true")

    async def append(self, path: str, content: bytes) -> None:
        await self._do("POST", path, "APPEND", content)

    async def touch(self, path: str, modified: int) -> None:
        """Set the time of the last change, in milliseconds."""
        await self._do("PUT", path, "SETTIMES", modificationtime=str(modified))

    async def chmod(self, path: str, permission: str) -> None:
        await self._do("PUT", path, "SETPERMISSION", permission=permission)

    async def chown(self, path: str, owner: str) -> None:
        await self._do("PUT", path, "SETOWNER", owner=owner)

    async def rename(self, path: str, new: str) -> None:
        await self._do("PUT", path, "RENAME", destination=new)

    async def delete(self, path: str) -> None:
        await self._do("DELETE", path, "DELETE", recursive="true")

    @asynccontextmanager
    async def writing(self, path: str) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """Begin a file; it is open until what is yielded was called."""
        going_on = asyncio.Event()

        async def content() -> AsyncIterator[bytes]:
            yield b"begun, "
            await going_on.wait()
            yield b"complete"

        task = asyncio.create_task(self._do("PUT", path, "CREATE", content()))

        async def finish() -> None:
            going_on.set()
            await task

        try:
            yield finish
        finally:
            await finish()

    async def _do(
        self,
        method: str,
        path: str,
        operation: str,
        content: bytes | AsyncIterator[bytes] | None = None,
        **query: str,
    ) -> None:
        url = URL(f"{self._names.url}/webhdfs/v1{quote(path)}", encoded=True)
        url = url.with_query({"op": operation, "user.name": self._user, **query})
        async with aiohttp.ClientSession() as session:
            async with session.request(method, url, allow_redirects=False) as answer:
                body = await answer.read()
            if content is not None:  # which goes to the data node that the name node names
                assert answer.status == 307, body
                octets = {"Content-Type": "application/octet-stream"}
                where = URL(answer.headers["Location"], encoded=True)
                async with session.request(method, where, data=content, headers=octets) as answer:
                    body = await answer.read()
            assert answer.status in (200, 201), body
            assert body != b'{"boolean":false}', f"{operation} {path}"


def _xml(properties: Mapping[str, object]) -> str:
    """A configuration as Hadoop reads it."""
    lines = [
        f"<property><name>{name}</name><value>{escape(_text(value))}</value></property>"
        for name, value in properties.items()
    ]
    return "\n".join(["<configuration>", *lines, "</configuration>"])


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
