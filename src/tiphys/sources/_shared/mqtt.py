"""One connection to an MQTT broker: made once, and given up when it breaks."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import ssl
from collections.abc import AsyncIterator
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import aiomqtt
from paho.mqtt.reasoncodes import ReasonCode

from tiphys.errors import ManifestError, SourceError
from tiphys.sources._shared.failures import CONNECT, lost, refused, unreachable
from tiphys.system import without_login

KEEP_ALIVE = 30  # seconds
LONGEST_TOPIC = 65535  # bytes
BACKLOG = 10_000  # messages that are read and not yet asked for; more are dropped
_PLAIN = {"tcp": 1883, "mqtt": 1883, "ws": 80}
_SECURE = {"ssl": 8883, "tls": 8883, "mqtts": 8883, "tcps": 8883, "wss": 443}
_REFUSALS, _UNSPECIFIED = (134, 135), 128  # reason codes
_silent = logging.getLogger("tiphys.mqtt")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False  # what the library would say is in the errors that it raises


@dataclasses.dataclass(frozen=True, slots=True)
class Address:
    """Where a broker is and how to speak to it; *secure*: TLS."""

    host: str
    port: int
    transport: Literal["tcp", "websockets"]
    path: str
    secure: bool
    username: str | None = None
    password: str | None = dataclasses.field(default=None, repr=False)

    def __str__(self) -> str:
        """Host and port."""
        return f"{self.host}:{self.port}"


def parse_address(url: str, option: str = "url") -> Address:
    """Raises :exc:`ManifestError` for what is no URL of a broker; never repeats the password."""
    shown = repr(without_login(url))
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # which may quote what is meant to be the password
        raise ManifestError(f"{shown} is no URL", path=option) from None
    scheme = parts.scheme.lower()
    if scheme not in {**_PLAIN, **_SECURE} or not parts.hostname:
        raise ManifestError(
            f"{shown} is no URL of a broker; write scheme://host:port with one of the schemes "
            f"{', '.join([*_PLAIN, *_SECURE])}",
            path=option,
        )
    return Address(
        parts.hostname,
        port or {**_PLAIN, **_SECURE}[scheme],
        "websockets" if scheme in ("ws", "wss") else "tcp",
        parts.path or "/",
        scheme in _SECURE,
        unquote(parts.username) if parts.username is not None else None,
        unquote(parts.password) if parts.password is not None else None,
    )


def topic_problems(topic: str) -> list[str]:
    """What is wrong with a topic filter that is not empty (MQTT 3.1.1, section 4.7)."""
    *before, last = topic.split("/")
    levels = [level for level in [*before, last] if "+" in level or "#" in level]
    problems = []
    if any(level not in ("+", "#") for level in levels) or "#" in before:
        problems.append(
            f"`topic`: in {topic!r}, `+` must stand alone between slashes, and `#` alone at the end"
        )
    if "\0" in topic or len(topic.encode(errors="replace")) > LONGEST_TOPIC:
        problems.append(f"`topic` must hold no zero byte, and at most {LONGEST_TOPIC} bytes")
    return problems


class Backlog(asyncio.Queue[aiomqtt.Message]):
    """Drops, and counts, what comes when it is full."""

    dropped = 0

    def put_nowait(self, item: aiomqtt.Message) -> None:
        """Add a message if there is room."""
        if self.full():
            self.dropped += 1
        else:
            super().put_nowait(item)


class Client(aiomqtt.Client):
    """
    A client that leaves nothing behind when it is given up while it connects.

    aiomqtt connects in a thread, which cannot be cancelled.
    """

    _dropped = False

    @property
    def backlog(self) -> Backlog:
        """What has arrived."""
        assert isinstance(self._queue, Backlog)
        return self._queue

    def drop(self) -> None:
        """Close the socket, if need be once there is one."""
        self._dropped = True
        self._client.disconnect()
        if self._disconnected.done() and not self._disconnected.cancelled():
            self._disconnected.exception()  # nobody else may have asked for it

    def _on_disconnect(self, *arguments: Any, **more: Any) -> None:
        if not self._connected.cancelled():  # of which aiomqtt does not think
            super()._on_disconnect(*arguments, **more)

    def _client_connect(self) -> None:
        self._client.connect_timeout = CONNECT
        super()._client_connect()
        if self._dropped:
            self._loop.call_soon_threadsafe(self._client.disconnect)


@contextlib.asynccontextmanager
async def subscribed(
    at: Address,
    topic: str,
    *,
    identifier: str | None = None,
    username: str | None = None,
    password: str | None = None,
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[Client]:
    """
    Subscribe to a topic filter with QoS 0 in a clean session.

    A *context* demands TLS whatever the address says.  Whatever the client raises becomes a
    :exc:`SourceError`.
    """
    service = f"the MQTT broker at {at}"
    if context is None and at.secure:
        context = ssl.create_default_context()
    login = (at.username, at.password) if username is None else (username, password)
    options = _options(at, identifier, login, context)
    try:
        async with contextlib.AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(CONNECT):
                    client = Client(**options)
                    stack.callback(client.drop)
                    # Its counterpart waits for an answer that a dead broker never gives.
                    await client.__aenter__()
                    await _subscribe(client, topic, service)
            except (aiomqtt.MqttError, OSError, TimeoutError, UnicodeError) as error:
                code = _code(error)
                raise (
                    refused(service, str(getattr(error, "rc", error)).lower())
                    if code in _REFUSALS
                    else unreachable(service, error)
                ) from error
            except ValueError as error:  # an option, whatever there is at that address
                raise SourceError(f"{service} cannot be used: {error}") from error
            yield client
    except aiomqtt.MqttError as error:
        closed = _code(error.__cause__) == _UNSPECIFIED
        raise lost(service, aiomqtt.MqttError("it was closed") if closed else error) from error


async def _subscribe(client: Client, topic: str, service: str) -> None:
    granted = await client.subscribe(topic, qos=0)
    for code in granted:
        value = code.value if isinstance(code, ReasonCode) else code
        if value >= _UNSPECIFIED:
            raise SourceError(f"{service} does not allow to subscribe to {topic!r}")


def _options(
    at: Address,
    identifier: str | None,
    login: tuple[str | None, str | None],
    context: ssl.SSLContext | None,
) -> dict[str, Any]:
    return {
        "hostname": at.host,
        "port": at.port,
        "transport": at.transport,
        "websocket_path": at.path if at.transport == "websockets" else None,
        "identifier": identifier,
        "username": login[0],
        "password": login[1],
        "tls_context": context,
        "clean_session": True,
        "keepalive": KEEP_ALIVE,
        "timeout": CONNECT,
        "queue_type": Backlog,
        "max_queued_incoming_messages": BACKLOG,
        "logger": _silent,
    }


def _code(error: BaseException | None) -> int | None:
    code = getattr(error, "rc", None)
    return code.value if isinstance(code, ReasonCode) else None
