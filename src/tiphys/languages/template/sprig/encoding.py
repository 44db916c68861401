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
_IMPOSSIBLE_LENGTHS = (3, 6)  # of a last group in base32


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
    return len(data) - count


def _base64_padding_fault(data: bytes, position: int, count: int) -> int:
    following = _after_line_ends(data, position + 1)
    if count == 2:
        if following == len(data):
            return len(data)
        if data[following] != ord("="):
            return following - 1
        following = _after_line_ends(data, following + 1)
    return following


def _after_line_ends(data: bytes, position: int) -> int:
    while position < len(data) and data[position] in _LINE_ENDS:
        position += 1
    return position


def _decode_base32(text: str) -> bytes:
    """Decode standard base32; more padding than needed does no harm."""
    letters = _base32_letters(encode(text).translate(None, _LINE_ENDS))
    return base64.b32decode(letters + b"=" * (-len(letters) % 8))


def _base32_letters(data: bytes) -> bytes:
    """What comes before the padding; raises EvaluationError with the place of a fault."""
    count = 0  # of letters in the group of eight
    for position, byte in enumerate(data):
        following = data[position + 1 : position + 9]
        if byte == ord("=") and count >= 2 and len(following) < 8:
            if len(following) + count < 7:
                raise _base32_fault(len(data))
            for offset, other in enumerate(following[: 7 - count]):
                if other != ord("="):
                    raise _base32_fault(position + offset)
            if count in _IMPOSSIBLE_LENGTHS:
                raise _base32_fault(position)
            return data[:position]
        if byte not in _BASE32:
            raise _base32_fault(position)
        count = (count + 1) % 8
    if count:
        raise _base32_fault(len(data) - count)
    return data


def _base32_fault(position: int) -> EvaluationError:
    return EvaluationError(f"illegal base32 data at input byte {position}")


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
