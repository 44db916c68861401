"""MinIO: what happens to the objects of a bucket (spec: event sources 9.5)."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import aiohttp
import orjson
from pydantic import Field
from yarl import URL

from tiphys.errors import SourceError
from tiphys.manifests.common import TLS, Block, SecretRef, SourceConfig
from tiphys.sources._base import Incoming, Source, SourceContext, source
from tiphys.sources._shared.failures import CONNECT, lost, refused, unreachable
from tiphys.sources._shared.rules import is_address, missing
from tiphys.sources._shared.s3_records import NotARecord, record, record_id
from tiphys.sources._shared.sigv4 import Credentials, query_of, signed_headers
from tiphys.system import without_login

PING = 1  # seconds after which the server shows that it is there; until then it does not answer
SILENCE = 30.0  # seconds without a word after which it is taken for lost
LARGEST = 16 * 1024 * 1024  # bytes of one line
SHOWN = 64 * 1024  # bytes of an answer that is an error
REGION = "us-east-1"  # of servers that do not tell theirs
CREDENTIALS = ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidTokenId")
BUCKET = re.compile(r"[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]")
OTHERS = re.compile(r"(\.amazonaws\.com(\.cn)?|^storage\.googleapis\.com)$")


class Bucket(Block):
    """The bucket."""

    name: str = Field("", description="Name of the bucket.")
    key: str = Field("", description="Without effect.")


class KeyFilter(Block):
    """Which objects count."""

    prefix: str = Field("", description="What the object's key must begin with.")
    suffix: str = Field("", description="What the object's key must end with.")


class Config(SourceConfig):
    """Where to listen, and to what."""

    endpoint: str = Field(
        "", description="Host and port of the server.", examples=["minio.minio:9000"]
    )
    bucket: Bucket | None = Field(None, description="The bucket.")
    access_key: SecretRef | None = Field(None, description="Secret that holds the access key.")
    secret_key: SecretRef | None = Field(None, description="Secret that holds the secret key.")
    events: list[str] = Field(
        [], description="What must happen.", examples=[["s3:ObjectCreated:*"]]
    )
    filter: KeyFilter | None = Field(  # type: ignore[assignment]  # no expression here
        None, description="Which objects count; the server looks at it."
    )
    insecure: bool = Field(False, description="Speak plain HTTP.")
    ca_certificate: SecretRef | None = Field(
        None, description="PEM bundle that replaces the system's trusted roots."
    )
    region: str = Field("", description="Without effect: the server is asked for it.")


@source("minio", delivery="at-most-once", replicas="one")
class MinIO(Source[Config]):
    """Listens to the stream of notifications that a MinIO server offers for a bucket."""

    def check(self) -> list[str]:
        """What is wrong with the options."""
        config = self.config
        bucket = config.bucket.name if config.bucket else ""
        problems = missing(
            endpoint=config.endpoint,
            accessKey=config.access_key,
            secretKey=config.secret_key,
            events=config.events,
            **{"bucket.name": bucket},
        )
        if "/" in config.endpoint:
            problems.append("`endpoint` is host:port, without a scheme or a path")
        elif config.endpoint and not is_address(config.endpoint):
            problems.append(f"`endpoint`: {without_login(config.endpoint)!r} is not host:port")
        elif OTHERS.search(config.endpoint.partition(":")[0]):
            problems.append("`endpoint`: only MinIO servers offer this stream of notifications")
        if bucket and not BUCKET.fullmatch(bucket):
            problems.append(f"`bucket.name`: {bucket!r} is no name of a bucket")
        if not all(config.events):
            problems.append("`events` contains an empty text")
        return problems

    async def events(self, ctx: SourceContext) -> AsyncIterator[Incoming]:
        """Listen, and turn each notification into an event; a stream that ends is an error."""
        config = self.config
        assert config.bucket and config.access_key and config.secret_key
        filter = config.filter or KeyFilter()
        tls = TLS(ca_cert_secret=config.ca_certificate, enabled=True)
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=True if config.insecure else await ctx.tls(tls)),
            timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT, sock_read=SILENCE),
        ) as session:
            server = _Server(session, ctx, config)
            await server.sign_in(
                await ctx.secret(config.access_key), await ctx.secret(config.secret_key)
            )
            events = [("events", event) for event in config.events]
            parameters = [("prefix", filter.prefix), ("suffix", filter.suffix), ("ping", str(PING))]
            async with (
                server.get([*events, *parameters]) as answer,
                aclosing(_lines(answer.content)) as lines,
            ):
                ctx.connected()
                async for line in lines:
                    if (incoming := self._incoming(ctx, line)) is not None:
                        yield incoming
        raise SourceError(f"{server} ended the stream")

    def _incoming(self, ctx: SourceContext, line: bytes) -> Incoming | None:
        try:
            found = orjson.loads(line)
            if not isinstance(found, dict) or not found.get("Records"):
                if isinstance(found, dict) and not found.get("Err"):
                    return None  # it only shows that it is there
                raise NotARecord(line[:200].decode(errors="replace"))
            records = [record(item) for item in found["Records"]]
        except (orjson.JSONDecodeError, NotARecord, TypeError) as error:
            return Incoming({}, problem=f"the server sent no notification: {error}")
        id = record_id(records)
        return Incoming(
            {"notification": records}, id and f"{ctx.event_source}:{ctx.event_name}:{id}"
        )


class _Server:
    """The bucket's server, asked in one session."""

    def __init__(self, session: aiohttp.ClientSession, ctx: SourceContext, config: Config) -> None:
        assert config.bucket
        self._session = session
        self._clock = ctx.clock
        scheme = "http" if config.insecure else "https"
        self._url = URL(f"{scheme}://{config.endpoint}/{config.bucket.name}/", encoded=True)
        self._name = f"MinIO at {config.endpoint}"
        self._who = Credentials("", "", REGION)

    def __str__(self) -> str:
        return self._name

    async def sign_in(self, access_key: str, secret_key: str) -> None:
        """
        Ask for the bucket's region, which is part of every signature.

        This may be forbidden where listening is not; then the region is the usual one.
        """
        self._who = Credentials(access_key, secret_key, REGION)
        try:
            async with self.get([("location", "")]) as answer:
                text = (await answer.content.read(SHOWN)).decode(errors="replace")
        except _Denied as error:
            self._who = Credentials(access_key, secret_key, error.region or REGION)
        else:
            found = re.search(r"<LocationConstraint[^>]*>([^<]+)<", text)
            self._who = Credentials(access_key, secret_key, found[1] if found else REGION)

    @contextlib.asynccontextmanager
    async def get(self, parameters: list[tuple[str, str]]) -> AsyncIterator[aiohttp.ClientResponse]:
        """A signed request; whatever goes wrong becomes a :exc:`SourceError`."""
        query = query_of(parameters)
        host = self._url.host_port_subcomponent or ""
        headers = signed_headers(
            self._who, "s3", host, self._url.raw_path, query, self._clock.now()
        )
        url = URL(f"{self._url}?{query}", encoded=True)
        answered = False
        try:
            async with self._session.get(url, headers=headers, allow_redirects=False) as answer:
                answered = True
                if answer.status != 200:
                    await self._refuse(answer)
                yield answer
        except (aiohttp.ClientError, OSError) as error:
            raise (lost if answered else unreachable)(self._name, error) from error

    async def _refuse(self, answer: aiohttp.ClientResponse) -> None:
        text = (await answer.content.read(SHOWN)).decode(errors="replace")
        code, message = _element(text, "Code"), _element(text, "Message")
        said = f"{code}: {message}" if code else f"status {answer.status}"
        if code in ("AccessDenied", "AuthorizationHeaderMalformed", "InvalidRegion"):
            raise _Denied(str(refused(self._name, said)), _element(text, "Region"))
        if code in CREDENTIALS:
            raise refused(self._name, said)
        raise SourceError(f"{self._name} does not do what it is asked for: {said}")


class _Denied(SourceError):
    """The server does not answer this, or expects another region."""

    def __init__(self, message: str, region: str) -> None:
        super().__init__(message)
        self.region = region


def _element(xml: str, name: str) -> str:
    found = re.search(f"<{name}>([^<]*)</{name}>", xml)
    return found[1] if found else ""


async def _lines(content: aiohttp.StreamReader) -> AsyncGenerator[bytes]:
    """The lines that are not blank; raises :exc:`SourceError` for an enormous one."""
    rest = bytearray()
    async for chunk in content.iter_any():
        rest += chunk
        *lines, last = rest.split(b"\n") if b"\n" in chunk else [rest]
        for line in lines:
            if line.strip():
                yield bytes(line)
        rest = bytearray(last)
        if len(rest) > LARGEST:
            raise SourceError("the server sent a line without end")
