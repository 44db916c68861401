"""The messages of the gRPC service ``generic.Eventing``, in protobuf's wire format (spec: 10)."""

from __future__ import annotations

from collections.abc import Iterator

METHOD = "/generic.Eventing/StartEventSource"
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
FIXED = {FIXED64: 8, FIXED32: 4}
LONGEST = 10  # bytes of a number


class NotAMessage(ValueError):
    """The bytes are no message of protobuf."""


def start_request(name: str, config: str) -> bytes:
    """The message ``EventSource``: the name of the event, and what the server is configured by."""
    return _field(1, name.encode()) + _field(2, config.encode())


def payload_of(event: bytes) -> bytes:
    """The member ``payload`` of the message ``Event``; raises :exc:`NotAMessage`."""
    payload = b""
    for number, value in _fields(event):
        if number == 2:  # the last one counts
            payload = value
    return payload


def _field(number: int, value: bytes) -> bytes:
    """A field of bytes, which is left out when it is empty."""
    return _varint(number << 3 | BYTES) + _varint(len(value)) + value if value else b""


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields of bytes; those of other kinds, which nobody asked for, are passed over."""
    position = 0
    while position < len(message):
        tag, position = _number(message, position)
        kind, value = tag & 7, b""
        if kind == VARINT:
            _, position = _number(message, position)
        elif kind in FIXED:
            position += FIXED[kind]
        elif kind == BYTES:
            length, position = _number(message, position)
            value = message[position : position + length]
            position += length
        else:
            raise NotAMessage(f"a field of the unknown kind {kind}")
        if position > len(message):
            raise NotAMessage("it ends in the middle of a field")
        if kind == BYTES:
            yield tag >> 3, value


def _number(message: bytes, position: int) -> tuple[int, int]:
    """A number, and the position behind it."""
    number = 0
    for count in range(LONGEST):
        if position >= len(message):
            raise NotAMessage("it ends in the middle of a number")
        byte = message[position]
        position += 1
        number |= (byte & 127) << 7 * count
        if byte < 128:
            return number, position
    raise NotAMessage("a number without end")
