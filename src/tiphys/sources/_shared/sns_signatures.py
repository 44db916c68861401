"""
Signatures of Amazon SNS: RSA over the named members of a message (SNS Developer Guide).

The certificate comes from an address in the message, which must be one of SNS itself.
"""

from __future__ import annotations

import base64
import binascii
import re
import ssl
from collections.abc import Mapping

import aiohttp
from yarl import URL

from tiphys.aio import Clock
from tiphys.errors import MissingExtraError, SourceError
from tiphys.sources._shared.failures import reason

HOST = re.compile(r"sns\.[a-zA-Z0-9-]{3,}\.amazonaws\.com(\.cn)?")
NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
HASHES = {"1": "SHA1", "2": "SHA256"}  # by SignatureVersion
LARGEST = 65 << 10  # bytes of a certificate
KEPT = 8  # certificates; SNS uses one for months
BUSY = (408, 429)  # statuses after which another attempt may fare better, beside those from 500 on
TIMEOUT = aiohttp.ClientTimeout(total=10)


class BadSignature(ValueError):
    """The message is not signed by SNS; the text says what is wrong."""


def require_cryptography() -> None:
    """Raises :exc:`MissingExtraError` when no signature can be checked."""
    try:
        import cryptography  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtraError("event source", "sns", "cryptography") from error


def covered(message: Mapping[str, str]) -> bytes:
    """The text that is signed; a subject that there is not is left out."""
    names = NOTIFICATION if message["Type"] == "Notification" else CONFIRMATION
    signed = [name for name in names if name != "Subject" or message[name]]
    return "".join(f"{name}\n{message[name]}\n" for name in signed).encode()


class Signatures:
    """Checks messages; remembers the last certificates."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._certificates: dict[str, bytes] = {}

    async def check(self, message: Mapping[str, str]) -> None:
        """
        Demand that SNS has signed *message*, which has all its members, empty where need be.

        Raises :exc:`BadSignature`, and :exc:`SourceError` when the certificate cannot be had now.
        """
        algorithm = HASHES.get(message["SignatureVersion"])
        if algorithm is None:
            raise BadSignature("the signature version is neither 1 nor 2")
        try:
            signature = base64.b64decode(message["Signature"], validate=True)
        except (binascii.Error, ValueError):
            raise BadSignature("the signature is not base64") from None
        if not signature:
            raise BadSignature("the message is not signed")
        url = _certificate_url(message["SigningCertURL"])
        certificate = self._certificates.get(str(url)) or await _fetch(url)
        self._verify(certificate, signature, covered(message), algorithm)
        self._certificates[str(url)] = certificate
        while len(self._certificates) > KEPT:
            del self._certificates[next(iter(self._certificates))]

    def _verify(self, pem: bytes, signature: bytes, text: bytes, algorithm: str) -> None:
        from cryptography import x509
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding, rsa

        try:
            certificate = x509.load_pem_x509_certificate(pem)
        except ValueError:
            raise BadSignature("there is no certificate at SigningCertURL") from None
        first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if not first <= self._clock.now() <= last:
            raise BadSignature("the certificate at SigningCertURL is not valid now")
        key = certificate.public_key()
        if not isinstance(key, rsa.RSAPublicKey):
            raise BadSignature("the certificate at SigningCertURL holds no RSA key")
        try:
            key.verify(signature, text, padding.PKCS1v15(), getattr(hashes, algorithm)())
        except InvalidSignature:
            raise BadSignature("the signature does not match") from None


def _certificate_url(text: str) -> URL:
    """Where the certificate is, provided that it is SNS that has it."""
    try:
        url = URL(text)
        trusted = (
            url.scheme == "https"
            and HOST.fullmatch(url.host or "") is not None
            and url.port == 443
            and url.user is None
            and url.path.endswith(".pem")
        )
    except ValueError:
        trusted = False
    if not trusted:
        raise BadSignature("SigningCertURL is not an address of SNS")
    return url


async def _fetch(url: URL) -> bytes:
    """Raises :exc:`SourceError` where it may work later, and :exc:`BadSignature` otherwise."""
    try:
        async with (
            aiohttp.ClientSession(timeout=TIMEOUT, trust_env=True) as session,
            session.get(url, allow_redirects=False, ssl=ssl.create_default_context()) as answer,
        ):
            content = await answer.content.read(LARGEST + 1)
            while not answer.content.at_eof() and len(content) <= LARGEST:
                content += await answer.content.read(LARGEST + 1 - len(content))
    except (aiohttp.ClientError, OSError) as error:
        raise SourceError(f"the certificate of SNS cannot be fetched: {reason(error)}") from error
    if answer.status >= 500 or answer.status in BUSY:
        raise SourceError(f"{url.host} gives no certificate: status {answer.status}")
    if answer.status != 200 or len(content) > LARGEST:
        raise BadSignature("there is no certificate at SigningCertURL")
    return content
