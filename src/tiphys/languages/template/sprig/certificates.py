"""
Private keys and certificates.

They need the module ``cryptography``, which is imported when one of them is called.
"""

from __future__ import annotations

import datetime
import ipaddress
import secrets
from typing import TYPE_CHECKING, Any

from tiphys.languages._errors import EvaluationError
from tiphys.languages.template.functions import Function, function
from tiphys.languages.template.limits import MAX_WORK
from tiphys.languages.template.printing import display
from tiphys.languages.template.sprig.encoding import decode_base64
from tiphys.languages.template.sprig.passwords import missing
from tiphys.languages.template.text import decode, encode
from tiphys.languages.template.values import Certificate, Value

if TYPE_CHECKING:
    from cryptography import x509

__all__ = ["FUNCTIONS"]

_SLOW = MAX_WORK // 4
_SLOWEST = MAX_WORK // 2
_RSA_BITS = 2048
_RSA_BITS_ALONE = 4096  # of keys made without a certificate
_DSA_BITS = 2048
_SERIAL_BITS = 127


def _require() -> None:
    try:
        import cryptography  # noqa: F401
    except ImportError:
        raise missing("cryptography") from None


def _rsa_key(bits: int) -> Any:
    _require()
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def _generate_key(kind: str) -> str:
    """A private key in PEM: ``rsa`` or nothing, ``dsa``, ``ecdsa``, or ``ed25519``."""
    _require()
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519

    match kind:
        case "" | "rsa":
            return _key_text(_rsa_key(_RSA_BITS_ALONE))
        case "dsa":
            return _key_text(dsa.generate_private_key(_DSA_BITS))
        case "ecdsa":
            return _key_text(ec.generate_private_key(ec.SECP256R1()))
        case "ed25519":
            return _key_text(ed25519.Ed25519PrivateKey.generate())
    return f"Unknown type {kind}"


def _key_text(key: Any) -> str:
    """A key in its traditional form; Ed25519 has none but PKCS #8."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519

    form = serialization.PrivateFormat.TraditionalOpenSSL
    if isinstance(key, ed25519.Ed25519PrivateKey):
        form = serialization.PrivateFormat.PKCS8
    pem = serialization.Encoding.PEM
    data: bytes = key.private_bytes(pem, form, serialization.NoEncryption())
    return data.decode()


def _read_key(text: str) -> Any:
    _require()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        return serialization.load_pem_private_key(encode(text), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise EvaluationError(f"parsing private key: {error}") from None


def _read_certificate(text: str) -> x509.Certificate:
    _require()
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(encode(text))
    except ValueError as error:
        raise EvaluationError(f"unable to decode certificate: {error}") from None


def _names(ips: list[Value], hosts: list[Value]) -> list[x509.GeneralName]:
    """The subject's alternative names; raises EvaluationError for what is none."""
    from cryptography import x509

    names: list[x509.GeneralName] = []
    for host in hosts:
        if not isinstance(host, str):
            shown = display(host)
            raise EvaluationError(f"error processing alternate dns name: {shown} is not a string")
        try:
            names.append(x509.DNSName(host))
        except ValueError as error:
            raise EvaluationError(f"error creating certificate: {error}") from None
    for ip in ips:
        if not isinstance(ip, str):
            raise EvaluationError(f"error parsing ip: {display(ip)} is not a string")
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(ip)))
        except ValueError:
            raise EvaluationError(f"error parsing ip: {ip}") from None
    return names


def _build(
    name: str,
    days: int,
    key: Any,
    alternatives: tuple[list[Value], list[Value]] = ([], []),
    *,
    is_authority: bool = False,
    signer: Certificate | None = None,
) -> Certificate:
    """
    A certificate for *key*, signed by *signer* or by itself.

    *alternatives* are the addresses and host names that it is good for, besides *name*.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519

    signing_key = _read_key(signer.Key) if signer else key
    parent = _read_certificate(signer.Cert) if signer else None
    digest = None if isinstance(signing_key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    names = _names(*alternatives)
    try:
        builder = _builder(name, days, key, parent)
        for extension, critical in _extensions(is_authority, key, parent):
            builder = builder.add_extension(extension, critical=critical)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.sign(signing_key, digest)
    except (ValueError, TypeError, OverflowError) as error:
        raise EvaluationError(f"error creating certificate: {error}") from None
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    return Certificate(pem.decode(), _key_text(key))


def _builder(
    name: str, days: int, key: Any, parent: x509.Certificate | None
) -> x509.CertificateBuilder:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    now = datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else [])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(parent.subject if parent else subject)
        .public_key(key.public_key())
        .serial_number(secrets.randbits(_SERIAL_BITS) + 1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def _extensions(
    is_authority: bool, key: Any, parent: x509.Certificate | None
) -> list[tuple[x509.ExtensionType, bool]]:
    """The extensions that every certificate has, each with whether it is critical."""
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    usage = x509.KeyUsage(
        digital_signature=True,
        key_encipherment=True,
        key_cert_sign=is_authority,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (usage, True),
        (x509.ExtendedKeyUsage(purposes), False),
        (x509.BasicConstraints(ca=is_authority, path_length=None), True),
    ]
    if is_authority:
        extensions.append((x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False))
    if parent is not None:
        authority = parent.public_key()
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority)  # type: ignore[arg-type]
        extensions.append((identifier, False))
    return extensions


def _authority(name: str, days: int) -> Certificate:
    return _build(name, days, _rsa_key(_RSA_BITS), is_authority=True)


def _authority_with_key(name: str, days: int, key: str) -> Certificate:
    return _build(name, days, _read_key(key), is_authority=True)


def _self_signed(
    name: str, ips: list[Value], hosts: list[Value], days: int, key: str | None = None
) -> Certificate:
    signee = _rsa_key(_RSA_BITS) if key is None else _read_key(key)
    return _build(name, days, signee, (ips, hosts))


def _signed(
    name: str,
    ips: list[Value],
    hosts: list[Value],
    days: int,
    signer: Certificate,
    key: str | None = None,
) -> Certificate:
    signee = _rsa_key(_RSA_BITS) if key is None else _read_key(key)
    return _build(name, days, signee, (ips, hosts), signer=signer)


def _custom(certificate: str, key: str) -> Certificate:
    """A certificate and key that are given in base64; raises EvaluationError for broken ones."""
    texts = []
    for text, part in ((certificate, "certificate"), (key, "private key")):
        try:
            texts.append(decode(decode_base64(text)))
        except EvaluationError:
            raise EvaluationError(f"unable to decode base64 {part}") from None
    _read_certificate(texts[0])
    _read_key(texts[1])
    return Certificate(*texts)


FUNCTIONS: dict[str, Function] = {
    "buildCustomCert": function("string string", _custom),
    "genCA": function("string int", _authority, _SLOW),
    "genCAWithKey": function("string int string", _authority_with_key),
    "genPrivateKey": function("string", _generate_key, _SLOWEST),
    "genSelfSignedCert": function("string list list int", _self_signed, _SLOW),
    "genSelfSignedCertWithKey": function("string list list int string", _self_signed),
    "genSignedCert": function("string list list int certificate", _signed, _SLOW),
    "genSignedCertWithKey": function("string list list int certificate string", _signed),
}
