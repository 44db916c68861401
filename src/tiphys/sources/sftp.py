"""SFTP: files that come and go in a directory of a server (spec: event sources 9.3)."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing
from typing import Any

import asyncssh
from pydantic import Field

from tiphys.aio import Clock, finish
from tiphys.errors import SourceError
from tiphys.languages import LanguageError, durations
from tiphys.manifests.common import EXTENSION, ConfigMapRef, SecretRef, SourceConfig
from tiphys.sources._base import Incoming, Source, SourceContext, source
from tiphys.sources._shared.failures import CONNECT, lost, refused, unreachable
from tiphys.sources._shared.remembered import Difference, Remembered, State
from tiphys.sources._shared.rules import missing
from tiphys.sources._shared.watched import OPERATIONS, WatchPath, matches, watched_problems
from tiphys.sources._waiting import end, first

ANSWER = 20.0  # seconds for a listing
KEEPALIVE = 15.0  # seconds after which a silent server is asked whether it is there
SECOND = 1_000_000_000  # nanoseconds
EVENT_TYPES = ("CREATE", "REMOVE")
_PRIVATE_KEY = re.compile(r"-----BEGIN [^-]+-----.*?-----END [^-]+-----\s*", re.DOTALL)


class Config(SourceConfig):
    """Which directory of which server, and who asks."""

    address: SecretRef | None = Field(None, description="Secret that holds `host:port`.")
    username: SecretRef | None = Field(None, description="Secret that holds the user's name.")
    password: SecretRef | None = Field(None, description="Secret that holds the password.")
    ssh_key_secret: SecretRef | None = Field(
        None,
        description="Secret that holds the private key, PEM, and behind it the public key of the "
        "server; it is used instead of the password.",
    )
    known_hosts: ConfigMapRef | None = Field(
        None,
        description="ConfigMap that holds the public keys of servers, as in a `known_hosts` file; "
        "required with a password.",
        json_schema_extra=EXTENSION,
    )
    watch_path_config: WatchPath = Field(
        WatchPath(), description="The directory, and which names in it count."
    )
    event_type: str = Field(
        "",
        description="`CREATE`: a file is new or was changed; `REMOVE`: it has gone.",
        examples=["CREATE"],
    )
    poll_interval_duration: str = Field(
        "", description="Pause between two listings; `10s` when empty.", examples=["30s"]
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Server:
    """Where the server is, how to know it, and who we are."""

    host: str
    port: int
    options: Mapping[str, Any]

    def __str__(self) -> str:
        return f"SFTP at {self.host}:{self.port}"


@source("sftp", delivery="at-least-once", replicas="one")
class SFTP(Source[Config]):
    """
    Lists a directory every now and then, not what is below.

    What was seen is remembered in the store.  The first listing of all gives no events.
    """

    def check(self) -> list[str]:
        """What is wrong with the options."""
        config = self.config
        problems = missing(
            address=config.address, username=config.username, eventType=config.event_type
        )
        if not (config.password or config.ssh_key_secret):
            problems.append("either `password` or `sshKeySecret` must be given")
        elif not (config.ssh_key_secret or config.known_hosts):
            problems.append(
                "`knownHosts` is missing: without the server's public key the password would go "
                "to whoever answers; `ssh-keyscan <host>` shows it"
            )
        if config.event_type and config.event_type not in EVENT_TYPES:
            problems.append("`eventType` must be CREATE or REMOVE")
        try:
            if config.poll_interval_duration and self._interval() <= 0:
                problems.append("`pollIntervalDuration` must be more than nothing")
        except LanguageError as error:
            problems.append(f"`pollIntervalDuration`: {error}")
        return problems + watched_problems(config.watch_path_config, "watchPathConfig.")

    async def events(self, ctx: SourceContext) -> AsyncIterator[Incoming]:
        """Compare each listing with what is remembered."""
        directory = self.config.watch_path_config.directory
        server = await self._server(ctx)
        remembered = Remembered(ctx, f"{server}{directory}")
        known = await remembered.load()
        async with connected(server) as client:
            while True:
                files = await listing(client, server, directory)
                if known:
                    found = remembered.report(differences(remembered.files, files), self._counts)
                    async with aclosing(found):
                        async for incoming in found:
                            yield incoming
                else:
                    remembered.files, known = files, True
                    await remembered.save()
                ctx.connected()  # not before what the first listing saw is kept
                await rest(ctx.clock, self._interval(), client, server)

    def _counts(self, difference: Difference) -> bool:
        config = self.config
        return difference.bits == OPERATIONS[config.event_type] and matches(
            config.watch_path_config, difference.name
        )

    def _interval(self) -> float:
        return durations.parse(self.config.poll_interval_duration or "10s") / SECOND

    async def _server(self, ctx: SourceContext) -> Server:
        config = self.config
        address = (await ctx.maybe_secret(config.address) or "").strip()
        host, colon, port = address.rpartition(":")
        valid = bool(colon and host) and port.isdecimal() and 0 < int(port) < 65536
        if not valid or "@" in host:  # whatever else it holds is not for everybody's eyes
            raise SourceError("the secret of `address` must hold host:port")
        options: dict[str, Any] = {"username": await ctx.maybe_secret(config.username)}
        known = await ctx.config_map(config.known_hosts) if config.known_hosts else None
        if config.ssh_key_secret is not None:
            key, expected = keys_of(await ctx.secret(config.ssh_key_secret), known is not None)
            options |= {"client_keys": [key], "known_hosts": ([expected], [], [])}
        else:
            password = await ctx.maybe_secret(config.password)
            options |= {"client_keys": None, "password": password}
        if known is not None:
            options["known_hosts"] = known_hosts(known)
        return Server(host.strip("[]"), int(port), options)


def keys_of(text: str, only_private: bool) -> tuple[asyncssh.SSHKey, asyncssh.SSHKey | None]:
    """
    Our private key, and the public key of the server behind it, unless there is another way.

    Raises :exc:`SourceError`, without a word of what the text holds.
    """
    pem = _PRIVATE_KEY.search(text)
    if pem is None:
        raise SourceError("the secret of `sshKeySecret` holds no private key in PEM")
    try:
        key = asyncssh.import_private_key(pem[0])
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        raise SourceError(f"the private key of `sshKeySecret` cannot be used: {error}") from None
    if only_private:
        return key, None
    try:
        return key, asyncssh.import_public_key((text[: pem.start()] + text[pem.end() :]).strip())
    except asyncssh.KeyImportError:
        raise SourceError(
            "the secret of `sshKeySecret` holds no public key of the server behind the private "
            "key; add one, or use `knownHosts`"
        ) from None


def known_hosts(text: str) -> asyncssh.SSHKnownHosts:
    """The keys of servers; raises :exc:`SourceError`."""
    try:
        return asyncssh.import_known_hosts(text)
    except ValueError as error:
        raise SourceError(f"the text of `knownHosts` cannot be read: {error}") from error


@contextlib.asynccontextmanager
async def connected(server: Server) -> AsyncIterator[asyncssh.SFTPClient]:
    """A session; whatever the library raises becomes a :exc:`SourceError`."""
    async with contextlib.AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(CONNECT):
                connection = await asyncssh.connect(
                    server.host,
                    server.port,
                    config=None,  # nothing of this machine's user is of any concern
                    agent_path=None,
                    keepalive_interval=KEEPALIVE,
                    **server.options,
                )
                stack.push_async_callback(_close, connection)
                client = await connection.start_sftp_client(path_errors="surrogateescape")
        except asyncssh.PermissionDenied as error:
            raise refused(str(server), error.reason) from error
        except asyncssh.HostKeyNotVerifiable as error:
            raise SourceError(f"{server} shows a key that is not the expected one") from error
        except (asyncssh.Error, OSError) as error:
            raise unreachable(str(server), error) from error
        with _translated(server):
            yield client


async def _close(connection: asyncssh.SSHClientConnection) -> None:
    connection.abort()
    await finish(connection.wait_closed())


@contextlib.contextmanager
def _translated(server: Server) -> Iterator[None]:
    try:
        yield
    except (asyncssh.DisconnectError, asyncssh.ChannelOpenError, OSError) as error:
        raise lost(str(server), error) from error


async def rest(clock: Clock, seconds: float, client: asyncssh.SFTPClient, server: Server) -> None:
    """Wait; raise :exc:`SourceError` when the session ends meanwhile."""
    resting = asyncio.create_task(clock.sleep(seconds))
    ended = asyncio.create_task(client.wait_closed())
    try:
        await first(resting, ended)
        if ended.done():
            raise lost(str(server), ConnectionError("it was closed"))
    finally:
        await end([resting, ended])


async def listing(client: asyncssh.SFTPClient, server: Server, directory: str) -> dict[str, State]:
    """
    Size and time of change of everything in *directory* that is no directory.

    Raises :exc:`SourceError`, and :exc:`TimeoutError` after :data:`ANSWER` seconds.
    """
    # In a task of its own: when it is cancelled, the library waits for the server once more.
    looking = asyncio.create_task(_looked(client, directory))
    try:
        await asyncio.wait([looking], timeout=ANSWER)
        if not looking.done():
            raise TimeoutError
        return looking.result()
    except asyncssh.SFTPConnectionLost as error:
        raise lost(str(server), error) from error
    except asyncssh.SFTPError as error:
        raise SourceError(f"{server} does not list {directory!r}: {error.reason}") from error
    finally:
        await end([looking])


async def _looked(client: asyncssh.SFTPClient, directory: str) -> dict[str, State]:
    files: dict[str, State] = {}
    async for entry in client.scandir(directory):
        attributes = entry.attrs
        if attributes.type != asyncssh.FILEXFER_TYPE_DIRECTORY:
            files[str(entry.filename)] = (attributes.size or 0, attributes.mtime or 0)
    return files


def differences(before: Mapping[str, State], after: Mapping[str, State]) -> Iterator[Difference]:
    """What has gone, then what is new or was changed, the oldest change first."""
    for name in sorted(before.keys() - after.keys()):
        yield Difference(name, OPERATIONS["REMOVE"], None)
    fresh = [name for name, state in after.items() if before.get(name) != state]
    for name in sorted(fresh, key=lambda name: (after[name][1], name)):
        yield Difference(name, OPERATIONS["CREATE"], after[name])
