"""
The stream of notifications of a MinIO server, on the loopback.

Written from MinIO's documentation of ``ListenBucketNotification`` and Amazon's of Signature
Version 4; the signature is checked here without any code of ours.
"""

from __future__ import annotations

import asyncio
import contextlib
import fnmatch
import hashlib
import hmac
import re
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote

import orjson
from aiohttp import web

from tests._ports import free_port

ACCESS_KEY, SECRET_KEY = "worker", "secret-key"
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, "
    r"SignedHeaders=([^,]+), Signature=([0-9a-f]{64})"
)


class Refusal(Exception):
    """An error in the form of S3."""

    def __init__(self, status: int, code: str, region: str = "") -> None:
        super().__init__(code)
        self.status, self.code, self.region = status, code, region


class MinIO:
    """
    A server with the bucket ``photos``, which is in *region*.

    With *tls* it speaks TLS.  :attr:`ping` is the pause between its signs of life, whatever the
    client asks for.
    """

    def __init__(self, region: str = "eu-west-1", tls: ssl.SSLContext | None = None) -> None:
        self.port = free_port()
        self.region = region
        self.ping = 0.05
        self.location_is_forbidden = False
        self.status = 0  # to answer instead of listening, where it is not 0
        self.queries: list[list[tuple[str, str]]] = []
        self.listeners: list[asyncio.Queue[bytes | None]] = []
        self._filters: dict[int, dict[str, list[str]]] = {}
        self._tls = tls
        self._going_on = asyncio.Event()
        self._going_on.set()
        self._sequence = 0
        self._runner: web.AppRunner | None = None

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/{bucket}/", self._answer)
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self._tls).start()

    async def stop(self) -> None:
        self.end_streams()
        if self._runner is not None:
            await self._runner.cleanup()

    def end_streams(self) -> None:
        """End every stream in good order."""
        for queue in self.listeners:
            queue.put_nowait(None)

    def pause(self) -> None:
        self._going_on.clear()

    def resume(self) -> None:
        self._going_on.set()

    def say(self, line: bytes) -> None:
        """Send a line to all who listen."""
        for queue in self.listeners:
            queue.put_nowait(line)

    def put(self, key: str, event: str = "s3:ObjectCreated:Put", **members: Any) -> None:
        """Notify of an object, whoever has asked for it."""
        self._sequence += 1
        line = orjson.dumps({"Records": [{**self._record(key, event), **members}]})
        for queue in self.listeners:
            wanted = self._filters[id(queue)]
            if (
                any(fnmatch.fnmatchcase(event, pattern) for pattern in wanted["events"])
                and key.startswith(tuple(wanted["prefix"]))
                and key.endswith(tuple(wanted["suffix"]))
            ):
                queue.put_nowait(line)

    def _record(self, key: str, event: str) -> dict[str, Any]:
        return {
            "eventVersion": "2.0",
            "eventSource": "minio:s3",
            "awsRegion": self.region,
            "eventTime": "2026-11-26T10:00:00.000Z",
            "eventName": event,
            "userIdentity": {"principalId": ACCESS_KEY},
            "requestParameters": {"principalId": ACCESS_KEY, "sourceIPAddress": "127.0.0.1"},
            "responseElements": {"x-amz-request-id": "17AE", "x-minio-deployment-id": "90e8"},
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": "Config",
                "bucket": {
                    "name": "photos",
                    "ownerIdentity": {"principalId": ACCESS_KEY},
                    "arn": "arn:aws:s3:::photos",
                },
                "object": {
                    "key": quote(key, safe=""),
                    "size": 5,
                    "eTag": "5d41402abc4b2a76b9719d911017c592",
                    "contentType": "text/plain",
                    "userMetadata": {"content-type": "text/plain"},
                    "sequencer": f"17AE{self._sequence:012X}",
                },
            },
            "source": {"host": "127.0.0.1", "port": "", "userAgent": "MinIO (linux; amd64)"},
        }

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        await self._going_on.wait()
        query = parse_qsl(request.rel_url.raw_query_string, keep_blank_values=True)
        try:
            return await self._serve(request, query)
        except Refusal as refusal:
            region = f"<Region>{refusal.region}</Region>" if refusal.region else ""
            return web.Response(
                status=refusal.status,
                content_type="application/xml",
                text=f"<Error><Code>{refusal.code}</Code><Message>No.</Message>{region}</Error>",
            )

    async def _serve(
        self, request: web.Request, query: list[tuple[str, str]]
    ) -> web.StreamResponse:
        asks_location = [name for name, _ in query] == ["location"]
        region = check_signature(request, query)
        if request.match_info["bucket"] != "photos":
            raise Refusal(404, "NoSuchBucket")
        if asks_location:
            if self.location_is_forbidden:
                raise Refusal(403, "AccessDenied")
            return web.Response(
                content_type="application/xml",
                text='<?xml version="1.0"?><LocationConstraint xmlns="http://s3.amazonaws.com/doc/'
                f'2006-03-01/">{self.region if self.region != "us-east-1" else ""}'
                "</LocationConstraint>",
            )
        if region != self.region:
            raise Refusal(400, "AuthorizationHeaderMalformed", self.region)
        if self.status:
            raise Refusal(self.status, "XMinioServerNotInitialized")
        self.queries.append(query)
        return await self._listen(request, query)

    async def _listen(
        self, request: web.Request, query: list[tuple[str, str]]
    ) -> web.StreamResponse:
        wanted: dict[str, list[str]] = {"events": [], "prefix": [], "suffix": []}
        for name, value in query:
            wanted.setdefault(name, []).append(value)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._filters[id(queue)] = wanted
        self.listeners.append(queue)
        try:
            with contextlib.suppress(ConnectionError):
                while (line := await self._next(queue)) is not None:
                    await self._going_on.wait()
                    await response.prepare(request)  # not sooner, as the original; once
                    await response.write(line + b"\n")
        finally:
            self.listeners.remove(queue)
        return response

    async def _next(self, queue: asyncio.Queue[bytes | None]) -> bytes | None:
        try:
            async with asyncio.timeout(self.ping):
                return await queue.get()
        except TimeoutError:
            return b'{"Records":null}'


def check_signature(request: web.Request, query: list[tuple[str, str]]) -> str:
    """The region that a request is signed for; raises :exc:`Refusal`."""
    found = AUTHORIZATION.fullmatch(request.headers.get("Authorization", ""))
    if found is None:
        raise Refusal(403, "AccessDenied")
    access_key, day, region, signed, signature = found.groups()
    if access_key != ACCESS_KEY:
        raise Refusal(403, "InvalidAccessKeyId")
    moment = request.headers["X-Amz-Date"]
    if not moment.startswith(day) or "host" not in signed.split(";"):
        raise Refusal(403, "SignatureDoesNotMatch")
    text = "\n".join(
        (
            "AWS4-HMAC-SHA256",
            moment,
            f"{day}/{region}/s3/aws4_request",
            hashlib.sha256(canonical(request, query, signed, request.headers)).hexdigest(),
        )
    )
    key = f"AWS4{SECRET_KEY}".encode()
    for part in (day, region, "s3", "aws4_request", text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    if not hmac.compare_digest(key.hex(), signature):
        raise Refusal(403, "SignatureDoesNotMatch")
    return region


def canonical(
    request: web.Request, query: list[tuple[str, str]], signed: str, headers: Mapping[str, str]
) -> bytes:
    """The text of the request that is signed."""
    pairs = [f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in query]
    lines = [f"{name}:{headers[name].strip()}" for name in signed.split(";")]
    return "\n".join(
        (
            request.method,
            request.rel_url.raw_path,
            "&".join(sorted(pairs)),
            *lines,
            "",
            signed,
            headers["X-Amz-Content-Sha256"],
        )
    ).encode()
