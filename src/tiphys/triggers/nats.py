"""NATS: publishes the payload on a subject (spec: triggers 9)."""

from __future__ import annotations

import asyncio
import random
import ssl
from typing import Any, Self

import nats.errors
from nats.aio.client import Client, RawCredentials
from pydantic import Field

from tiphys.aio import finish
from tiphys.errors import MissingExtraError, TriggerError
from tiphys.manifests.common import TLS, NATSAuth, Parameter, TriggerConfig
from tiphys.triggers import Firing, Outcome, Trigger, TriggerContext, trigger
from tiphys.triggers._shared import payload
from tiphys.triggers._shared.clients import ClientCache, tls_key
from tiphys.triggers._shared.secrets import retrieving

ID = "Nats-Msg-Id"  # the header by which JetStream recognises duplicates
CONNECT = 10.0  # seconds for a connection to one of the servers
FLUSH = 10  # seconds for the server to say that it has the message
PING = 10  # seconds between questions whether the server is there; it may miss two
_REFUSALS = ("authorization", "authentication", "permissions violation", "expired")


class Config(TriggerConfig):
    """Options of the nats trigger."""

    url: str = Field(
        "",
        description="The servers, separated by commas; `tls://` demands TLS.",
        examples=["nats://nats:4222"],
    )
    subject: str = Field("", description="Subject of the message.")
    payload: list[Parameter] | None = Field(None, description="Values that make up the message.")
    tls: TLS | None = Field(None, description="TLS to the servers, which is then demanded.")
    auth: NATSAuth | None = Field(None, description="Who connects.")


@trigger("nats", log_name="NATS")
class NATS(Trigger[Config]):
    """Publishes over a connection that is made anew whenever it broke."""

    async def start(self, ctx: TriggerContext) -> None:
        """Prepare the connections, which are closed with the sensor."""
        await super().start(ctx)
        self._publishers = await ctx.enter(ClientCache[Publisher]())

    async def fire(self, firing: Firing[Config]) -> Outcome:
        """Publish, and wait for the server to say that it has read everything sent."""
        config = firing.config
        message = payload.required(config.payload, firing.payload)
        publisher = await self._publisher(config)
        await publisher.publish(config.subject, message, {ID: firing.action_id})
        return Outcome(detail=f"published on {config.subject}")

    @classmethod
    def check(cls, config: Config) -> list[str]:
        """What Argo Events refuses."""
        problems = []
        if not config.url:
            problems.append("nats server url can't be empty")
        if not config.subject:
            problems.append("nats subject can't be empty")
        if config.payload is None:
            problems.append("payload can't be nil")
        return problems

    async def _publisher(self, config: Config) -> Publisher:
        servers = [server.strip() for server in config.url.split(",") if server.strip()]
        with retrieving("login or certificates"):
            login = await self._login(config.auth or NATSAuth())
            key = (*servers, *login.items(), await tls_key(self.ctx, config.tls))

            async def opened() -> Publisher:
                context = None if config.tls is None else await self.ctx.tls(config.tls)
                return Publisher(servers, login, context)

            return await self._publishers.get(key, opened)

    async def _login(self, auth: NATSAuth) -> dict[str, str]:
        """The values of the login's parts."""
        parts = auth.parts().items()
        return {part: await self.ctx.secret(ref) if ref else "" for part, ref in parts}


class _Connection(Client):
    """A client of nats-py that keeps its secrets to itself without TLS, and remembers errors."""

    def __init__(self, *, demands_tls: bool) -> None:
        super().__init__()
        self._demands_tls = demands_tls
        self.errors: list[Exception] = []

    async def on_error(self, error: Exception) -> None:
        """Called by nats-py for errors that have no caller."""
        self.errors = [*self.errors[-15:], error]

    def denied(self, subject: str) -> Exception | None:
        """The server's refusal to take messages of *subject*."""
        named = f'publish to "{subject}"'.lower()
        return next((error for error in self.errors if named in str(error).lower()), None)

    def _connect_command(self) -> bytes:
        # The last moment before the credentials go out, and the only one at which the server's
        # offer is known: nats-py goes on in plain text when TLS is wanted and not offered.
        if self._demands_tls and not self._server_info.get("tls_required"):
            raise nats.errors.SecureConnWantedError
        command: bytes = super()._connect_command()
        return command


class Publisher:
    """
    Publishes to one of some servers; connects when it must, again and again.

    nats-py does not mend a connection here: it would send, unasked, what an attempt that was given
    up had left in its buffer.
    """

    def __init__(
        self, servers: list[str], login: dict[str, str], context: ssl.SSLContext | None
    ) -> None:
        self._servers = servers
        self._login = login
        self._context = context
        self._client: _Connection | None = None
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """Nothing is connected yet."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connection."""
        if self._client is not None:
            await finish(self._client.close())

    async def publish(self, subject: str, message: bytes, headers: dict[str, str]) -> None:
        """Publish, and wait until the server has it.  Raises :exc:`TriggerError`."""
        client = await self._connected()
        failed = f"failed to publish on {subject!r}"
        try:
            await client.publish(subject, message, headers=headers)
            # nats-py sends the PING of a flush ahead of what waits to be sent, so only the answer
            # to the second one says that the server has the message.
            await client.flush(FLUSH)
            await client.flush(FLUSH)
        except (nats.errors.BadSubjectError, nats.errors.MaxPayloadError) as error:
            raise TriggerError(f"{failed}: {_text(error)}", retryable=False) from error
        except (nats.errors.Error, OSError, TimeoutError) as error:
            raise TriggerError(f"{failed}: {_text(error)}") from error
        if (denial := client.denied(subject)) is not None:
            raise TriggerError(f"{failed}: {_text(denial)}", retryable=False)

    async def _connected(self) -> _Connection:
        """The connection, made anew if it broke.  Raises :exc:`TriggerError`."""
        async with self._lock:
            if self._client is not None and self._client.is_connected:
                return self._client
            if self._client is not None:
                await finish(self._client.close())
                self._client = None
            self._client = await self._connect()
            return self._client

    async def _connect(self) -> _Connection:
        place = f"NATS at {', '.join(server.rpartition('@')[2] for server in self._servers)}"
        secure = self._context is not None or any(s.startswith("tls://") for s in self._servers)
        client = _Connection(demands_tls=secure)
        try:
            async with asyncio.timeout(CONNECT):
                await client.connect(
                    servers=random.sample(self._servers, len(self._servers)),
                    name="tiphys",
                    error_cb=client.on_error,
                    allow_reconnect=False,
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0,
                    connect_timeout=max(1, int(CONNECT) // len(self._servers)),
                    ping_interval=PING,
                    # Makes nats-py read the answer to CONNECT before it writes on: a server that
                    # refuses hangs up, and what is written then may reset the connection and take
                    # the refusal along.
                    verbose=True,
                    tls=self._context or ssl.create_default_context(),
                    **_arguments(self._login),
                )
        except BaseException as error:
            cause = client.errors[-1] if client.errors else error  # closing makes errors as well
            await finish(client.close())
            raise _failure(place, cause, error) from error
        return client


def _arguments(login: dict[str, str]) -> dict[str, Any]:
    """The login as nats-py wants it.  Raises :exc:`TriggerError` for what is no key."""
    if "seed" in login:
        seed = login["seed"].strip()
        try:
            import nkeys  # an extra of its own, because few need it

            nkeys.from_seed(bytearray(seed.encode()))
        except ModuleNotFoundError:
            missing = MissingExtraError("trigger", "nats", "nkeys")
            raise TriggerError(str(missing), retryable=False) from None
        except (nkeys.NkeysError, ValueError) as error:
            message = f"auth.nkey holds no seed of a key: {error}"
            raise TriggerError(message, retryable=False) from error
        return {"nkeys_seed_str": seed}
    if "credentials" in login:
        return {"user_credentials": RawCredentials(login["credentials"])}
    return dict(login)


def _failure(place: str, cause: BaseException, error: BaseException) -> BaseException:
    """What to raise for a connection that was not made."""
    if isinstance(error, TriggerError | asyncio.CancelledError):
        return error
    if isinstance(error, nats.errors.SecureConnWantedError):
        message = f"{place} does not offer TLS, so nothing is sent to it"
        return TriggerError(message, retryable=False)
    if not isinstance(error, OSError | nats.errors.Error | TimeoutError | ValueError):
        return error
    text = _text(cause)
    final = any(word in text.lower() for word in _REFUSALS) or isinstance(error, ValueError)
    return TriggerError(f"no connection to {place}: {text}", retryable=not final)


def _text(error: BaseException) -> str:
    text = str(error).removeprefix("nats: ").strip("'\" ")
    return text or type(error).__name__
