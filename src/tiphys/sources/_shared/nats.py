"""One connection to a NATS server: made once, and given up when it breaks."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import random
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import nats.errors
from nats.aio.client import Client, RawCredentials
from nats.aio.msg import Msg

from tiphys.errors import SourceError
from tiphys.sources._shared.closing import finish
from tiphys.sources._shared.failures import CONNECT, lost, refused, unreachable

READ_AHEAD = 1000  # messages that are read and not yet asked for; nats-py keeps more behind them
PING = 10  # seconds between questions whether the server is there; it may miss two
CHECK = 1.0  # seconds between looks at the state, for what nats-py tells nobody
_HEADER_LINE = b"NATS/1.0"
_REFUSALS = ("authorization violation", "authentication", "permissions violation")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Who connects; the values are secret."""

    user: str | None = dataclasses.field(default=None, repr=False)
    password: str | None = dataclasses.field(default=None, repr=False)
    token: str | None = dataclasses.field(default=None, repr=False)
    seed: str | None = dataclasses.field(default=None, repr=False)
    credentials: str | None = dataclasses.field(default=None, repr=False)

    def options(self) -> dict[str, Any]:
        """The arguments of nats-py."""
        raw = self.credentials
        return {
            "user": self.user,
            "password": self.password,
            "token": self.token,
            "nkeys_seed_str": self.seed,
            "user_credentials": RawCredentials(raw) if raw is not None else None,
        }


class Connection(Client):
    """
    A client of nats-py that keeps its secrets to itself without TLS, and all values of headers.

    *demands_tls*: the server must offer TLS; nats-py would go on in plain text.
    """

    def __init__(self, *, demands_tls: bool) -> None:
        super().__init__()
        self._demands_tls = demands_tls
        self.arrived: asyncio.Queue[Msg | Exception] = asyncio.Queue(READ_AHEAD)
        self.dropped = 0
        self.failure: Exception | None = None
        self.ended = asyncio.Event()

    async def receive(self, message: Msg) -> None:
        """Called by nats-py for each message; waiting here makes it keep those that follow."""
        await self.arrived.put(message)

    async def on_error(self, error: Exception) -> None:
        """Called by nats-py for errors that have no caller."""
        if isinstance(error, nats.errors.SlowConsumerError):
            self.dropped += 1
            return
        self.failure = error
        if "permissions violation" in str(error).lower():
            self.ended.set()

    async def on_closed(self) -> None:
        """Called by nats-py when the connection broke."""
        self.ended.set()

    def _connect_command(self) -> bytes:
        # The last moment before the credentials go out, and the only one at which the server's
        # offer is known.
        if self._demands_tls and not self._server_info.get("tls_required"):
            raise nats.errors.SecureConnWantedError
        command: bytes = super()._connect_command()
        return command

    async def _process_headers(self, headers: bytes) -> Any:
        # nats-py keeps one value of each header.
        return parse_headers(headers)


@contextlib.asynccontextmanager
async def connected(
    servers: Sequence[str], login: Login, context: ssl.SSLContext | None
) -> AsyncIterator[Connection]:
    """
    Connect to one of *servers*, in any order; *context* is there when TLS must be.

    Raises :exc:`SourceError`.
    """
    service = f"NATS at {', '.join(map(_without_login, servers))}"
    demands_tls = context is not None or any(s.startswith("tls://") for s in servers)
    client = Connection(demands_tls=demands_tls)
    try:
        try:
            async with asyncio.timeout(CONNECT):
                await client.connect(
                    servers=random.sample(list(servers), len(servers)),
                    name="tiphys",
                    error_cb=client.on_error,
                    closed_cb=client.on_closed,
                    allow_reconnect=False,
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0,
                    connect_timeout=max(1, int(CONNECT) // len(servers)),
                    ping_interval=PING,
                    tls=context or ssl.create_default_context(),
                    **login.options(),
                )
        except (OSError, nats.errors.Error, TimeoutError) as error:
            cause = _cause(error, client)
            if any(word in str(cause).lower() for word in _REFUSALS):
                raise refused(service, _plain(cause)) from error
            raise unreachable(service, cause) from error
        except ValueError as error:  # a seed or credentials that are none
            raise SourceError(f"the credentials for {service} cannot be used: {error}") from error
        yield client
        # Whoever uses the connection leaves it without an error when it ended.
        failure = client.failure or nats.errors.UnexpectedEOF()
        if any(word in str(failure).lower() for word in _REFUSALS):
            raise refused(service, _plain(failure))
        raise lost(service, failure)
    finally:
        await finish(_discard(client))


async def messages(client: Connection) -> AsyncIterator[Msg]:
    """The messages of all subscriptions, until the connection ends."""
    while True:
        if client.arrived.empty() and (client.ended.is_set() or not client.is_connected):
            return
        try:
            async with asyncio.timeout(CHECK):
                message = await _first(client)
        except TimeoutError:
            continue
        if message is not None:
            yield message
