"""Passwords: derived from a master password, hashed, or used to encrypt a text."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64encode
from typing import Any

from tiphys.languages._errors import EvaluationError
from tiphys.languages.template.functions import Function, function
from tiphys.languages.template.limits import MAX_WORK, check_text
from tiphys.languages.template.sprig.encoding import decode_base64
from tiphys.languages.template.text import decode, encode

__all__ = ["FUNCTIONS", "missing"]

_SLOW = MAX_WORK // 4
"""The cost of functions that take about a tenth of a second."""

_BCRYPT_ROUNDS = 10
_BCRYPT_BYTES = 72
_BLOCK = 16  # bytes of AES
_SEED = b"com.lyndir.masterpassword"
_SCRYPT_MEMORY = 64 * 1024 * 1024
_TEMPLATES = {
    "maximum": ("anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"),
    "long": [
        "CvcvnoCvcvCvcv",
        "CvcvCvcvnoCvcv",
        "CvcvCvcvCvcvno",
        "CvccnoCvcvCvcv",
        "CvccCvcvnoCvcv",
        "CvccCvcvCvcvno",
        "CvcvnoCvccCvcv",
        "CvcvCvccnoCvcv",
        "CvcvCvccCvcvno",
        "CvcvnoCvcvCvcc",
        "CvcvCvcvnoCvcc",
        "CvcvCvcvCvccno",
        "CvccnoCvccCvcv",
        "CvccCvccnoCvcv",
        "CvccCvccCvcvno",
        "CvcvnoCvccCvcc",
        "CvcvCvccnoCvcc",
        "CvcvCvccCvccno",
        "CvccnoCvcvCvcc",
        "CvccCvcvnoCvcc",
        "CvccCvcvCvccno",
    ],
    "medium": ("CvcnoCvc", "CvcCvcno"),
    "short": ("Cvcn",),
    "basic": ("aaanaaan", "aannaaan", "aaannaaa"),
    "pin": ("nnnn",),
}
"""Kinds of passwords of the Master Password algorithm: each letter stands for a set."""

_CONSONANTS = "bcdfghjklmnpqrstvwxyz"
_CHARACTERS = {
    "V": "AEIOU",
    "C": _CONSONANTS.upper(),
    "v": "aeiou",
    "c": _CONSONANTS,
    "A": "AEIOU" + _CONSONANTS.upper(),
    "a": "AEIOUaeiou" + _CONSONANTS.upper() + _CONSONANTS,
    "n": "0123456789",
    "o": "@&%?,=[]_:-+*$#!'^~;()/.",
    "x": "AEIOUaeiou" + _CONSONANTS.upper() + _CONSONANTS + "0123456789!@#$%^&*()",
}


def missing(module: str) -> EvaluationError:
    """The error for a function that needs a *module* which is not installed."""
    return EvaluationError(f"needs the module {module!r}; run: pip install 'tiphys[{module}]'")


def _sized(text: str) -> bytes:
    data = encode(text)
    return len(data).to_bytes(4, "big") + data


def _derive(counter: int, kind: str, password: str, user: str, site: str) -> str:
    """A site's password by the Master Password algorithm."""
    templates = _TEMPLATES.get(kind)
    if templates is None:
        return f"cannot find password template {kind}"
    key = hashlib.scrypt(
        encode(password), salt=_SEED + _sized(user), n=32768, r=8, p=2, maxmem=_SCRYPT_MEMORY
    )
    message = _SEED + _sized(site) + int(counter).to_bytes(4, "big")
    seed = hmac.digest(key, message, "sha256")
    template = templates[seed[0] % len(templates)]
    sets = (_CHARACTERS[letter] for letter in template)
    return "".join(
        characters[byte % len(characters)] for characters, byte in zip(sets, seed[1:], strict=False)
    )


def _bcrypt(text: str) -> str:
    try:
        import bcrypt
    except ImportError:
        raise missing("bcrypt") from None
    data = encode(text)
    if len(data) > _BCRYPT_BYTES:
        reason = f"bcrypt: password length exceeds {_BCRYPT_BYTES} bytes"
        return f"failed to encrypt string with bcrypt: {reason}"
    return bcrypt.hashpw(data, bcrypt.gensalt(_BCRYPT_ROUNDS, prefix=b"2a")).decode()


def _htpasswd(user: str, password: str) -> str:
    if ":" in user:
        return f"invalid username: {user}"
    return f"{user}:{_bcrypt(password)}"


def _cipher(password: str, vector: bytes) -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    except ImportError:
        raise missing("cryptography") from None
    key = encode(password)[:32].ljust(32, b"\0")
    return Cipher(algorithms.AES(key), modes.CBC(vector))


def _encrypt(password: str, text: str) -> str:
    """AES-256-CBC in base64, the password itself being the key."""
    if not text:
        return ""
    data = encode(text)
    padding = _BLOCK - len(data) % _BLOCK
    vector = secrets.token_bytes(_BLOCK)
    encryptor = _cipher(password, vector).encryptor()
    encrypted = encryptor.update(data + bytes([padding]) * padding) + encryptor.finalize()
    return b64encode(vector + encrypted).decode()


def _decrypt(password: str, text: str) -> str:
    """What ``encryptAES`` encrypted; raises EvaluationError for what it cannot have made."""
    if not text:
        return ""
    data = decode_base64(text)
    if len(data) <= _BLOCK or len(data) % _BLOCK:
        raise EvaluationError("crypto/cipher: input not full blocks")
    decryptor = _cipher(password, data[:_BLOCK]).decryptor()
    decrypted = decryptor.update(data[_BLOCK:]) + decryptor.finalize()
    size = len(decrypted) - decrypted[-1]
    if size < 0:
        raise EvaluationError("runtime error: slice bounds out of range")
    return decode(decrypted[:size])


def _random_bytes(count: int) -> str:
    if count < 0:
        raise EvaluationError("runtime error: makeslice: len out of range")
    check_text(count)
    return b64encode(secrets.token_bytes(count)).decode()


FUNCTIONS: dict[str, Function] = {
    "bcrypt": function("string", _bcrypt, _SLOW),
    "decryptAES": function("string string", _decrypt),
    "derivePassword": function("uint32 string string string string", _derive, _SLOW),
    "encryptAES": function("string string", _encrypt),
    "htpasswd": function("string string", _htpasswd, _SLOW),
    "randBytes": function("int", _random_bytes),
}
