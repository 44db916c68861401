"""TLS of the listener: a context built from a certificate and a key held in memory."""

from __future__ import annotations

import dataclasses
import hashlib
import ssl
import tempfile
from pathlib import Path

from tiphys.errors import SecretError


@dataclasses.dataclass(frozen=True, slots=True)
class ServerTLS:
    """
    What a port needs to speak TLS.

    Two of them are equal when certificate and key are, so endpoints that share a port may each
    bring their own copy.
    """

    context: ssl.SSLContext = dataclasses.field(compare=False, repr=False)
    fingerprint: str


def server_tls(certificate: str, key: str) -> ServerTLS:
    """
    Build the TLS side of a server from PEM texts; the certificate may carry its chain.

    Raises :exc:`SecretError` when they are broken or do not belong together.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    with tempfile.TemporaryDirectory(prefix="tiphys-") as folder:  # only the owner may enter it
        certificate_file, key_file = Path(folder, "tls.crt"), Path(folder, "tls.key")
        certificate_file.write_text(certificate)
        key_file.write_text(key)
        try:
            context.load_cert_chain(certificate_file, key_file, password=_no_password)
        except (ssl.SSLError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise SecretError(
                f"the server certificate and key cannot be used ({reason}); "
                "both must be PEM, the key without a password, and belong together"
            ) from error
    digest = hashlib.sha256(f"{certificate}\0{key}".encode()).hexdigest()
    return ServerTLS(context, digest)


def _no_password() -> str:
    raise ValueError("the key is protected by a password")
