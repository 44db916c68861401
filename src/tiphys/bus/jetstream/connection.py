"""
The link to a NATS server: made, watched, and made anew for ever.

Each link is a client of its own.  nats-py can mend a link itself, but gives up for good on some
answers of a server and sends again, unasked, what lay in its buffer; with a new client the state of
the link is exact and the credentials are read again.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress

import nats.errors
import structlog
from nats.aio.msg import Msg

from tiphys.aio import capped_backoff, stop
from tiphys.bus.jetstream._client import CONNECT_TIMEOUT, Client, Receiver, connect, discard
from tiphys.bus.jetstream.settings import Endpoint
from tiphys.errors import BusError, BusUnavailable, EventTooLarge, PublishError, SecretError
from tiphys.system import without_login

log = structlog.get_logger("argo-events.eventbus")

_LONG_OUTAGE = 30.0  # seconds after which a lost link is reported a second time, as an error
_LONGEST_SUBJECT = 2048  # bytes; a server's limit for a line is 4096
_PATIENCE = 2.0  # seconds without an answer after which a request is sent a second time
_SWEEP = 0.05  # seconds between searches for requests whose time is over


class NoAnswer(BusUnavailable):
    """The server did not answer in time although the link was up."""


class NobodyThere(NoAnswer):
    """No stream or consumer listens under the subject of a request."""


class _LinkLost(Exception):
    """The link broke while a request was under way."""


class _Inbox:
    """A subject prefix for answers, with what handles them and what to do when the link breaks."""

    def __init__(self, subject: str, receive: Receiver, lost: Callable[[], None]) -> None:
        self.subject = subject
        self.receive = receive
        self.lost = lost


class Link:
    """
    A link to one of several servers.

    Requests are pipelined: all share an inbox, and a table tells whose answer has come.  *endpoint*
    is asked before each connection, so that addresses and credentials may change.
    """

    def __init__(self, endpoint: Callable[[], Awaitable[Endpoint]], *, name: str) -> None:
        self._endpoint = endpoint
        self._name = name
        self._client: Client | None = None
        self._up = asyncio.Event()
        self._broken = asyncio.Event()
        self.epoch = 0  # counts the links
        self._reason: object = "not tried yet"
        self._listeners: list[Callable[[bool], None]] = []
        self._prefix = f"_INBOX.{secrets.token_hex(11)}"
        self._numbers = itertools.count(1)
        self._inboxes: dict[str, _Inbox] = {}
        self._calls: dict[str, tuple[asyncio.Future[Msg], float]] = {}
        self._sweeper: asyncio.TimerHandle | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._replies = f"{self._prefix}.0"
        self._inboxes[self._replies] = _Inbox(self._replies, self._answered, lambda: None)

    async def open(self, timeout: float) -> None:
        """
        Make the link, and keep it from then on.

        Raises :exc:`BusUnavailable` when that takes longer than *timeout* seconds.
        """
        servers = ", ".join(without_login(s) for s in (await self._endpoint()).servers)
        self._supervisor = asyncio.create_task(self._supervise(), name="link to the event bus")
        try:
            async with asyncio.timeout(timeout):
                await self._up.wait()
        except TimeoutError:
            await self.close()
            raise BusUnavailable(
                f"no link to the event bus at {servers} within {timeout:g} s: {self._reason}"
            ) from None
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Send what is waiting to be sent, and break the link for good."""
        if self._client is not None and self._up.is_set():
            with suppress(TimeoutError, nats.errors.Error, OSError):
                async with asyncio.timeout(CONNECT_TIMEOUT):
                    await self._client.flush()
        if self._supervisor is not None:
            await stop(self._supervisor)
            self._supervisor = None
        self._lose()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        if self._client is not None:
            await discard(self._client)
            self._client = None

    @property
    def connected(self) -> bool:
        """Whether the link is up at this moment."""
        return self._client is not None and self._up.is_set() and self._client.is_connected

    def on_change(self, listener: Callable[[bool], None]) -> None:
        """Call *listener* with true when the link is up again and false when it broke."""
        self._listeners.append(listener)

    async def until_up(self, deadline: float | None = None) -> None:
        """Wait for the link.  Raises :exc:`BusUnavailable` after *deadline* (loop time)."""
        if self._up.is_set():
            return
        try:
            async with asyncio.timeout_at(deadline):
                await self._up.wait()
        except TimeoutError:
            raise BusUnavailable(f"no link to the event bus: {self._reason}") from None

    async def request(
        self,
        subject: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        timeout: float,
    ) -> Msg:
        """
        Send a message and return the answer.

        It is sent again when the link breaks before the answer, or when the answer does not come:
        in a cluster, whoever was to give it may have died.  Hence only for what does no harm when
        it is done twice.  Raises :exc:`BusUnavailable` when there is no link, or nobody answers,
        within *timeout* seconds.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        call, patience = str(next(self._numbers)), _PATIENCE
        pauses: Iterator[float] | None = None
        while True:
            try:
                answer = await self._ask(call, subject, body, headers, deadline, patience)
            except _LinkLost:
                continue
            except TimeoutError:
                if loop.time() >= deadline:
                    raise NoAnswer(f"no answer of the event bus within {timeout:g} s") from None
                patience *= 2
                continue
            if answer.data or not answer.headers or answer.headers.get("Status") != "503":
                return answer
            # A server that has just started, or a cluster between two leaders, does not listen yet.
            pauses = pauses or capped_backoff(0.05, 1.0)
            pause = next(pauses)
            if loop.time() + pause >= deadline:
                raise NobodyThere(f"nothing on the event bus listens to {subject}")
            await asyncio.sleep(pause)

    async def send(self, subject: str, body: bytes, *, reply: str = "") -> bool:
        """Send a message once, without an answer; false when there is no link."""
        if self._up.is_set():
            with suppress(_LinkLost):
                await self._publish(subject, body, reply, None)
                return True
        return False

    async def listen(self, receive: Receiver, lost: Callable[[], None]) -> str:
        """
        Open an inbox and return its prefix: *receive* gets what is sent to ``<prefix>.<token>``.

        It lasts until :meth:`ignore`; *lost* is called whenever the link breaks.
        """
        subject = f"{self._prefix}.{next(self._numbers)}"
        inbox = self._inboxes[subject] = _Inbox(subject, receive, lost)
        if self._client is not None and self._up.is_set():
            with suppress(nats.errors.Error, OSError):
                await self._client.open_inbox(subject, inbox.receive)
        return subject

    async def ignore(self, inbox: str) -> None:
        """Close an inbox; what is on its way is handled first, where the link allows it."""
        if self._client is not None and self._up.is_set():
            with suppress(TimeoutError, nats.errors.Error, OSError):
                async with asyncio.timeout(CONNECT_TIMEOUT):
                    await self._client.close_inbox(inbox)
        self._inboxes.pop(inbox, None)

    async def _ask(
        self,
        call: str,
        subject: str,
        body: bytes,
        headers: Mapping[str, str] | None,
        deadline: float,
        patience: float,
    ) -> Msg:
        """One attempt.  Raises :exc:`_LinkLost` or TimeoutError when there may be another."""
        await self.until_up(deadline)
        loop = asyncio.get_running_loop()
        try:
            await self._publish(subject, body, f"{self._replies}.{call}", headers)
            # The answer cannot have come yet: nothing above waits for anything.
            future: asyncio.Future[Msg] = loop.create_future()
            self._calls[call] = (future, min(deadline, loop.time() + patience))
            if self._sweeper is None:
                self._sweeper = loop.call_later(_SWEEP, self._sweep)
            return await future
        finally:
            self._calls.pop(call, None)

    async def _publish(
        self, subject: str, body: bytes, reply: str, headers: Mapping[str, str] | None
    ) -> None:
        client = self._client
        if client is None or not self._up.is_set():
            raise _LinkLost
        _check_size(subject, body, headers, client.max_payload)
        try:
            await client.publish(subject, body, reply, dict(headers) if headers else None)
        except (nats.errors.Error, OSError) as error:
            self._lose(error)
            raise _LinkLost from error

    async def _answered(self, message: Msg) -> None:
        call = self._calls.pop(message.subject.rpartition(".")[2], None)
        if call is not None and not call[0].done():
            call[0].set_result(message)

    def _sweep(self) -> None:
        """End the requests whose time is over; one timer is cheaper than one for each."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for future, deadline in self._calls.values():
            if deadline <= now and not future.done():
                future.set_exception(TimeoutError())
        self._sweeper = loop.call_later(_SWEEP, self._sweep) if self._calls else None

    async def _supervise(self) -> None:
        while True:
            client = await self._make()
            self._client = client
            self.epoch += 1
            self._up.set()
            log.info("Connected to the event bus", url=without_login(client.address))
            self._tell(True)
            await self._watch(client)
            self._lose(client.last_error)
            self._client = None
            await discard(client)

    async def _make(self) -> Client:
        """Try until there is a link."""
        loop = asyncio.get_running_loop()
        started, reported = loop.time(), False
        for pause in capped_backoff(0.1, 5.0):
            try:
                endpoint = await self._endpoint()
                inboxes = {inbox.subject: inbox.receive for inbox in self._inboxes.values()}
                client = await connect(endpoint, self._name, inboxes, self._broken)
            except (OSError, nats.errors.Error, BusError, SecretError, ValueError) as error:
                self._reason = str(error) or type(error).__name__
            else:
                for inbox in list(self._inboxes.values()):
                    if inbox.subject not in inboxes:
                        await client.open_inbox(inbox.subject, inbox.receive)
                return client
            if not reported and loop.time() - started > _LONG_OUTAGE:
                reported = True
                log.error("Still no link to the event bus; trying on", error=self._reason)
            await asyncio.sleep(pause)
        raise AssertionError("the pauses never end")

    async def _watch(self, client: Client) -> None:
        """Return when the link is broken, which nats-py tells in most cases but not in all."""
        while client.is_connected and not self._broken.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._broken.wait()

    def _lose(self, error: object = None) -> None:
        """Note that the link is gone, and wake everybody who waits for an answer."""
        if not self._up.is_set():
            return
        self._up.clear()
        self._broken.set()
        if self._supervisor is not None:
            self._reason = str(error or "the server closed the connection")
            log.warning("Lost the link to the event bus; trying to reconnect", error=self._reason)
        for future, _ in self._calls.values():
            if not future.done():
                future.set_exception(_LinkLost())
        for inbox in list(self._inboxes.values()):
            inbox.lost()
        self._tell(False)

    def _tell(self, up: bool) -> None:
        for listener in self._listeners:
            # Not called from here: its errors are not those of the link.
            asyncio.get_running_loop().call_soon(listener, up)


def _check_size(subject: str, body: bytes, headers: Mapping[str, str] | None, limit: int) -> None:
    """
    Refuse what the server would answer with the end of the connection.

    Raises :exc:`EventTooLarge`, and :exc:`PublishError` for an impossible subject.
    """
    if len(subject) * 4 > _LONGEST_SUBJECT and len(subject.encode()) > _LONGEST_SUBJECT:
        raise PublishError(f"a name is too long for the event bus: {subject[:80]}...")
    if len(body) * 4 < limit:
        return  # headers repeat what is in the body
    size = len(body) + 16
    for name, value in (headers or {}).items():
        size += len(name) + len(value.encode()) + 4
    if size > limit:
        raise EventTooLarge(
            f"a message of {size} bytes is too big for the event bus, which takes {limit} "
            "(max_payload)"
        )
