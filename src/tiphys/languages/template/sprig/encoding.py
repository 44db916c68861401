"""Base64 and base32, with the texts that broken input gives in sprig."""

from __future__ import annotations

import base64

from tiphys.languages._errors import EvaluationError
from tiphys.languages.template.functions import Function, function
from tiphys.languages.template.limits import check_text
from tiphys.languages.template.text import decode, encode

__all__ = ["FUNCTIONS", "decode_base64"]

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_BASE32 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_LINE_ENDS = b"\r\n"
_IMPOSSIBLE_LENGTHS = (1, 3, 6)  # of a last group in base32


def _encode_base64(text: str) -> str:
    check_text(len(text) * 2)
    return base64.b64encode(encode(text)).decode()


def _encode_base32(text: str) -> str:
    check_text(len(text) * 2)
    return base64.b32encode(encode(text)).decode()


def decode_base64(text: str) -> bytes:
    """Decode standard base64 with padding; raises EvaluationError with the place of the fault."""
    data = encode(text)
    letters = data.translate(None, _LINE_ENDS)
    body = letters.rstrip(b"=")
    padding = len(letters) - len(body)
    if not body.translate(None, _BASE64) and len(letters) % 4 == 0 and padding < 3:
        return base64.b64decode(letters)
    raise EvaluationError(f"illegal base64 data at input byte {_base64_fault(data)}")


def _base64_fault(data: bytes) -> int:
    """The place that the original reports for broken base64."""
    count = 0  # of letters in the group of four
    position = 0
    while position < len(data):
        byte = data[position]
        if byte in _LINE_ENDS:
            position += 1
            continue
        if byte in _BASE64:
            count = (count + 1) % 4
            position += 1
            continue
        if byte != ord("=") or count < 2:
            return position
        return _base64_padding_fault(data, position, count)
    return _base64_short_fault(data, count)


def _base64_padding_fault(data: bytes, position: int, count: int) -> int:
    following = _after_line_ends(data, position + 1)
    if count == 2:
        if following == len(data):
            return len(data)
        if data[following] != ord("="):
            return following - 1
        following = _after_line_ends(data, following + 1)
    return following


def _base64_short_fault(data: bytes, count: int) -> int:
    return len(data) - count


def _after_line_ends(data: bytes, position: int) -> int:
    while position < len(data) and data[position] in _LINE_ENDS:
        position += 1
    return position


def _decode_base32(text: str) -> bytes:
    data = encode(text).translate(None, _LINE_ENDS)
    body = data.rstrip(b"=")
    padding = len(data) - len(body)
    if (
        not body.translate(None, _BASE32)
        and len(data) % 8 == 0
        and padding < 7
        and len(body) % 8 not in _IMPOSSIBLE_LENGTHS
    ):
        return base64.b32decode(data)
    raise EvaluationError(f"illegal base32 data at input byte {_base32_fault(data)}")


def _base32_fault(data: bytes) -> int:
    """The place that the original reports for broken base32."""
    count = 0
    for position, byte in enumerate(data):
        rest = len(data) - position - 1
        if byte == ord("=") and count >= 2 and rest < 8:
            if rest + count < 7:
                return len(data)
            for offset in range(7 - count):
                if rest > offset and data[position + 1 + offset] != ord("="):
                    return position + offset
            return position
        if byte not in _BASE32:
            return position
        count = (count + 1) % 8
    return len(data) - count


def _decode(decoder: str, text: str) -> str:
    try:
        return decode(decode_base64(text) if decoder == "base64" else _decode_base32(text))
    except EvaluationError as error:
        return str(error)


FUNCTIONS: dict[str, Function] = {
    "b32dec": function("string", lambda text: _decode("base32", text)),
    "b32enc": function("string", _encode_base32),
    "b64dec": function("string", lambda text: _decode("base64", text)),
    "b64enc": function("string", _encode_base64),
}
