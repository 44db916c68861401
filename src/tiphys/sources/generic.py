"""Generic: a server of one's own that gives events over gRPC (spec: event sources 10)."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc
from grpc import aio
from pydantic import Field

from tiphys.errors import SourceError
from tiphys.manifests.common import EXTENSION, TLS, SecretRef, SourceConfig
from tiphys.sources._base import Incoming, Source, SourceContext, source
from tiphys.sources._shared.embedding import NotJSON, embedded
from tiphys.sources._shared.eventing import METHOD, NotAMessage, payload_of, start_request
from tiphys.sources._shared.failures import CONNECT, refused, unreachable
from tiphys.sources._shared.rules import missing, tls_problems

KEEPALIVE = 330.0  # seconds; servers throw out who asks more often than every five minutes
KEEPALIVE_ANSWER = 20.0  # seconds
CONSENT = 2.0  # seconds after which a stream that was not refused counts as accepted


class Config(SourceConfig):
    """Where the server is, and what it is told."""

    url: str = Field("", description="Host and port of the server.", examples=["events:8080"])
    config: str = Field("", description="Text that the server is given; it knows what it means.")
    insecure: bool = Field(False, description="Speak without TLS.")
    tls: TLS | None = Field(
        None,
        description="Trusted roots and client certificate; without it, the roots of the system.",
        json_schema_extra=EXTENSION,
    )
    json_body: bool = Field(
        False, description="Payloads are JSON and embedded as such, otherwise as base64."
    )
    auth_secret: SecretRef | None = Field(
        None, description="Secret that holds a token, sent as `authorization: Bearer …`."
    )


@source("generic", delivery="at-most-once", replicas="one")
class Generic(Source[Config]):
    """Calls ``Eventing.StartEventSource`` and turns what it streams into events."""

    def check(self) -> list[str]:
        """What is wrong with the options."""
        config = self.config
        problems = missing(url=config.url, config=config.config) + tls_problems(config.tls)
        if config.url.lower().startswith(("http://", "https://")):
            problems.append("`url` is host:port, without a scheme")
        elif "@" in config.url:  # gRPC would take it for a name, and quote it
            problems.append("`url` is host:port, without a login; `authSecret` is for that")
        if config.tls and config.tls.insecure_skip_verify:
            problems.append("`tls.insecureSkipVerify` does not exist with gRPC; give the roots")
        if config.tls and config.insecure:
            problems.append("`insecure` and `tls` exclude each other")
        return problems

    async def events(self, ctx: SourceContext) -> AsyncIterator[Incoming]:
        """Start the stream; one that ends is an error, so that it is started again."""
        async with self._channel(await self._credentials(ctx)) as channel:
            await self._connect(channel)
            call = channel.unary_stream(METHOD)(
                start_request(ctx.event_name, self.config.config),
                metadata=await self._metadata(ctx),
            )
            # Until its first event, a server that accepts the call says nothing.
            consent = asyncio.get_running_loop().call_later(CONSENT, ctx.connected)
            try:
                async with aclosing(aiter(call)) as messages:
                    async for message in messages:
                        yield self._incoming(message)
            except aio.AioRpcError as error:
                raise self._failure(channel, error) from error
            finally:
                consent.cancel()
                call.cancel()
        raise SourceError(f"{self._name} ended the stream")

    def _incoming(self, message: bytes) -> Incoming:
        try:
            body = embedded(payload_of(message), as_json=self.config.json_body)
        except NotAMessage as error:
            return Incoming({}, problem=f"the server sent no event: {error}")
        except NotJSON as error:
            return Incoming({}, problem=f"the payload of an event is not JSON: {error}")
        return Incoming({"body": body})

    @property
    def _name(self) -> str:
        return f"the gRPC server at {self.config.url}"

    @contextlib.asynccontextmanager
    async def _channel(self, credentials: grpc.ChannelCredentials | None) -> AsyncIterator[Any]:
        options = [
            ("grpc.keepalive_time_ms", int(KEEPALIVE * 1000)),
            ("grpc.keepalive_timeout_ms", int(KEEPALIVE_ANSWER * 1000)),
            ("grpc.http2.ping_timeout_ms", int(KEEPALIVE_ANSWER * 1000)),
            ("grpc.http2.max_pings_without_data", 0),  # no limit, the stream may be quiet
            ("grpc.use_local_subchannel_pool", 1),  # no waiting for the failures of others
        ]
        if credentials is None:
            channel = aio.insecure_channel(self.config.url, options)
        else:
            channel = aio.secure_channel(self.config.url, credentials, options)
        try:
            yield channel
        finally:
            await channel.close()

    async def _connect(self, channel: Any) -> None:
        """Wait for the connection; one that fails is left to the call, which says why."""
        try:
            async with asyncio.timeout(CONNECT):
                state = channel.get_state(try_to_connect=True)
                while state not in (
                    grpc.ChannelConnectivity.READY,
                    grpc.ChannelConnectivity.TRANSIENT_FAILURE,
                ):
                    await channel.wait_for_state_change(state)
                    state = channel.get_state(try_to_connect=True)
        except TimeoutError as error:
            raise unreachable(self._name, error) from error

    def _failure(self, channel: Any, error: aio.AioRpcError) -> SourceError:
        details = error.details() or error.code().name
        if error.code() in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
            return refused(self._name, details)
        if channel.get_state() is grpc.ChannelConnectivity.TRANSIENT_FAILURE:
            return SourceError(f"{self._name} cannot be reached: {details}")
        return SourceError(f"the stream of {self._name} broke: {error.code().name}: {details}")

    async def _metadata(self, ctx: SourceContext) -> list[tuple[str, str]]:
        token = await ctx.maybe_secret(self.config.auth_secret)
        return [] if token is None else [("authorization", f"Bearer {token}")]

    async def _credentials(self, ctx: SourceContext) -> grpc.ChannelCredentials | None:
        if self.config.insecure:
            return None
        tls = self.config.tls or TLS()
        roots = await ctx.maybe_secret(tls.ca_cert_secret)
        key = await ctx.maybe_secret(tls.client_key_secret)
        certificate = await ctx.maybe_secret(tls.client_cert_secret)
        return grpc.ssl_channel_credentials(
            system_roots() if roots is None else roots.encode(),
            key and key.encode(),
            certificate and certificate.encode(),
        )


def system_roots() -> bytes | None:
    """The roots that the system trusts, PEM; None, which means gRPC's own, when it has none."""
    roots = ssl.create_default_context().get_ca_certs(binary_form=True)
    return "".join(map(ssl.DER_cert_to_PEM_cert, roots)).encode() or None
