"""A certificate authority that lives as long as the server, with the certificates it gives out."""

from __future__ import annotations

import ipaddress
import ssl
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tiphys.errors import MissingExtraError
from tiphys.testing.kubernetes._requests import User

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

AGE = timedelta(days=2)


class Authority:
    """
    Signs the server's certificate and those of users.

    Raises :exc:`MissingExtraError` without the module ``cryptography``.
    """

    def __init__(self) -> None:
        try:
            from cryptography.hazmat.primitives.asymmetric import ec
        except ImportError:
            raise MissingExtraError("API server", "tls", "cryptography") from None
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._root = self._signed("tiphys testing authority", (), self._key, authority=True)
        self.pem = _pem(self._root)
        """The authority's certificate."""

    def server(self) -> ssl.SSLContext:
        """What the server presents on the loopback; it asks for certificates of users."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_verify_locations(cadata=self.pem)
        context.verify_mode = ssl.CERT_OPTIONAL
        certificate, key = self.issue("kube-apiserver", ())
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory, "server.pem")
            file.write_text(certificate + key)
            context.load_cert_chain(file)
        return context

    def issue(self, name: str, groups: Sequence[str]) -> tuple[str, str]:
        """A certificate for *name* in *groups*, and its key."""
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return _pem(self._signed(name, groups, key)), private.decode()

    def _signed(
        self,
        name: str,
        groups: Sequence[str],
        key: ec.EllipticCurvePrivateKey,
        *,
        authority: bool = False,
    ) -> x509.Certificate:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes

        oid = x509.NameOID
        subject = x509.Name(
            [x509.NameAttribute(oid.ORGANIZATION_NAME, group) for group in groups]
            + [x509.NameAttribute(oid.COMMON_NAME, name)]
        )
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if authority else self._root.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + AGE)
        )
        for extension, critical in _extensions(key, self._key, authority):
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(self._key, hashes.SHA256())


def user_of(certificate: Mapping[str, Any] | None) -> User | None:
    """Whom a certificate names that the server has verified; groups are its organizations."""
    if not certificate:
        return None
    parts = [pair for attribute in certificate["subject"] for pair in attribute]
    groups = tuple(value for key, value in parts if key == "organizationName")
    names = [value for key, value in parts if key == "commonName"]
    return User(names[0], (*groups, "system:authenticated"))


def _extensions(
    key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey, authority: bool
) -> list[tuple[x509.ExtensionType, bool]]:
    from cryptography import x509

    common: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=authority, path_length=None), True),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False),
    ]
    if authority:
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
            key_encipherment=False, data_encipherment=False, key_agreement=False,
            encipher_only=False, decipher_only=False,
        )  # fmt: skip
        return [*common, (usage, True)]
    names = [
        x509.DNSName("localhost"),
        x509.DNSName("kubernetes.default.svc"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    return [*common, (x509.SubjectAlternativeName(names), False)]


def _pem(certificate: x509.Certificate) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM).decode()
