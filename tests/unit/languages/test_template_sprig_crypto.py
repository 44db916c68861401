"""sprig: passwords, keys and certificates, and what is told where a module is missing."""

from __future__ import annotations

import base64
import builtins
import json
import uuid
from typing import Any

import bcrypt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.unit.languages._templates import printed, rendered
from tiphys.languages import EvaluationError

KEY = '(genPrivateKey "ecdsa")'


def test_passwords_are_derived_as_by_master_password() -> None:
    expression = 'derivePassword 1 "{}" "password" "user" "example.com"'

    assert printed(expression.format("long")) == "ZedaFaxcZaso9*"
    assert printed(expression.format("pin")) == "6685"
    assert printed(expression.format("x")) == "cannot find password template x"


def test_random_texts_have_their_length_and_characters() -> None:
    assert printed("randAlphaNum 40").isalnum()
    assert printed("randAlpha 40").isalpha()
    assert printed("randNumeric 40").isdigit()
    assert len(printed("randAscii 40")) == 40
    assert printed("randAlpha -1") == ""
    assert len(base64.b64decode(printed("randBytes 20"))) == 20
    assert uuid.UUID(printed("uuidv4")).version == 4
    assert sorted(printed('shuffle "abcé"')) == sorted("abcé")


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make modules impossible to import."""
    original = builtins.__import__

    def hide(*names: str) -> None:
        def importer(name: str, *arguments: Any, **options: Any) -> Any:
            if name.partition(".")[0] in names:
                raise ImportError(name)
            return original(name, *arguments, **options)

        monkeypatch.setattr(builtins, "__import__", importer)

    return hide


@pytest.mark.parametrize(
    ("expression", "module"),
    [
        ('bcrypt "x"', "bcrypt"),
        ('htpasswd "u" "x"', "bcrypt"),
        ('encryptAES "key" "x"', "cryptography"),
        ('decryptAES "key" "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="', "cryptography"),
        ('genPrivateKey "ecdsa"', "cryptography"),
        ('genCA "ca" 1', "cryptography"),
        ('genCAWithKey "ca" 1 "x"', "cryptography"),
        ('buildCustomCert "eA==" "eA=="', "cryptography"),
    ],
)
def test_a_missing_module_is_an_error_that_says_how_to_install_it(
    without: Any, expression: str, module: str
) -> None:
    without(module)

    with pytest.raises(EvaluationError, match=rf"pip install 'tiphys\[{module}\]'"):
        printed(expression)


def test_bcrypt() -> None:
    user, hashed = printed('htpasswd "u" "pässword"').split(":")

    assert user == "u"
    assert hashed.startswith("$2a$10$")
    assert bcrypt.checkpw("pässword".encode(), hashed.encode())
    assert printed('htpasswd "a:b" "x"') == "invalid username: a:b"
    assert "exceeds 72 bytes" in printed('repeat 73 "x" | bcrypt')


@pytest.mark.parametrize("text", ["x", "sixteen bytes ok", "é" * 50])
def test_what_is_encrypted_can_be_decrypted(text: str) -> None:
    assert printed('.Input | encryptAES "key" | decryptAES "key"', text) == text
    assert printed('.Input | encryptAES "key"', text) != printed('.Input | encryptAES "key"', text)


def test_a_text_that_another_program_encrypted_can_be_decrypted() -> None:
    encrypted = "30tEfhuJSVRhpG97XCuWgz2okj7L8vQ1s6V9zVUPeDQ="

    assert printed(f'decryptAES "secretkey" "{encrypted}"') == "plaintext"
    assert printed('encryptAES "key" "" | quote') == '""'
    assert printed('decryptAES "key" "" | quote') == '""'


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ('decryptAES "key" "!"', "illegal base64 data"),
        ('decryptAES "key" "eA=="', "not full blocks"),
        ("randBytes -1", "len out of range"),
        ('genCAWithKey "ca" 1 "no key"', "parsing private key"),
        ('buildCustomCert "!" "eA=="', "unable to decode base64 certificate"),
        ('buildCustomCert "eA==" "!"', "unable to decode base64 private key"),
        ('buildCustomCert "eA==" "eA=="', "unable to decode certificate"),
        (f'genSelfSignedCertWithKey "x" (list "y") nil 1 {KEY}', "error parsing ip: y"),
        (f'genSelfSignedCertWithKey "x" (list 1) nil 1 {KEY}', "1 is not a string"),
        (f'genSelfSignedCertWithKey "x" nil (list 1) 1 {KEY}', "1 is not a string"),
        (f'genSignedCertWithKey "x" nil nil 1 "ca" {KEY}', "expected sprig.certificate"),
        (f'genCAWithKey "ca" 99999999 {KEY}', "error creating certificate"),
    ],
)
def test_errors(expression: str, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        printed(expression)


@pytest.mark.parametrize(
    ("kind", "header", "key_type"),
    [
        ("ecdsa", "EC PRIVATE KEY", ec.EllipticCurvePrivateKey),
        ("ed25519", "PRIVATE KEY", ed25519.Ed25519PrivateKey),
    ],
)
def test_private_keys(kind: str, header: str, key_type: type) -> None:
    text = printed(f'genPrivateKey "{kind}"')

    assert text.startswith(f"-----BEGIN {header}-----\n")
    assert isinstance(load_pem_private_key(text.encode(), None), key_type)
    assert printed('genPrivateKey "x"') == "Unknown type x"


def test_certificates_are_signed_by_their_authority() -> None:
    text = (
        '{{ $ca := genCA "authority" 30 }}'
        '{{ $cert := genSignedCert "host" (list "10.0.0.1" "::1") (list "a.example") 7 $ca }}'
        "{{ toJson (list $ca $cert) }}"
    )
    authority, signed = json.loads(rendered(text))
    ca = x509.load_pem_x509_certificate(authority["Cert"].encode())
    certificate = x509.load_pem_x509_certificate(signed["Cert"].encode())

    certificate.verify_directly_issued_by(ca)
    assert ca.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.example"]
    assert list(map(str, names.get_values_for_type(x509.IPAddress))) == ["10.0.0.1", "::1"]
    assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days == 7
    key = load_pem_private_key(signed["Key"].encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.public_key() == certificate.public_key()


def test_a_self_signed_certificate_verifies_itself_and_can_be_given_again() -> None:
    text = (
        f'{{{{ $c := genSelfSignedCertWithKey "host" nil nil 1 {KEY} }}}}'
        "{{ $same := buildCustomCert (b64enc $c.Cert) (b64enc $c.Key) }}"
        "{{ $same.Cert }}{{ if eq $c.Key $same.Key }}same key{{ end }}"
    )
    pem, _, rest = rendered(text).partition("-----END CERTIFICATE-----\n")
    certificate = x509.load_pem_x509_certificate(f"{pem}-----END CERTIFICATE-----\n".encode())

    certificate.verify_directly_issued_by(certificate)
    assert rest == "same key"
