"""A manifest in a bucket: one signed GET (AWS Signature Version 4)."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ssl
from datetime import datetime
from typing import Any
from urllib.parse import quote

import aiohttp
from pydantic import Field
from yarl import URL

from tiphys.errors import TriggerError
from tiphys.manifests.common import TLS, Block, SecretRef
from tiphys.system import without_login
from tiphys.triggers._base import TriggerContext
from tiphys.triggers._shared.http_client import reason
from tiphys.triggers._shared.secrets import retrieving
from tiphys.triggers.artifacts._limits import SECONDS, limited
from tiphys.triggers.artifacts._session import check_host, guarded_session

EMPTY = hashlib.sha256(b"").hexdigest()
DEFAULT_REGION = "us-east-1"
SHOWN = 300  # characters of a refusal that are kept for people


class Bucket(Block):
    """Where the object is."""

    name: str = Field("", description="Name of the bucket.")
    key: str = Field("", description="Key of the object.")


class S3Artifact(Block):
    """An object in a bucket."""

    endpoint: str = Field("", description="Host of the service, with a port if need be.")
    bucket: Bucket | None = Field(None, description="The object.")
    region: str = Field("", description="Region; without one the server is asked.")
    insecure: bool = Field(False, description="Plain HTTP.")
    access_key: SecretRef | None = Field(None, description="Access key.")
    secret_key: SecretRef | None = Field(None, description="Secret key that belongs to it.")
    ca_certificate: SecretRef | None = Field(
        None, description="PEM bundle that replaces the system's trusted roots."
    )
    events: list[str] = Field([], description="Accepted; without effect.")
    filter: Any = Field(None, description="Accepted; without effect.")
    metadata: dict[str, str] = Field({}, description="Accepted; without effect.")


def problems(artifact: S3Artifact) -> list[str]:
    """What is missing."""
    bucket = artifact.bucket or Bucket()
    given = {
        "endpoint": artifact.endpoint,
        "bucket.name": bucket.name,
        "bucket.key": bucket.key,
        "accessKey": artifact.access_key,
        "secretKey": artifact.secret_key,
    }
    return [f"source.s3.{name} is missing" for name, value in given.items() if not value]


async def read(artifact: S3Artifact, ctx: TriggerContext, *, seconds: float = SECONDS) -> bytes:
    """The object.  Raises :exc:`TriggerError`."""
    if missing := problems(artifact):
        raise TriggerError("; ".join(missing), retryable=False)
    with retrieving("credentials of source.s3"):
        keys = await _keys(artifact, ctx)
        context = await _context(artifact, ctx)
    place = without_login(artifact.endpoint)
    try:
        async with (
            asyncio.timeout(seconds),
            guarded_session(ctx.egress, context) as session,
        ):
            check_host(_url(artifact), ctx.egress)
            return await _read(session, artifact, keys, ctx)
    except TimeoutError as error:
        raise TriggerError(f"{place} did not answer within {seconds:g} s") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise TriggerError(f"no answer from {place}: {reason(error)}") from error


def signed_headers(
    url: URL, region: str, keys: tuple[str, str], moment: datetime
) -> dict[str, str]:
    """The headers of a GET without a body and without a query, signed with *keys*."""
    access, secret = keys
    time = moment.strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": url.host_port_subcomponent or "", "x-amz-content-sha256": EMPTY,
               "x-amz-date": time}  # fmt: skip
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = "\n".join(["GET", url.raw_path, "", lines, names, EMPTY])
    scope = f"{time[:8]}/{region}/s3/aws4_request"
    text = "\n".join(
        ["AWS4-HMAC-SHA256", time, scope, hashlib.sha256(canonical.encode()).hexdigest()]
    )
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.new(key, text.encode(), "sha256").hexdigest()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={access}/{scope}, SignedHeaders={names}, "
        f"Signature={signature}"
    )
    return headers


async def _read(
    session: aiohttp.ClientSession,
    artifact: S3Artifact,
    keys: tuple[str, str],
    ctx: TriggerContext,
) -> bytes:
    """One GET, and a second one where the server says that the region is another."""
    url = _url(artifact)
    region = artifact.region or DEFAULT_REGION
    for last in (False, True):
        headers = signed_headers(url, region, keys, ctx.clock.now())
        async with session.get(url, headers=headers, allow_redirects=False) as answer:
            if answer.status == 200:
                return await limited(answer.content, f"s3://{url.host}{url.path}")
            told = answer.headers.get("x-amz-bucket-region", "")
            if told and told != region and not artifact.region and not last:
                region = told
                continue
            said = (await answer.content.read(SHOWN)).decode(errors="replace")
            passes = answer.status >= 500 or answer.status in (408, 429)
            message = f"cannot read {url}: status {answer.status}: {said}"
            raise TriggerError(message, retryable=passes)
    raise AssertionError(region)


def _url(artifact: S3Artifact) -> URL:
    """The address with the bucket in the path, encoded as it is signed."""
    assert artifact.bucket is not None
    path = quote(f"/{artifact.bucket.name}/{artifact.bucket.key.lstrip('/')}", safe="/-_.~")
    scheme = "http" if artifact.insecure else "https"
    return URL(f"{scheme}://{artifact.endpoint}{path}", encoded=True)


async def _keys(artifact: S3Artifact, ctx: TriggerContext) -> tuple[str, str]:
    assert artifact.access_key is not None and artifact.secret_key is not None
    return (
        (await ctx.secret(artifact.access_key)).strip(),
        (await ctx.secret(artifact.secret_key)).strip(),
    )


async def _context(artifact: S3Artifact, ctx: TriggerContext) -> ssl.SSLContext | bool:
    if artifact.ca_certificate is None:
        return True
    return await ctx.tls(TLS(ca_cert_secret=artifact.ca_certificate))
