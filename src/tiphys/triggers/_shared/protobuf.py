"""Protocol buffers as far as messages of bytes, texts and booleans go."""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_SIZES = {_FIXED64: 8, _FIXED32: 4}


class NotProtobuf(ValueError):
    """Bytes are no message."""


def message(*fields: bytes) -> bytes:
    """A message whose fields, numbered from 1, are bytes; empty ones are left out, as in proto3."""
    encoded = b""
    for number, value in enumerate(fields, 1):
        if value:
            encoded += _varint(number << 3 | _BYTES) + _varint(len(value)) + value
    return encoded


def fields(encoded: bytes) -> dict[int, bytes | int]:
    """The fields of a message by number, of equal ones the last.  Raises :exc:`NotProtobuf`."""
    try:
        return dict(_fields(encoded))
    except IndexError:
        raise NotProtobuf("the message ends too early") from None


def _fields(encoded: bytes) -> Iterator[tuple[int, bytes | int]]:
    place = 0
    while place < len(encoded):
        tag, place = _read_varint(encoded, place)
        kind = tag & 7
        if kind == _VARINT:
            value, place = _read_varint(encoded, place)
            yield tag >> 3, value
            continue
        if kind == _BYTES:
            size, place = _read_varint(encoded, place)
        elif kind in _SIZES:
            size = _SIZES[kind]
        else:
            raise NotProtobuf(f"there is a field of the unknown kind {kind}")
        if place + size > len(encoded):
            raise IndexError
        yield tag >> 3, encoded[place : place + size]
        place += size


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _read_varint(encoded: bytes, place: int) -> tuple[int, int]:
    """A number and the place behind it."""
    number = shift = 0
    while True:
        byte = encoded[place]
        number |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if not byte & 0x80:
            return number, place
        if shift > 63:
            raise NotProtobuf("there is a number of more than 64 bits")
