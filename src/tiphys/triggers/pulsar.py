"""Pulsar: sends the payload to a topic (spec: triggers 10)."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import orjson
import pulsar
from pulsar.exceptions import PulsarException
from pydantic import Field

from tiphys.aio import Backoff
from tiphys.errors import TriggerError
from tiphys.manifests.common import (
    BackoffBlock,
    Block,
    Parameter,
    SecretRef,
    TriggerConfig,
)
from tiphys.system import without_login
from tiphys.triggers import IDEMPOTENCY_KEY, Firing, Outcome, Trigger, TriggerContext, trigger
from tiphys.triggers._shared import payload
from tiphys.triggers._shared.clients import ClientCache, digest
from tiphys.triggers._shared.secrets import retrieving

CONNECT = 10  # seconds for a connection to the broker of a topic
THREADS = 8  # messages to one topic that are on their way at the same time
SEND = 10_000  # milliseconds for the broker to say that it has the message
_REFUSALS = frozenset(
    {
        "AuthenticationError",
        "AuthorizationError",
        "IncompatibleSchema",
        "InvalidConfiguration",
        "InvalidMessage",
        "InvalidTopicName",
        "InvalidUrl",
        "MessageTooBig",
        "NotAllowedError",
        "OperationNotSupported",
        "TopicTerminated",
        "UnsupportedVersionError",
    }
)
# What a producer answers that will not send again.
_ENDED = frozenset({"AlreadyClosed", "ProducerFenced", "ProducerNotInitialized"})


class ClientCertificate(Block):
    """A certificate that says who connects."""

    client_cert_secret: SecretRef | None = Field(None, description="Client certificate, PEM.")
    client_key_secret: SecretRef | None = Field(None, description="Client private key, PEM.")


class Config(TriggerConfig):
    """Options of the pulsar trigger."""

    url: str = Field(
        "",
        description="The brokers; `pulsar+ssl://` is TLS.",
        examples=["pulsar://pulsar:6650"],
    )
    topic: str = Field("", description="Topic of the message.")
    payload: list[Parameter] | None = Field(None, description="Values that make up the message.")
    tls_trust_certs_secret: SecretRef | None = Field(
        None, description="PEM bundle that replaces the usual trusted roots."
    )
    tls_allow_insecure_connection: bool = Field(False, description="Accept any certificate.")
    tls_validate_hostname: bool = Field(
        False, description="Refuse a certificate that is not the host's."
    )
    tls: ClientCertificate | None = Field(
        None, description="Certificate that logs in; both parts must be there. Wins over the rest."
    )
    auth_token_secret: SecretRef | None = Field(
        None, description="Secret that holds a token that logs in."
    )
    auth_athenz_params: dict[str, str] = Field(
        {}, description="Parameters of a login with Athenz; wins over the token."
    )
    auth_athenz_secret: SecretRef | None = Field(
        None, description="Secret that holds the private key for Athenz."
    )
    connection_backoff: BackoffBlock | None = Field(
        None,
        description="Attempts to connect within one attempt of the action; one if absent.",
    )


@trigger("pulsar", log_name="Pulsar")
class Pulsar(Trigger[Config]):
    """Sends with one producer a topic, which is kept open between firings."""

    async def start(self, ctx: TriggerContext) -> None:
        """Prepare the producers, which are closed with the sensor."""
        await super().start(ctx)
        self._senders = await ctx.enter(ClientCache[Sender]())

    async def fire(self, firing: Firing[Config]) -> Outcome:
        """Send, and wait for the broker to acknowledge it."""
        config = firing.config
        message = payload.required(config.payload, firing.payload)
        sender = await self._sender(config)
        await sender.send(message, {IDEMPOTENCY_KEY: firing.action_id})
        return Outcome(detail=f"sent to {config.topic}")

    @classmethod
    def check(cls, config: Config) -> list[str]:
        """What cannot work, found before the sensor runs."""
        problems = []
        if not config.url:
            problems.append("pulsar url is not specified")
        if not config.topic:
            problems.append("pulsar topic is not specified")
        if config.payload is None:
            problems.append("payload parameters are not specified")
        if config.tls is not None and not (
            config.tls.client_cert_secret and config.tls.client_key_secret
        ):
            problems.append("invalid TLS config: tls needs clientCertSecret and clientKeySecret")
        if config.auth_athenz_secret is not None and not config.auth_athenz_params:
            problems.append("authAthenzSecret needs authAthenzParams")
        return problems

    async def _sender(self, config: Config) -> Sender:
        tls = config.tls or ClientCertificate()
        refs = {
            "ca": config.tls_trust_certs_secret,
            "certificate": tls.client_cert_secret,
            "key": tls.client_key_secret,
            "token": config.auth_token_secret,
            "athenz": config.auth_athenz_secret,
        }
        settings = config.model_dump_json(exclude={"payload", "parameters"})
        with retrieving("login or certificates"):
            key = settings, await digest(self.ctx, *refs.values())

            async def opened() -> Sender:
                given = {name: await self.ctx.secret(ref) for name, ref in refs.items() if ref}
                return Sender(config, given)

            return await self._senders.get(key, opened)


class Sender:
    """
    Sends to one topic; the library mends its connection.

    *secrets* are the values by their place: ``ca``, ``certificate``, ``key``, ``token``,
    ``athenz``.  The library reads certificates from files, which go away with the sender.  Its
    blocking calls are used, in threads, because it cannot shut down while it calls us back.
    """

    def __init__(self, config: Config, secrets: dict[str, str]) -> None:
        self._config = config
        self._secrets = secrets
        self._files = contextlib.ExitStack()
        self._lock = asyncio.Lock()
        self._producer: pulsar.Producer | None = None

    async def __aenter__(self) -> Self:
        """Read the settings; nothing is connected yet.  Raises :exc:`TriggerError`."""
        with contextlib.ExitStack() as stack:
            place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tiphys-pulsar-")))
            try:
                self._client = self._opened(place)
            except (ValueError, RuntimeError, PulsarException) as error:
                message = f"failed to connect to pulsar, {error}"
                raise TriggerError(message, retryable=False) from error
            self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="pulsar-trigger")
            self._files = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the producer and the connections, without waiting for a broker."""
        with self._files:
            await asyncio.to_thread(self._end)

    async def send(self, message: bytes, properties: dict[str, str]) -> None:
        """Send, and wait until the broker has it.  Raises :exc:`TriggerError`."""
        producer = await self._connected()
        try:
            await self._in_thread(producer.send, message, properties)
        except PulsarException as error:
            name = type(error).__name__
            if name in _ENDED and self._producer is producer:
                self._producer = None
            failed = f"failed to send message to pulsar, topic {self._config.topic!r}: {name}"
            raise TriggerError(failed, retryable=name not in _REFUSALS) from error

    async def _connected(self) -> pulsar.Producer:
        """The producer, made if there is none.  Raises :exc:`TriggerError`."""
        async with self._lock:
            if self._producer is None:
                block = self._config.connection_backoff
                pauses = [] if block is None else _backoff(block).pauses()
                for pause in pauses:
                    try:
                        return await self._connect()
                    except TriggerError as error:
                        if not error.retryable:
                            raise
                    await asyncio.sleep(pause)
                return await self._connect()
            return self._producer

    async def _connect(self) -> pulsar.Producer:
        create = functools.partial(
            self._client.create_producer, self._config.topic, send_timeout_millis=SEND
        )
        try:
            self._producer = await self._in_thread(create)
        except PulsarException as error:
            name = type(error).__name__
            place = f"topic {self._config.topic!r} at {without_login(self._config.url)}"
            message = f"failed to create a pulsar producer, {place}: {name}"
            raise TriggerError(message, retryable=name not in _REFUSALS) from error
        return self._producer

    async def _in_thread(self, call: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call, *arguments)

    def _opened(self, place: Path) -> pulsar.Client:
        """The library's client, its files in *place*.  Raises ValueError for what is no URL."""
        if "@" in self._config.url:  # which the library would quote
            raise ValueError("its URL holds no login; there are options for that")
        files = {}
        for name in self._secrets.keys() & {"ca", "certificate", "key", "athenz"}:
            path = place / name
            path.touch(mode=0o600)
            path.write_text(self._secrets[name])
            files[name] = str(path)
        return pulsar.Client(
            self._config.url,
            authentication=self._login(files),
            operation_timeout_seconds=CONNECT,
            connection_timeout_ms=CONNECT * 1000,
            stats_interval_in_seconds=0,
            tls_trust_certs_file_path=files.get("ca"),
            tls_allow_insecure_connection=self._config.tls_allow_insecure_connection,
            tls_validate_hostname=self._config.tls_validate_hostname,
            # The reasons behind its error codes are only there.  A logger of Python's would be
            # called from the library's threads, also while those are joined.
            logger=pulsar.ConsoleLogger(pulsar.LoggerLevel.Error),
        )

    def _login(self, files: dict[str, str]) -> pulsar.Authentication | None:
        """Who connects: of several, the last one here."""
        login = None
        if "token" in self._secrets:
            login = pulsar.AuthenticationToken(self._secrets["token"])
        if self._config.auth_athenz_params:
            parameters = dict(self._config.auth_athenz_params)
            if "athenz" in files:
                parameters["privateKey"] = f"file://{files['athenz']}"
            login = pulsar.AuthenticationAthenz(orjson.dumps(parameters).decode())
        if self._config.tls is not None:
            login = pulsar.AuthenticationTLS(files.get("certificate", ""), files.get("key", ""))
        return login

    def _end(self) -> None:
        self._client.shutdown()  # which also ends what the threads wait for
        self._threads.shutdown(cancel_futures=True)


def _backoff(block: BackoffBlock) -> Backoff:
    steps = block.steps if block.steps > 0 else 5
    return Backoff(block.duration, block.factor, block.jitter, steps)
