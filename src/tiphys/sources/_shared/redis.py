"""What the sources ``redis`` and ``redisStream`` have in common."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping
from typing import Any

import structlog
from pydantic import Field, PrivateAttr
from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Connection, Redis

from tiphys.aio import finish
from tiphys.errors import ManifestError, SourceError
from tiphys.manifests.common import TLS, SecretRef, SourceConfig
from tiphys.sources._base import SourceContext
from tiphys.sources._shared.failures import CONNECT, lost, refused, unreachable
from tiphys.sources._shared.rules import missing, tls_problems
from tiphys.system import without_login

ANSWER = 5.0  # seconds for the answer to a command
log = structlog.get_logger("argo-events.eventsource")


class RedisServer(SourceConfig):
    """The server, and who asks."""

    host_address: str = Field(
        "", description="Host and port of the server.", examples=["redis:6379"]
    )
    username: str = Field("", description="ACL user; without effect when there is no password.")
    password: SecretRef | None = Field(None, description="Secret that holds the password.")
    db: int = Field(0, ge=0, description="Number of the database.")
    tls: TLS | None = Field(None, description="TLS to the server.")
    _warned: bool = PrivateAttr(False)


def server_problems(server: RedisServer) -> list[str]:
    """What is wrong with the address or the TLS block."""
    problems = missing(hostAddress=server.host_address)
    if not problems:
        try:
            _address(server)
        except ManifestError as error:
            problems.append(f"`{error.path}`: {error.message}")
    return problems + tls_problems(server.tls)


@contextlib.asynccontextmanager
async def connected(
    server: RedisServer, ctx: SourceContext, *, decode: bool
) -> AsyncIterator[Redis]:
    """
    A client of at most two connections; *decode*: answers are texts, not bytes.

    Whatever the client raises inside becomes a :exc:`SourceError`.  Behind, it does nothing more.
    """
    service = f"Redis at {server.host_address}"
    pool = _Pool(2, **await _options(server, ctx, decode))
    client = Redis.from_pool(pool)
    try:
        try:
            async with asyncio.timeout(CONNECT):
                await client.ping()
        except exceptions.AuthenticationError as error:
            raise refused(service, error) from error
        except (exceptions.ConnectionError, exceptions.TimeoutError, TimeoutError) as error:
            raise unreachable(service, error) from error
        yield client
    except (exceptions.ConnectionError, exceptions.TimeoutError) as error:
        raise lost(service, error) from error
    except exceptions.RedisError as error:
        raise SourceError(f"{service} does not do what it is asked for: {error}") from error
    finally:
        pool.closed = True
        await finish(client.aclose())


class _Pool(BlockingConnectionPool):
    """Makes no connection that nobody would close, for an event that is stored too late."""

    closed = False

    async def get_connection(self, *arguments: Any, **options: Any) -> Any:
        if self.closed:
            raise exceptions.ConnectionError("the connection was given up")
        return await super().get_connection(*arguments, **options)  # type: ignore[no-untyped-call]


class _TLSConnection(Connection):
    """The library's own TLS connection reads certificates from files only."""

    def __init__(self, *, context: ssl.SSLContext, **options: Any) -> None:
        super().__init__(**options)
        self._context = context

    def _connection_arguments(self) -> Mapping[str, Any]:
        return {**super()._connection_arguments(), "ssl": self._context}


async def _options(server: RedisServer, ctx: SourceContext, decode: bool) -> dict[str, Any]:
    host, port = _address(server)
    password = await ctx.maybe_secret(server.password)
    if server.username and not password:
        _warn(server, ctx)
    options: dict[str, Any] = {
        "host": host,
        "port": port,
        "db": server.db,
        "username": server.username if password and server.username else None,
        "password": password,
        "protocol": 2,  # which every version of the server speaks
        "driver_info": None,  # old versions do not know the command that tells it
        "decode_responses": decode,
        "encoding_errors": "replace",
        "socket_timeout": ANSWER,
        "socket_connect_timeout": CONNECT,
    }
    if server.tls is not None:
        options |= {"connection_class": _TLSConnection, "context": await ctx.tls(server.tls)}
    return options


def _warn(server: RedisServer, ctx: SourceContext) -> None:
    """Say once, and not with every connection, that the user named is not the one who connects."""
    if not server._warned:
        server._warned = True
        log.warning(
            "`username` has no effect without `password`, the default user connects",
            eventSourceName=ctx.event_source,
            eventName=ctx.event_name,
            username=server.username,
        )


def _address(server: RedisServer) -> tuple[str, int]:
    host, colon, port = server.host_address.rpartition(":")
    if not colon or "@" in host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ManifestError(
            f"{without_login(server.host_address)!r} is no address; write host:port, such as "
            "redis:6379",
            path="hostAddress",
        )
    return host.strip("[]") or "localhost", int(port)
