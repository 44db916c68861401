"""Custom: a gRPC server of the user's own acts (spec: triggers 16)."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio
import orjson
import structlog
from pydantic import Field

from tiphys.errors import TriggerError
from tiphys.manifests.common import Parameter, SecretRef, TriggerConfig
from tiphys.system import without_login
from tiphys.triggers import Firing, Outcome, Trigger, TriggerContext, trigger
from tiphys.triggers._shared import protobuf
from tiphys.triggers._shared.clients import ClientCache, digest
from tiphys.triggers._shared.secrets import retrieving

SERVICE = "/triggers.Trigger"
CONNECT = 5.0  # seconds for the connection
DEADLINE = 300.0  # seconds for each of the three calls
SHOWN = 256  # characters of an answer that are kept for people
# How long gRPC waits before it connects again; by default up to two minutes.
_OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2000),
]
_FINAL = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.UNIMPLEMENTED,
}

log = structlog.get_logger("argo-events.sensor")


class Config(TriggerConfig):
    """Options of the custom trigger."""

    server_url: str = Field(
        "",
        alias="serverURL",
        description="Where the server is, as gRPC writes it.",
        examples=["builder.example.com:9000"],
    )
    secure: bool = Field(False, description="TLS to the server; needs `certSecret`.")
    cert_secret: SecretRef | None = Field(
        None, description="Secret that holds the only certificate authority to trust."
    )
    server_name_override: str = Field(
        "", description="The name that the server's certificate must have, if not its own."
    )
    spec: dict[str, str] = Field({}, description="Handed to the server, as YAML.")
    payload: list[Parameter] | None = Field(
        None, description="Values that make up the document that the server executes."
    )


@trigger("custom", log_name="Custom")
class Custom(Trigger[Config]):
    """
    Three calls per firing, over a channel that is kept.

    ``FetchResource`` turns the spec into a resource, which the parameters change; ``Execute`` acts;
    ``ApplyPolicy`` judges.
    """

    async def start(self, ctx: TriggerContext) -> None:
        """Prepare the channels, which are closed with the sensor."""
        await super().start(ctx)
        self._channels = await ctx.enter(ClientCache[grpc.aio.Channel]())

    async def fetch(self, config: Config) -> bytes:
        """The server's resource for the spec.  Raises :exc:`TriggerError`."""
        channel = await self._channel(config)
        answer = await _call(channel, "FetchResource", protobuf.message(_yaml(config.spec)))
        resource = _bytes(answer.get(1, b""))
        if config.parameters:
            try:
                document = orjson.loads(resource)
            except orjson.JSONDecodeError as error:
                raise self._no_json(str(error)) from error
            if not isinstance(document, dict):
                raise self._no_json("it is no object")
        return resource

    async def fire(self, firing: Firing[Config]) -> Outcome:
        """Execute, then ask for the verdict; a negative one is shown, and no failure."""
        channel = await self._channel(firing.config)
        request = protobuf.message(firing.resource or b"", firing.payload or b"")
        answer = await _call(channel, "Execute", request, action_id=firing.action_id)
        response = _bytes(answer.get(1, b""))
        verdict = await _call(channel, "ApplyPolicy", protobuf.message(response))
        detail = response[:SHOWN].decode(errors="replace")
        if not verdict.get(1, 0):
            text = _bytes(verdict.get(2, b""))[:SHOWN].decode(errors="replace")
            log.warning(
                "The server's policy calls the outcome a failure, which counts as a success",
                sensorName=firing.sensor,
                triggerName=firing.trigger,
                triggerType=self.log_name,
                message=text,
            )
            detail = f"a failure by the server's policy ({text}): {detail}"
        return Outcome(detail=detail)

    @classmethod
    def check(cls, config: Config) -> list[str]:
        """What Argo Events refuses."""
        problems = []
        if not config.server_url:
            problems.append("custom trigger gRPC server url is not defined")
        if not config.spec:
            problems.append("trigger body can't be empty")
        if config.secure and config.cert_secret is None:
            problems.append("certSecret can't be nil when the trigger server connection is secure")
        return problems

    async def _channel(self, config: Config) -> grpc.aio.Channel:
        """A channel that is connected.  Raises :exc:`TriggerError`."""
        with retrieving("certificate"):
            key = await digest(self.ctx, config.cert_secret if config.secure else None)
            channel = await self._channels.get(
                (config.server_url, config.secure, config.server_name_override, key),
                lambda: self._opened(config),
            )
        try:
            async with asyncio.timeout(CONNECT):
                await channel.channel_ready()
        except TimeoutError as error:
            server = without_login(config.server_url)
            message = f"failed to connect to trigger server: {server} is not ready"
            raise TriggerError(message) from error
        return channel

    async def _opened(self, config: Config) -> grpc.aio.Channel:
        if not config.secure:
            return grpc.aio.insecure_channel(config.server_url, options=_OPTIONS)
        if config.cert_secret is None:
            message = "certSecret can't be nil when the trigger server connection is secure"
            raise TriggerError(message, retryable=False)
        authority = (await self.ctx.secret(config.cert_secret)).encode()
        options: list[tuple[str, Any]] = [*_OPTIONS]
        if config.server_name_override:
            options.append(("grpc.ssl_target_name_override", config.server_name_override))
        credentials = grpc.ssl_channel_credentials(authority)
        return grpc.aio.secure_channel(config.server_url, credentials, options=options)

    def _no_json(self, reason: str) -> TriggerError:
        message = (
            f"fetched resource body is not valid JSON for trigger {self.ctx.trigger}, {reason}"
        )
        return TriggerError(message, retryable=False)


async def _call(
    channel: grpc.aio.Channel, method: str, request: bytes, *, action_id: str = ""
) -> dict[int, bytes | int]:
    """The fields of the answer to one call.  Raises :exc:`TriggerError`."""
    metadata = (("idempotency-key", action_id),) if action_id else ()
    try:
        call = channel.unary_unary(f"{SERVICE}/{method}")
        return protobuf.fields(await call(request, timeout=DEADLINE, metadata=metadata))
    except grpc.aio.AioRpcError as error:
        text = f"{method} of the trigger server failed: {error.code().name}: {error.details()}"
        raise TriggerError(text, retryable=error.code() not in _FINAL) from error
    except protobuf.NotProtobuf as error:
        text = f"the answer to {method} is not the one that was agreed on: {error}"
        raise TriggerError(text, retryable=False) from error


def _bytes(value: bytes | int) -> bytes:
    return value if isinstance(value, bytes) else b""


def _yaml(spec: dict[str, str]) -> bytes:
    """
    The spec as YAML, keys sorted.

    Texts are in quotes, so that no version of YAML takes one for something else.
    """
    lines = (orjson.dumps(key) + b": " + orjson.dumps(spec[key]) for key in sorted(spec))
    return b"".join(line + b"\n" for line in lines)
