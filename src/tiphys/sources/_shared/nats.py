"""One connection to a NATS server: made once, and given up when it breaks."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import random
import re
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any
from urllib.parse import SplitResult, urlsplit

import nats.errors
from nats.aio.client import Client, RawCredentials
from nats.aio.msg import Msg

from tiphys.aio import finish
from tiphys.errors import MissingExtraError, SourceError
from tiphys.sources._shared.failures import CONNECT, lost, refused, unreachable

READ_AHEAD = 1000  # messages that are read and not yet asked for; nats-py keeps more behind them
PENDING_BYTES = 64 << 20  # what nats-py keeps of a subscription; more is dropped
PING = 10  # seconds between questions whether the server is there; it may miss two
SILENT = 60  # seconds without any answer, at the latest, after which it is not
CHECK = 1.0  # seconds between looks at the state, for what nats-py tells nobody
UNREADABLE = "the server sent what cannot be read"
PLAIN, WEB = ("nats", "tls"), ("ws", "wss")  # schemes of servers
_BLANK = re.compile(r"\s")
_REFUSALS = ("authorization", "authentication", "permissions violation", "expired")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Login:
    """Who connects, in one of the ways; raises :exc:`SourceError` for what is no key at all."""

    user: str | None = None
    password: str | None = None
    token: str | None = None
    seed: str | None = None
    credentials: str | None = None

    def __post_init__(self) -> None:
        """Check what nats-py would choke on."""
        if self.credentials is not None:
            lines = self.credentials.splitlines()
            _check_seed("credential", _behind("-----BEGIN USER NKEY SEED", lines))
            _behind("-----BEGIN NATS USER JWT", lines)
        if self.seed is not None:
            _check_seed("nkey", self.seed)

    def options(self) -> dict[str, Any]:
        """The arguments of nats-py."""
        raw = self.credentials
        return {
            "user": self.user,
            "password": self.password,
            "token": self.token,
            "nkeys_seed_str": self.seed,
            "user_credentials": None if raw is None else RawCredentials(raw),
        }


class Connection(Client):
    """
    A client of nats-py that keeps its secrets to itself without TLS, all values of headers, and
    subjects that are no UTF-8, in which U+FFFD stands for what is none.

    *demands_tls*: the server must offer TLS; nats-py would go on in plain text.
    """

    def __init__(self, *, demands_tls: bool) -> None:
        super().__init__()
        self._demands_tls = demands_tls
        self.arrived: asyncio.Queue[Msg | None] = asyncio.Queue(READ_AHEAD)
        self.dropped = 0
        self.failure: Exception | None = None
        self._asking: asyncio.Task[None] | None = None

    async def listen(self, subject: str, queue: str, listening: Callable[[], None]) -> None:
        """
        Subscribe; the messages are those of :func:`messages`.

        *listening* is called when the server has agreed.
        """
        assert self._reading_task is not None  # it is connected
        self._reading_task.add_done_callback(self._stopped_reading)
        # Waiting for room makes nats-py keep the messages that follow.
        await self.subscribe(subject, queue, self.arrived.put, pending_bytes_limit=PENDING_BYTES)
        # A task, because nats-py lets it wait on when the connection ends.
        self._asking = asyncio.create_task(self._ask(listening))

    async def close(self) -> None:
        """Close the connection."""
        if self._asking is not None:
            self._asking.cancel()
        await super().close()

    async def on_error(self, error: Exception) -> None:
        """Called by nats-py for errors that have no caller."""
        if isinstance(error, nats.errors.SlowConsumerError):
            self.dropped += 1
            return
        self.failure = error
        if "permissions violation" in str(error).lower():
            await self.on_closed()

    async def on_closed(self) -> None:
        """Called by nats-py when the connection broke."""
        self._wake()

    @property
    def reads(self) -> bool:
        """Whether messages can come."""
        reading = self._reading_task
        return bool(self.is_connected and reading is not None and not reading.done())

    def _stopped_reading(self, _: object) -> None:
        # nats-py stops at what it cannot decode, leaves the connection open, and tells nobody.
        if self.is_connected:
            self.failure = self.failure or nats.errors.Error(UNREADABLE)
            self._wake()

    def _wake(self) -> None:
        """Let :func:`messages` look at the state."""
        if self.arrived.empty():
            self.arrived.put_nowait(None)

    async def _ask(self, listening: Callable[[], None]) -> None:
        with contextlib.suppress(nats.errors.Error, OSError):  # messages() ends then, too
            await self.flush(SILENT)  # the answer comes behind the refusal of a subscription
            if self.is_connected and self.failure is None:
                listening()

    def _connect_command(self) -> bytes:
        # The last moment before the credentials go out, and the only one at which the server's
        # offer is known.
        if self._demands_tls and not self._server_info.get("tls_required"):
            raise nats.errors.SecureConnWantedError
        command: bytes = super()._connect_command()
        return command

    def _build_message(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: Any
    ) -> Any:
        subject, reply = _readable(subject), _readable(reply)
        return super()._build_message(sid, subject, reply, data, headers)

    async def _process_headers(self, headers: bytes | None) -> Any:
        return parse_headers(headers or b"")  # nats-py keeps one value of each header


@contextlib.asynccontextmanager
async def connected(
    servers: Sequence[str], login: Login, context: ssl.SSLContext | None
) -> AsyncIterator[Connection]:
    """
    Connect to one of *servers*, in any order; with a *context* the server must offer TLS.

    Raises :exc:`SourceError`, also behind the body when that ended because the connection did.
    """
    service = f"NATS at {', '.join(map(address, servers))}"
    secure = context is not None or any(server.startswith("tls://") for server in servers)
    client = Connection(demands_tls=secure)
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
                    # Makes nats-py read the answer to CONNECT before it writes on: a server that
                    # refuses hangs up, and what is written then may reset the connection and take
                    # the refusal along.
                    verbose=True,
                    tls=context or ssl.create_default_context(),
                    **login.options(),
                )
        except nats.errors.SecureConnWantedError as error:
            raise SourceError(f"{service} does not offer TLS, so nothing is sent to it") from error
        except (OSError, nats.errors.Error, TimeoutError) as error:
            raise _failure(service, client.failure or error, unreachable) from error
        yield client
        raise _failure(service, client.failure or nats.errors.UnexpectedEOF(), lost)
    finally:
        await finish(client.close())


async def messages(client: Connection) -> AsyncIterator[Msg]:
    """The messages of all subscriptions, until the connection ends."""
    while client.reads or not client.arrived.empty():
        try:
            async with asyncio.timeout(CHECK):
                message = await client.arrived.get()
        except TimeoutError:
            continue
        if message is None:
            return
        yield message


def _readable(text: bytes) -> bytes:
    return text.decode("utf-8", "replace").encode()


def parse_headers(block: bytes) -> dict[str, list[str]] | None:
    """The headers of a message with all their values, case preserved; None for none."""
    found: dict[str, list[str]] = {}
    for line in block.split(b"\r\n")[1:]:
        name, colon, value = line.decode("utf-8", "replace").partition(":")
        if colon:
            found.setdefault(name, []).append(value.strip())
    return found or None


def servers_of(url: str) -> list[str]:
    """The servers of a text that separates them with commas."""
    return [server.strip() for server in url.split(",") if server.strip()]


def url_problems(url: str) -> list[str]:
    """What is wrong with the servers of *url*, which is not empty."""
    servers = servers_of(url)
    if not servers:
        return ["`url` names no server; write nats://host:port"]
    problems = [
        f"`url`: {server.rpartition('@')[2]!r} is no server of NATS; write nats://host:port or "
        "tls://host:port"
        for server in servers
        if not _is_server(server)
    ]
    if not problems and len({_split(server).scheme in WEB for server in servers}) > 1:
        problems.append("`url`: servers with ws:// or wss:// cannot be mixed with others")
    return problems


def subject_problems(subject: str) -> list[str]:
    """What is wrong with what is subscribed to, which is not empty."""
    if _BLANK.search(subject):
        return [f"`subject`: {subject!r} must not contain blanks"]
    *before, last = subject.split(".")
    if not all([*before, last]):
        return [f"`subject`: {subject!r} must have something before and behind each dot"]
    wildcards = [token for token in [*before, last] if "*" in token or ">" in token]
    if any(token not in ("*", ">") for token in wildcards) or ">" in before:
        return [f"`subject`: in {subject!r}, `*` must stand alone, and `>` alone at the end"]
    return []


def queue_problems(queue: str) -> list[str]:
    """What is wrong with the name of a queue group."""
    return [f"`queue`: {queue!r} must not contain blanks"] if _BLANK.search(queue) else []


def address(server: str) -> str:
    """The server of a URL, without who connects."""
    return _split(server).netloc.rpartition("@")[2]


def _split(server: str) -> SplitResult:
    return urlsplit(server if "://" in server else f"nats://{server}")


def _is_server(server: str) -> bool:
    scheme, mark, _ = server.partition("://")
    if mark and scheme not in (*PLAIN, *WEB):  # written in lower case, or nats-py looks past it
        return False
    try:
        parts = _split(server)
        return bool(parts.hostname) and parts.port != 0 and not _BLANK.search(server)
    except ValueError:  # such as a port that is no number
        return False


def _failure(service: str, error: BaseException, otherwise: Any) -> SourceError:
    text = str(error).removeprefix("nats: ").strip("'\" ")
    if any(word in text.lower() for word in _REFUSALS):
        return refused(service, text)
    failure: SourceError = otherwise(service, error)
    return failure


def _behind(mark: str, lines: list[str]) -> str:
    for number, line in enumerate(lines[:-1]):
        if line.startswith(mark):
            return lines[number + 1]
    raise SourceError(f"`auth.credential` is no credentials file: there is no {mark.strip('-')!r}")


def _check_seed(option: str, seed: str) -> None:
    try:
        import nkeys  # an extra of its own, because few need it
    except ModuleNotFoundError:
        raise MissingExtraError("event source", "nats", "nkeys") from None
    try:
        nkeys.from_seed(bytearray(seed.strip().encode()))
    except (nkeys.NkeysError, ValueError) as error:
        raise SourceError(f"`auth.{option}` holds no seed of a key: {error}") from error
