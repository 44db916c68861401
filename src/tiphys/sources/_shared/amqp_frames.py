"""Frames of AMQP 0-9-1 as brokers deliver them, broken texts and times included."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import aiormq
from aiormq.connection import FrameReceiver, ReceivedFrame
from aiormq.exceptions import AMQPConnectionError, InvalidFrameError
from pamqp import constants, decode
from pamqp.commands import Basic
from pamqp.exceptions import PAMQPException
from pamqp.frame import frame_parts, unmarshal
from pamqp.header import ContentHeader

_DELIVER = struct.pack(">I", Basic.Deliver.index)


class Connection(aiormq.Connection):
    """
    A connection that outlives messages whose texts or times cannot be decoded.

    The broker does not look at them, and pamqp raises, which ends the connection: without this,
    the message would come again on the next one, and again, with all others waiting behind it.
    """

    async def _Connection__reader(self, frames: FrameReceiver) -> None:
        await super()._Connection__reader(_Frames(frames.reader))  # type: ignore[misc]


class _Frames(FrameReceiver):
    """Reads the frames of a connection that stands."""

    async def get_frame(self) -> ReceivedFrame:
        """The next frame; raises :exc:`AMQPConnectionError` and :exc:`InvalidFrameError`."""
        try:
            head = await self.reader.readexactly(constants.FRAME_HEADER_SIZE)
            size = frame_parts(head)[2] or 0
            raw = head + await self.reader.readexactly(size + 1)
        except (EOFError, OSError) as error:
            raise AMQPConnectionError("it was closed") from error
        return read_frame(raw)


def read_frame(raw: bytes) -> ReceivedFrame:
    """
    Decode one frame: its size, its channel and what it says.

    In what belongs to a message, U+FFFD stands for bytes that are no UTF-8, and None for a time
    that is none; then its headers, which are not part of events, are left out.  Raises
    :exc:`InvalidFrameError`.
    """
    try:
        return unmarshal(raw)
    except (PAMQPException, ValueError, OverflowError, OSError) as error:
        kind, channel, _ = frame_parts(raw)
        payload = raw[constants.FRAME_HEADER_SIZE : -1]
        if kind == constants.FRAME_HEADER:
            header = ContentHeader(properties=_Properties())
            header.unmarshal(payload)
            return len(raw), channel, header
        if kind == constants.FRAME_METHOD and payload.startswith(_DELIVER):
            return len(raw), channel, _deliver(payload[len(_DELIVER) :])
        raise InvalidFrameError(str(error)) from error


class _Properties(Basic.Properties):
    def unmarshal(self, flags: int, data: bytes) -> None:
        """Set the properties that *flags* tells of."""
        for name in self.__slots__:
            if flags & self.flags[name]:
                size, value = _READ[self.amqp_type(name)](data)
                setattr(self, name, value)
                data = data[size:]


def _deliver(data: bytes) -> Basic.Deliver:
    frame = Basic.Deliver()
    size, frame.consumer_tag = _text(data)
    frame.delivery_tag, flags = struct.unpack_from(">QB", data, size)
    frame.redelivered = bool(flags & 1)
    data = data[size + 9 :]
    size, frame.exchange = _text(data)
    _, frame.routing_key = _text(data[size:])
    return frame


def _text(data: bytes) -> tuple[int, str]:
    end = 1 + data[0]
    return end, data[1:end].decode("utf-8", "replace")


def _time(data: bytes) -> tuple[int, Any]:
    try:
        return decode.timestamp(data)
    except (ValueError, OverflowError, OSError):  # a year that there is not
        return 8, None


def _table(data: bytes) -> tuple[int, None]:
    return 4 + int.from_bytes(data[:4]), None


_READ: dict[str, Callable[[bytes], tuple[int, Any]]] = {
    "octet": decode.octet,
    "shortstr": _text,
    "table": _table,
    "timestamp": _time,
}
