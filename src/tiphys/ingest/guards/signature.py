"""A signature over the body, by any sender (extension ``hmac``)."""

from __future__ import annotations

import base64
import binascii
import hmac

from tiphys.aio import Clock
from tiphys.ingest._types import Refused, Request
from tiphys.ingest.guards._key import SecretReader, key_of
from tiphys.ingest.headers import canonical_name
from tiphys.manifests.webhook import HMAC


class SignatureGuard:
    """
    Demands the signature of whoever knows the shared key.

    With a timestamp header the signature covers ``<time>.<body>`` and must be fresh, so a request
    that was recorded cannot be sent again later.  The Secret is read for every request.
    """

    def __init__(self, settings: HMAC, secret: SecretReader, clock: Clock) -> None:
        self._settings = settings
        self._secret = secret
        self._clock = clock
        self._header = canonical_name(settings.header.encode())
        self._time_header = canonical_name(settings.timestamp_header.encode())

    async def check(self, request: Request) -> None:
        """Refuse a request whose signature is missing, wrong or stale."""
        given = self._given(request.header(self._header))
        covered = self._fresh_time(request) + request.body
        key = await key_of(self._settings.secret, self._secret, "Error loading signature key")
        expected = hmac.digest(key, covered, self._settings.algorithm)
        if not hmac.compare_digest(given, expected):
            raise Refused(401, "the signature does not match", reason="signature")

    def _given(self, text: str) -> bytes:
        settings = self._settings
        if not text:
            raise Refused(401, f"the header {self._header} is missing", reason="signature")
        if not text.startswith(settings.prefix):
            raise Refused(401, "the signature has another form", reason="signature")
        text = text.removeprefix(settings.prefix)
        try:
            if settings.encoding == "hex":
                return bytes.fromhex(text)
            return base64.b64decode(text, validate=True)
        except (ValueError, binascii.Error):
            raise Refused(401, "the signature has another form", reason="signature") from None

    def _fresh_time(self, request: Request) -> bytes:
        """What precedes the body under the signature: nothing, or a time that is recent."""
        if not self._settings.timestamp_header:
            return b""
        text = request.header(self._time_header)
        if not (text.isascii() and text.isdigit() and len(text) < 16):
            raise Refused(401, f"the header {self._time_header} is missing", reason="signature")
        if abs(self._clock.now().timestamp() - int(text)) > self._settings.tolerance:
            raise Refused(401, "the signature is too old", reason="replay")
        return text.encode() + b"."
