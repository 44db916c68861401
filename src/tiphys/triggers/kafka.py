"""Kafka: produces one record per action and waits until the brokers have it (triggers 8)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Annotated, Any

from aiokafka import AIOKafkaProducer
from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import KafkaConnectionError, KafkaError
from pydantic import Field

from tiphys.aio import stop
from tiphys.errors import TriggerError
from tiphys.manifests.common import TLS, Block, Parameter, SecretRef, TriggerConfig, go_default
from tiphys.system import without_login
from tiphys.triggers import IDEMPOTENCY_KEY, Firing, Outcome, Trigger, TriggerContext, trigger
from tiphys.triggers._shared import payload
from tiphys.triggers._shared.clients import ClientCache, tls_key
from tiphys.triggers._shared.http_client import session
from tiphys.triggers._shared.schema_registry import SchemaRegistry, SchemaRegistryBlock
from tiphys.triggers._shared.secrets import SecureHeader, retrieving, secure_value

TIMEOUT = 10_000  # milliseconds for the brokers' answer
CLOSE = 2.0  # seconds for a producer to end in good order
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
UNUSABLE = ("OAUTHBEARER", "GSSAPI")  # for lack of options
# At DEBUG aiokafka writes passwords and records to the log.
logging.getLogger("aiokafka").setLevel(logging.INFO)
_VERSION = re.compile(r"0\.\d+\.\d+\.\d+|[1-9]\d*\.\d+\.\d+")


class SASL(Block):
    """Who connects."""

    mechanism: str = Field(
        "", description="`PLAIN` (also when it is unknown), `SCRAM-SHA-256` or `SCRAM-SHA-512`."
    )
    user_secret: SecretRef | None = Field(None, description="Secret that holds the user's name.")
    password_secret: SecretRef | None = Field(None, description="Secret that holds the password.")


class Config(TriggerConfig):
    """Options of the kafka trigger."""

    url: str = Field(
        "", description="Brokers, separated by commas.", examples=["kafka-0:9092,kafka-1:9092"]
    )
    topic: str = Field("", description="Topic of the record.")
    payload: list[Parameter] | None = Field(None, description="Values that make up the record.")
    partition: int = Field(0, description="Accepted and ignored, as in Argo Events.")
    partitioning_key: str | None = Field(
        None, description="Key of the record, which decides about its partition."
    )
    required_acks: int = Field(
        0, description="`1`: the leader has it; all others: all replicas have it."
    )
    compress: bool = Field(False, description="Compress with snappy.")
    flush_frequency: int = Field(500, description="Accepted and ignored: records go out at once.")
    version: Annotated[str, go_default("1.0.0")] = Field(
        "1.0.0", description="Checked and ignored: the version is negotiated."
    )
    headers: dict[str, str] = Field({}, description="Headers of the record.")
    secure_headers: list[SecureHeader] = Field(
        [], description="Headers from Secrets and ConfigMaps."
    )
    sasl: SASL | None = Field(None, description="Who connects.")
    tls: TLS | None = Field(None, description="TLS to the brokers.")
    schema_registry: SchemaRegistryBlock | None = Field(
        None, description="Sends the payload, a JSON object, in the form of an Avro schema."
    )


@trigger("kafka", log_name="Kafka")
class Kafka(Trigger[Config]):
    """Keeps a producer per brokers and login."""

    async def start(self, ctx: TriggerContext) -> None:
        """Prepare the producers, which are closed with the sensor."""
        await super().start(ctx)
        self._producers = await ctx.enter(ClientCache[AIOKafkaProducer]())
        self._registry = SchemaRegistry(ctx, await ctx.enter(session()))

    async def fire(self, firing: Firing[Config]) -> Outcome:
        """Produce the record; succeeds when as many brokers have it as the manifest demands."""
        config = firing.config
        value = payload.required(config.payload, firing.payload)
        if not _VERSION.fullmatch(config.version):
            message = f"failed to parse Kafka version, invalid version `{config.version}`"
            raise TriggerError(message, retryable=False)
        if config.schema_registry is not None:
            value = await self._registry.encode(config.schema_registry, value)
        key = config.partitioning_key
        texts = {IDEMPOTENCY_KEY: firing.action_id, **config.headers}
        headers = [(name, text.encode()) for name, text in texts.items()]
        for header in config.secure_headers:
            headers.append((header.name, (await secure_value(self.ctx, header)).encode()))
        with _failures(config.url):
            producer = await self._producer(config)
            record = await producer.send_and_wait(
                config.topic,
                value,
                key=None if key is None else key.encode(),
                headers=headers,
                timestamp_ms=round(self.ctx.clock.now().timestamp() * 1000),
            )
        return Outcome(detail=f"{config.topic}/{record.partition}@{record.offset}")

    @classmethod
    def check(cls, config: Config) -> list[str]:
        """What Argo Events refuses."""
        problems = []
        if not config.url:
            problems.append("broker url must not be empty")
        if config.payload is None:
            problems.append("payload must not be empty")
        if not config.topic:
            problems.append("topic must not be empty")
        return problems

    async def _producer(self, config: Config) -> AIOKafkaProducer:
        with retrieving("login or certificates"):
            login = {} if config.sasl is None else await self._login(config.sasl)
            acks = 1 if config.required_acks == 1 else "all"
            tls = await tls_key(self.ctx, config.tls)
            key = (config.url, acks, config.compress, *login.items(), tls)

            async def opened() -> contextlib.AbstractAsyncContextManager[AIOKafkaProducer]:
                if "@" in config.url:  # which aiokafka would take for a name, and log
                    raise ValueError("a login belongs to `sasl`, not to the address")
                secure = config.tls is not None
                return _running_producer(
                    bootstrap_servers=[b.strip() for b in config.url.split(",") if b.strip()],
                    client_id="tiphys",
                    acks=acks,
                    compression_type="snappy" if config.compress else None,
                    partitioner=partition_of,
                    request_timeout_ms=TIMEOUT,
                    security_protocol=("SASL_" if login else "")
                    + ("SSL" if secure else "PLAINTEXT"),
                    ssl_context=None if config.tls is None else await self.ctx.tls(config.tls),
                    **login,
                )

            return await self._producers.get(key, opened)

    async def _login(self, sasl: SASL) -> dict[str, str]:
        """The arguments of aiokafka that stand for the login."""
        if sasl.mechanism in UNUSABLE:
            message = f"SASL mechanism {sasl.mechanism} needs options that there are not"
            raise TriggerError(message, retryable=False)
        if sasl.user_secret is None or sasl.password_secret is None:
            raise TriggerError("sasl needs userSecret and passwordSecret", retryable=False)
        user = await self.ctx.secret(sasl.user_secret)
        password = await self.ctx.secret(sasl.password_secret)
        if not user or not password:
            raise TriggerError("the user or the password of sasl is empty")
        return {
            "sasl_mechanism": sasl.mechanism if sasl.mechanism in MECHANISMS else "PLAIN",
            "sasl_plain_username": user,
            "sasl_plain_password": password,
        }


def partition_of(key: bytes | None, partitions: Sequence[int], available: Sequence[int]) -> int:
    """The partition of a record, by key as in the Go client of Argo Events, else at random."""
    if key is None:
        return random.choice(available or partitions)
    number = 0x811C9DC5  # FNV-1a of 32 bits
    for byte in key:
        number = (number ^ byte) * 0x01000193 & 0xFFFFFFFF
    signed = number - (1 << 32) if number >> 31 else number
    return sorted(partitions)[abs(signed) % len(partitions)]


@contextlib.contextmanager
def _failures(url: str) -> Iterator[None]:
    """Turn what aiokafka raises into :exc:`TriggerError`."""
    url = without_login(url)
    try:
        yield
    except KafkaError as error:
        name, text = type(error).__name__, str(error)
        text = text if name in text else f"{name}: {text}"
        raise TriggerError(f"Kafka at {url}: {text}", retryable=error.retriable) from error
    except (OSError, TimeoutError) as error:
        raise TriggerError(f"Kafka at {url}: {error or type(error).__name__}") from error
    except ValueError as error:
        raise TriggerError(f"Kafka at {url}: {error}", retryable=False) from error


@contextlib.asynccontextmanager
async def _running_producer(**options: Any) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(**options)
    try:
        try:
            await producer.start()
        except KafkaConnectionError:
            await _try(options)
            raise
        yield producer
    finally:
        closing = asyncio.create_task(producer.stop())
        _, late = await asyncio.wait([closing], timeout=CLOSE)
        if late:  # records wait for brokers that do not answer; their actions have ended
            await stop(closing)
            await producer._sender.close()
            await producer.client.close()


async def _try(options: dict[str, Any]) -> None:
    """Connect to the brokers for the reason why that fails, which aiokafka only logs."""
    names = ("client_id", "request_timeout_ms", "security_protocol", "ssl_context")
    settings = {k: v for k, v in options.items() if k in names or k.startswith("sasl_")}
    for host, port, _ in collect_hosts(options["bootstrap_servers"]):
        connection = await create_conn(host, port, **settings)
        connection.close()
