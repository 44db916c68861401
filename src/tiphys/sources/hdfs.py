"""HDFS: files that come, change and go in a directory of Hadoop (spec: event sources 9.4)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing

from pydantic import Field
from yarl import URL

from tiphys.aio import Clock
from tiphys.languages import LanguageError, durations
from tiphys.manifests.common import EXTENSION, TLS, ConfigMapRef, SecretRef, SourceConfig
from tiphys.sources._base import Incoming, Source, SourceContext, source
from tiphys.sources._shared.remembered import Difference, Remembered, State
from tiphys.sources._shared.rules import is_address, missing, tls_problems
from tiphys.sources._shared.watched import OPERATIONS, cleaned, matches, watched_problems
from tiphys.sources._shared.webhdfs import FileStatus, NameNodes, name_nodes
from tiphys.system import without_login

SECOND = 1_000_000_000  # nanoseconds
PORT = 9870  # of a name node's HTTP server
CHECK = 10.0  # seconds between questions whether the cluster is there, where walks are rarer
CREATE, WRITE, REMOVE, RENAME, CHMOD = OPERATIONS.values()


class Config(SourceConfig):
    """Which directory, and what about it."""

    directory: str = Field("", description="Absolute path of the directory.")
    path: str = Field("", description="The one relative path that counts.")
    path_regexp: str = Field(
        "", description="Regular expression; a path in which it matches anywhere counts."
    )
    type: str = Field(
        "",
        description="What must happen: `CREATE`, `WRITE`, `REMOVE`, `RENAME` or `CHMOD`, or "
        "several of them with `|` between.",
        examples=["CREATE|WRITE"],
    )
    check_interval: str = Field("", description="Pause between two looks; `1m` when empty.")
    addresses: list[str] = Field(
        [],
        description="The name nodes, as `host:port`; only the hosts count, unless `webAddresses` "
        "is given.",
        examples=[["namenode:8020"]],
    )
    web_addresses: list[str] = Field(
        [],
        description="The HTTP servers of the name nodes, as URLs; `http://<host>:9870` for each of "
        "`addresses` when empty.",
        examples=[["https://namenode:9871"]],
        json_schema_extra=EXTENSION,
    )
    tls: TLS | None = Field(
        None, description="TLS to servers with `https://`.", json_schema_extra=EXTENSION
    )
    hdfs_user: str = Field("", description="Name of the user, which the cluster believes.")
    krb_c_cache_secret: SecretRef | None = Field(
        None, description="Refused, Kerberos is not supported."
    )
    krb_keytab_secret: SecretRef | None = Field(
        None, description="Refused, Kerberos is not supported."
    )
    krb_username: str = Field("", description="Without effect, as is all about Kerberos.")
    krb_realm: str = Field("", description="Without effect.")
    krb_config_config_map: ConfigMapRef | None = Field(None, description="Without effect.")
    krb_service_principal_name: str = Field("", description="Without effect.")


@source("hdfs", delivery="at-least-once", replicas="one")
class HDFS(Source[Config]):
    """
    Walks a directory and what is below every now and then, over WebHDFS.

    What was seen is remembered in the store.  The first walk of all only shows that the directory
    can be read; the next one, an interval later, reports every file.
    """

    def check(self) -> list[str]:
        """What is wrong with the options."""
        config = self.config
        problems = missing(type=config.type, addresses=config.addresses or config.web_addresses)
        if config.type and not self._bits():
            problems.append(f"`type` names none of {', '.join(OPERATIONS)}")
        if config.krb_keytab_secret or config.krb_c_cache_secret:
            problems.append("Kerberos is not supported; a cluster that demands it cannot be used")
        elif not config.hdfs_user:
            problems.append("`hdfsUser` is missing")
        try:
            if self._interval() <= 0:
                problems.append("`checkInterval` must be more than nothing")
        except LanguageError as error:
            problems.append(f"`checkInterval`: {error}")
        problems += [f"`webAddresses`: {without_login(address)!r} is no URL, such as "
                     "http://namenode:9870"
                     for address in config.web_addresses if not _is_url(address)]  # fmt: skip
        if not config.web_addresses:
            problems += [f"`addresses`: {without_login(address)!r} is not host:port, such as "
                         "namenode:8020"
                         for address in config.addresses if not _has_host(address)]  # fmt: skip
        wrong = watched_problems(config)
        if not wrong and config.path:
            reported = f"{cleaned(config.directory).rstrip('/')}/{config.path}"
            if not matches(config, reported):
                wrong.append("`path` never matches unless `directory` ends with one slash")
        return problems + tls_problems(config.tls) + wrong

    async def events(self, ctx: SourceContext) -> AsyncIterator[Incoming]:
        """Compare each walk with what is remembered."""
        config, directory = self.config, cleaned(self.config.directory)
        tls = await ctx.tls(config.tls) if config.tls else None
        remembered = Remembered(ctx, f"HDFS{directory}")
        known = await remembered.load()
        async with name_nodes(self._servers(), config.hdfs_user, tls) as cluster:
            while True:
                files = await _look(cluster, directory, remembered.files)
                ctx.connected()
                if known:
                    found = remembered.report(differences(remembered.files, files), self._counts)
                    async with aclosing(found):
                        async for incoming in found:
                            yield incoming
                else:
                    await remembered.save()  # from now on nothing waits for its first time
                    known = True
                await self._rest(ctx.clock, cluster, directory)

    async def _rest(self, clock: Clock, cluster: NameNodes, directory: str) -> None:
        """Wait for the next walk; raise :exc:`SourceError` when the cluster goes meanwhile."""
        due = clock.monotonic() + self._interval()
        while (left := due - clock.monotonic()) > CHECK:
            await clock.sleep(CHECK)
            await cluster.check(directory)
        await clock.sleep(left)

    def _counts(self, difference: Difference) -> bool:
        return bool(difference.bits & self._bits()) and matches(self.config, difference.name)

    def _bits(self) -> int:
        """The operations that are asked for."""
        return sum(OPERATIONS.get(word, 0) for word in {*self.config.type.split("|")})

    def _interval(self) -> float:
        return durations.parse(self.config.check_interval or "1m") / SECOND

    def _servers(self) -> list[str]:
        if self.config.web_addresses:
            return self.config.web_addresses
        return [f"http://{_host(address)}:{PORT}" for address in self.config.addresses]


async def _look(
    cluster: NameNodes, directory: str, before: Mapping[str, State]
) -> dict[str, FileStatus]:
    """
    Walk, and once more when a file has gone or is in two places.

    What is renamed during a walk may be seen at both places or at neither, and would not be known
    as the same file the next time.
    """
    files = await cluster.walk(directory)
    ids = [file.id for file in files.values() if file.id]
    if before.keys() - files.keys() or len({*ids}) < len(ids):
        files = await cluster.walk(directory)
    return files


def differences(
    before: Mapping[str, State], after: Mapping[str, FileStatus]
) -> Iterator[Difference]:
    """
    What is new or was changed, the oldest change first, then what has gone.

    A file that was renamed is new under its new name, with the bit of RENAME, and gone under the
    old one.
    """
    gone = before.keys() - after.keys()
    moved = {before[path][0] for path in gone} - {0}
    for file in sorted(after.values(), key=lambda file: (file.modified, file.path)):
        state = (file.id, file.length, file.modified, file.permission)
        known = before.get(file.path)
        if known is None:
            bits = CREATE | (RENAME if file.id in moved else 0)
        else:
            bits = WRITE if known[1:3] != state[1:3] else 0
            bits |= CHMOD if known[3] != state[3] else 0
            bits |= WRITE if known[0] != state[0] else 0  # another file of the same name
        if bits:
            yield Difference(file.path, bits, state)
    for path in sorted(gone):
        yield Difference(path, REMOVE, None)


def _host(address: str) -> str:
    """What stands before the port."""
    return address.rpartition(":")[0] or address


def _has_host(address: str) -> bool:
    return "/" not in address and is_address(f"{_host(address)}:{PORT}")


def _is_url(address: str) -> bool:
    try:
        url = URL(address)
    except ValueError:
        return False
    return url.scheme in ("http", "https") and bool(url.host) and url.path == "/"
