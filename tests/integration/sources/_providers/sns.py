"""
What signs messages as SNS does, and the server that has the certificate.

The server stands for ``https://sns.eu-central-1.amazonaws.com``; it is reached through a proxy
that leads every name to it, and trusted because its authority is.
"""

from __future__ import annotations

import asyncio
import base64
import datetime
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Self

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

HOST = "sns.eu-central-1.amazonaws.com"
PATH = "/SimpleNotificationService-9c6465fa7f48f5cacd23014631ec1136.pem"
URL = f"https://{HOST}{PATH}"
SIGNED = {
    "Notification": ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
    "SubscriptionConfirmation": [
        "Message",
        "MessageId",
        "SubscribeURL",
        "Timestamp",
        "Token",
        "TopicArn",
        "Type",
    ],
}
ALGORITHMS: dict[str, hashes.HashAlgorithm] = {"1": hashes.SHA1(), "2": hashes.SHA256()}


class Signer:
    """A key, and its certificate for a name: our own unless another authority signs it."""

    def __init__(self, name: str, authority: Signer | None = None, age: int = 1) -> None:
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.key = rsa.generate_private_key(65537, 2048)
        issuer = authority or self
        start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=age)
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(issuer.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + datetime.timedelta(days=2))
            .add_extension(x509.BasicConstraints(ca=authority is None, path_length=None), True)
        )
        if authority is not None:
            names = x509.SubjectAlternativeName([x509.DNSName(name)])
            builder = builder.add_extension(names, False)
        certificate = builder.sign(issuer.key, hashes.SHA256())
        self.certificate = certificate.public_bytes(serialization.Encoding.PEM)

    def sign(self, message: dict[str, str], version: str = "1") -> dict[str, str]:
        """The message with its signature."""
        message = {**message, "SignatureVersion": version, "SigningCertURL": URL}
        text = "".join(
            f"{name}\n{message[name]}\n" for name in SIGNED[message["Type"]] if name in message
        )
        signature = self.key.sign(text.encode(), padding.PKCS1v15(), ALGORITHMS[version])
        return {**message, "Signature": base64.b64encode(signature).decode()}

    def files(self, directory: Path) -> tuple[Path, Path]:
        """Certificate and key as files."""
        certificate, key = directory / "host.crt", directory / "host.key"
        certificate.write_bytes(self.certificate)
        key.write_bytes(
            self.key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return certificate, key


class CertificateHost:
    """Serves :attr:`content` under the name of SNS, and is the proxy that leads to it."""

    def __init__(self, directory: Path) -> None:
        self._authority = Signer("authority")
        self.trusted = directory / "authority.crt"
        self.trusted.write_bytes(self._authority.certificate)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*Signer(HOST, self._authority).files(directory))
        self.content = b""
        self.status = 200
        self.fetched = 0
        app = web.Application()
        app.router.add_get(PATH, self._answer)
        self._runner = web.AppRunner(app, access_log=None)
        self._copies: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._context)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self._proxy = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.proxy = f"http://127.0.0.1:{self._proxy.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._proxy.close()
        await self._runner.cleanup()
        for copy in self._copies:
            copy.cancel()
        await asyncio.gather(*self._copies, return_exceptions=True)

    async def _answer(self, _request: web.Request) -> web.Response:
        self.fetched += 1
        return web.Response(status=self.status, body=self.content)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one ``CONNECT``, and pass on what both sides say."""
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(f"CONNECT {HOST}:443 ".encode()), head
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._port)
        for source, target in ((reader, there_writer), (there_reader, writer)):
            copy = asyncio.create_task(_copy(source, target))
            self._copies.add(copy)
            copy.add_done_callback(self._copies.discard)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()
