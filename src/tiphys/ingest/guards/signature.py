"""A signature over the body, by any sender (extension ``hmac``)."""

from __future__ import annotations

import base64
import binascii
import hmac
import re

from tiphys.aio import Clock
from tiphys.errors import ManifestError
from tiphys.ingest._types import Refused, Request
from tiphys.ingest.guards._key import SecretReader, key_of
from tiphys.ingest.headers import ABSENT, canonical_name
from tiphys.manifests.webhook import HMAC

AUTHORIZATION = "Authorization"
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_HEX = re.compile(r"[0-9A-Fa-f]+")


class SignatureGuard:
    """
    Demands the signature of whoever knows the shared key.

    With a timestamp header the signature covers ``<time>.<body>`` and must be fresh, so a request
    that was recorded cannot be sent again later.  The Secret is read for every request.

    Raises :exc:`tiphys.errors.ManifestError` for headers that no request could carry it in.
    """

    def __init__(self, settings: HMAC, secret: SecretReader, clock: Clock) -> None:
        self._settings = settings
        self._secret = secret
        self._clock = clock
        self._header = _header(settings.header, "hmac.header")
        self._time_header = ""
        if settings.timestamp_header:
            self._time_header = _header(settings.timestamp_header, "hmac.timestampHeader")
        # The time is read again for the event's id, when what authorizes the sender is masked.
        if self._time_header in (self._header, AUTHORIZATION):
            raise ManifestError("the time needs a header of its own", path="hmac.timestampHeader")

    async def check(self, request: Request) -> None:
        """Refuse a request whose signature is missing, wrong or stale."""
        given = self._given(request.header(self._header))
        self._check_time(request)
        key = await key_of(self._settings.secret, self._secret, "Error loading signature key")
        expected = hmac.digest(key, covered_by(self._settings, request), self._settings.algorithm)
        if not hmac.compare_digest(given, expected):
            raise Refused(401, "the signature does not match", reason="signature")

    def _given(self, text: str) -> bytes:
        settings = self._settings
        if not text:
            raise Refused(401, f"the header {self._header} is missing", reason="signature")
        if not text.startswith(settings.prefix):
            raise Refused(401, "the signature has another form", reason="signature")
        text = text.removeprefix(settings.prefix)
        signature = _from_hex(text) if settings.encoding == "hex" else _from_base64(text)
        if signature is None:
            raise Refused(401, "the signature has another form", reason="signature")
        return signature

    def _check_time(self, request: Request) -> None:
        """Refuse a request without a recent time, where one is asked for."""
        if not self._settings.timestamp_header:
            return
        text = request.header(self._time_header)
        if not (text.isascii() and text.isdigit() and len(text) < 16):
            raise Refused(401, f"the header {self._time_header} is missing", reason="signature")
        if abs(self._clock.now().timestamp() - int(text)) > self._settings.tolerance:
            raise Refused(401, "the signature is too old", reason="replay")


def covered_by(settings: HMAC, request: Request) -> bytes:
    """
    What the signature of a request covers; the same for every way to spell the signature.

    To be read from a request that passed the guard.
    """
    if not settings.timestamp_header:
        return request.body
    time = request.header(canonical_name(settings.timestamp_header.encode()))
    return time.encode() + b"." + request.body


def _header(name: str, path: str) -> str:
    """The canonical name of a header.  Raises :exc:`ManifestError`."""
    if not name:
        raise ManifestError("the name of the header is missing", path=path)
    if not _HEADER.fullmatch(name):
        raise ManifestError(f"{name!r} is no name of a header", path=path)
    if name.lower().encode() in ABSENT:
        raise ManifestError(f"{name} is for the server alone and carries nothing else", path=path)
    return canonical_name(name.encode())


def _from_hex(text: str) -> bytes | None:
    """The bytes, None for what is not hexadecimal; capitals are as good as small letters."""
    if not _HEX.fullmatch(text) or len(text) % 2:
        return None
    return bytes.fromhex(text)


def _from_base64(text: str) -> bytes | None:
    """The bytes, None for what is not base64 as an encoder writes it."""
    try:
        signature = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None
    return signature if base64.b64encode(signature).decode() == text else None
