"""
The types of AMQP 1.0 and their encoding, as far as the servers of tests need them.

From OASIS AMQP 1.0, part 1: http://docs.oasis-open.org/amqp/core/v1.0/os/.
"""

from __future__ import annotations

import dataclasses
import struct
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any


class Symbol(str):
    """A name from a fixed vocabulary."""

    __slots__ = ()


class UByte(int):
    """8 bits without a sign."""


class UShort(int):
    """16 bits without a sign."""


class UInt(int):
    """32 bits without a sign."""


class ULong(int):
    """64 bits without a sign."""


class Timestamp(int):
    """Milliseconds since 1970."""


class Array(tuple[str, ...]):
    """Texts or symbols, all of one type."""

    __slots__ = ()


@dataclasses.dataclass(frozen=True)
class Described:
    """A value with the code of what it stands for."""

    code: int
    value: Any


_INTEGERS: dict[type, tuple[int, str]] = {
    UByte: (0x50, ">B"),
    UShort: (0x60, ">H"),
    UInt: (0x70, ">I"),
    ULong: (0x80, ">Q"),
    Timestamp: (0x83, ">q"),
    int: (0x81, ">q"),
}


def encode(value: Any) -> bytes:
    """A value in its longest form.  Raises :exc:`TypeError` for what is not supported."""
    if value is None or isinstance(value, bool):
        return {None: b"\x40", True: b"\x41", False: b"\x42"}[value]
    if isinstance(value, Described):
        return b"\x00\x53" + bytes([value.code]) + encode(value.value)
    if type(value) in _INTEGERS:
        code, layout = _INTEGERS[type(value)]
        return bytes([code]) + struct.pack(layout, value)
    if isinstance(value, str):
        return _variable(0xB3 if isinstance(value, Symbol) else 0xB1, value.encode())
    if isinstance(value, bytes):
        return _variable(0xB0, value)
    if isinstance(value, uuid.UUID):
        return b"\x98" + value.bytes
    if isinstance(value, Array):
        return _array(value)
    if isinstance(value, Mapping):
        pairs = [part for pair in value.items() for part in pair]
        return _compound(0xD1, pairs)
    if isinstance(value, Sequence):
        return _compound(0xD0, value)
    raise TypeError(f"{type(value).__name__} has no encoding here")


def _variable(code: int, content: bytes) -> bytes:
    return bytes([code]) + struct.pack(">I", len(content)) + content


def _compound(code: int, values: Sequence[Any]) -> bytes:
    content = b"".join(map(encode, values))
    return bytes([code]) + struct.pack(">II", len(content) + 4, len(values)) + content


def _array(values: Array) -> bytes:
    code = encode(values[0])[:1]
    content = code + b"".join(encode(value)[1:] for value in values)
    return b"\xf0" + struct.pack(">II", len(content) + 4, len(values)) + content


_FIXED: dict[int, tuple[str, Callable[[Any], Any]]] = {
    0x50: (">B", UByte),
    0x51: (">b", int),
    0x52: (">B", UInt),
    0x53: (">B", ULong),
    0x54: (">b", int),
    0x55: (">b", int),
    0x56: (">B", bool),
    0x60: (">H", UShort),
    0x61: (">h", int),
    0x70: (">I", UInt),
    0x71: (">i", int),
    0x72: (">f", float),
    0x80: (">Q", ULong),
    0x81: (">q", int),
    0x82: (">d", float),
    0x83: (">q", Timestamp),
    0x98: (">16s", lambda content: uuid.UUID(bytes=content)),
}
_EMPTY: dict[int, Any] = {0x40: None, 0x41: True, 0x42: False, 0x43: UInt(0), 0x44: ULong(0)}
_TEXTS: dict[int, Callable[[bytes], Any]] = {
    0: bytes,
    1: lambda content: content.decode(),
    3: lambda content: Symbol(content.decode()),
}


class Decoder:
    """Reads one value after the other."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.position = 0

    def more(self) -> bool:
        """Whether anything is left."""
        return self.position < len(self.content)

    def rest(self) -> bytes:
        """What is left."""
        return self.content[self.position :]

    def value(self) -> Any:
        """The next value.  Raises :exc:`ValueError` for what is not supported."""
        code = self._take(1)[0]
        if code == 0x00:
            descriptor = self.value()
            return Described(int(descriptor), self.value())
        return self._value(code)

    def _value(self, code: int) -> Any:
        if code in _EMPTY:
            return _EMPTY[code]
        if code == 0x45:
            return []
        if code in _FIXED:
            layout, kind = _FIXED[code]
            return kind(struct.unpack(layout, self._take(struct.calcsize(layout)))[0])
        family, wide = code & 0xE0, bool(code & 0x10)
        if family == 0xA0:
            return _TEXTS[code & 0x0F](self._take(self._size(wide)))
        self._size(wide)  # in bytes, which the number of elements says as well
        count = self._size(wide)
        if family == 0xC0:
            values = [self.value() for _ in range(count)]
            is_map = bool(code & 0x01)
            return dict(zip(values[::2], values[1::2], strict=True)) if is_map else values
        if family == 0xE0:
            element = self._take(1)[0]
            return [self._value(element) for _ in range(count)]
        raise ValueError(f"there is no type {code:#x}")

    def _size(self, wide: bool) -> int:
        return int.from_bytes(self._take(4 if wide else 1))

    def _take(self, count: int) -> bytes:
        end = self.position + count
        if end > len(self.content):
            raise ValueError("the content ends in the middle of a value")
        taken, self.position = self.content[self.position : end], end
        return taken
