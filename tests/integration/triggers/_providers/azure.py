"""
The part of Azure Event Hubs and Azure Service Bus that takes messages, over AMQP 1.0.

From OASIS AMQP 1.0, parts 2 to 5, and
https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-protocol-guide.  In plain
text, like Microsoft's emulators, unless there is a context for TLS.  Lists of fields are sent
whole, as those services send them.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import hashlib
import hmac
import ssl
import struct
import urllib.parse
from collections.abc import AsyncIterator
from typing import Any

from tests._ports import free_port
from tests.integration.triggers._providers.amqp_types import (
    Array,
    Decoder,
    Described,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
    UShort,
    encode,
)

KEY_NAME, KEY = "builder", "c2VjcmV0LWtleS1vZi1hLWJ1aWxkZXI="
LARGEST = 64 * 1024  # bytes of a message
OPEN, BEGIN, ATTACH, FLOW, TRANSFER, DISPOSITION, DETACH, END, CLOSE = range(0x10, 0x19)
ERROR, ACCEPTED, REJECTED, SOURCE, TARGET = 0x1D, 0x24, 0x25, 0x28, 0x29
MECHANISMS, INIT, OUTCOME = 0x40, 0x41, 0x44
PROPERTIES, APPLICATION_PROPERTIES, DATA, VALUE = 0x73, 0x74, 0x75, 0x77
CBS, MANAGEMENT = "$cbs", "$management"


@dataclasses.dataclass
class Message:
    """A message that an entity got; the properties are those of AMQP, in their order."""

    entity: str
    body: bytes
    properties: list[Any]
    application_properties: dict[str, Any]

    @property
    def id(self) -> str | None:
        """What the sender called it."""
        return self.properties[0] if self.properties else None


@dataclasses.dataclass
class Link:
    """One direction of a conversation with an address."""

    channel: int
    handle: int
    address: str
    receives: bool  # the broker does
    unfinished: bytes = b""  # what came of a message


class Broker:
    """Takes messages for some entities from whoever has the key."""

    def __init__(
        self, host: str = "127.0.0.1", port: int = 0, context: ssl.SSLContext | None = None
    ) -> None:
        self.host = host
        self.port = port or free_port()
        self.context = context
        self.entities = {"builds", "events"}
        self.key = KEY
        self.messages: list[Message] = []
        self.connections: list[Connection] = []
        self.flowing = asyncio.Event()
        self.flowing.set()
        self._tasks: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Broker]:
        """Serve until the context is left."""
        server = await asyncio.start_server(self._serve, self.host, self.port, ssl=self.context)
        try:
            yield self
        finally:
            server.close()
            self.drop()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await server.wait_closed()

    def drop(self) -> None:
        """Break every connection."""
        for task in self._tasks:
            task.cancel()

    def admits(self, token: str) -> bool:
        """Whether a token was signed with the key."""
        kind, _, text = token.partition(" ")
        fields = dict(part.split("=", 1) for part in text.split("&"))
        signed = f"{fields['sr']}\n{fields['se']}".encode()
        proof = base64.b64encode(hmac.digest(self.key.encode(), signed, hashlib.sha256)).decode()
        given = urllib.parse.unquote(fields["sig"])
        known = (kind, fields["skn"]) == ("SharedAccessSignature", KEY_NAME)
        return known and hmac.compare_digest(given, proof)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        connection = Connection(self, reader, writer)
        self.connections.append(connection)
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                await connection.run()
        except asyncio.CancelledError:
            pass  # dropped; the server would report it as an error
        finally:
            self._tasks.discard(task)
            writer.close()


class Connection:
    """One client."""

    def __init__(
        self, broker: Broker, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.broker = broker
        self.reader = reader
        self.writer = writer
        self.links: dict[tuple[int, int], Link] = {}
        self.admitted: set[str] = set()
        self.deliveries = 0
        self.closed = False

    async def run(self) -> None:
        """Talk until either side closes."""
        header = await self._header()
        if header[4] == 3:
            self._send(0, MECHANISMS, [Array([Symbol("ANONYMOUS"), Symbol("MSSBCBS")])], sasl=True)
            _, code, _, _ = await self._frame()
            assert code == INIT
            self._send(0, OUTCOME, [UByte(0), None], sasl=True)
            await self._header()
        while not self.closed:
            channel, code, fields, payload = await self._frame()
            self._take(channel, code, fields, payload)
            await self.writer.drain()

    async def _header(self) -> bytes:
        header = await self.reader.readexactly(8)
        await self.broker.flowing.wait()
        assert header[:4] == b"AMQP"
        self.writer.write(header)
        return header

    async def _frame(self) -> tuple[int, int, list[Any], bytes]:
        while True:
            size, offset, _, channel = struct.unpack(">IBBH", await self.reader.readexactly(8))
            content = await self.reader.readexactly(size - 8)
            await self.broker.flowing.wait()
            if content:  # otherwise a sign of life
                decoder = Decoder(content[offset * 4 - 8 :])
                performative = decoder.value()
                return channel, performative.code, performative.value, decoder.rest()

    def _send(
        self,
        channel: int,
        code: int,
        fields: list[Any],
        payload: bytes = b"",
        *,
        sasl: bool = False,
    ) -> None:
        content = encode(Described(code, fields)) + payload
        self.writer.write(struct.pack(">IBBH", len(content) + 8, 2, int(sasl), channel) + content)

    def _take(self, channel: int, code: int, fields: list[Any], payload: bytes) -> None:
        if code == OPEN:
            most = [UInt(LARGEST), UShort(255), UInt(60_000)]
            self._send(0, OPEN, ["broker", None, *most, None, None, None, None, {}])
        elif code == BEGIN:
            window = UInt(5000)
            fields = [UShort(channel), UInt(0), window, window, UInt(255), None, None, {}]
            self._send(channel, BEGIN, fields)
        elif code == ATTACH:
            self._attach(channel, fields)
        elif code == TRANSFER:
            self._transfer(self.links[channel, fields[0]], fields, payload)
        elif code == DETACH:
            self.links.pop((channel, fields[0]), None)
            self._send(channel, DETACH, [fields[0], True, None])
        elif code == END:
            self._send(channel, END, [None])
        elif code == CLOSE:
            self._send(0, CLOSE, [None])
            self.closed = True
        else:
            assert code in (FLOW, DISPOSITION)  # the broker's own messages are few and settled

    def _attach(self, channel: int, fields: list[Any]) -> None:
        name, handle, sends, send_mode, receive_mode, source, target = fields[:7]
        receives = not sends
        address = _path((target if receives else source).value[0])
        refusal = self._refusal(address)
        ends: list[Described | None] = [None, None]
        if not refusal:
            ends = [Described(SOURCE, source.value[:1]), Described(TARGET, target.value[:1])]
        modes = [UByte(send_mode or 0), UByte(receive_mode or 0)]
        first = None if receives else UInt(0)
        rest: list[Any] = [None, False, first, ULong(LARGEST), None, None, {}]
        self._send(channel, ATTACH, [name, handle, receives, *modes, *ends, *rest])
        if refusal:
            error = Described(ERROR, [Symbol(refusal), f"{address}: {refusal}", None])
            self._send(channel, DETACH, [handle, True, error])
            return
        self.links[channel, handle] = Link(channel, handle, address, receives)
        if receives:
            window = [UInt(0), UInt(5000), UInt(0), UInt(5000)]
            self._send(
                channel, FLOW, [*window, handle, UInt(0), UInt(1000), None, False, False, None]
            )

    def _refusal(self, address: str) -> str:
        if address.endswith((CBS, MANAGEMENT)):
            return ""
        if address not in self.admitted:
            return "amqp:unauthorized-access"
        return "" if address in self.broker.entities else "amqp:not-found"

    def _transfer(self, link: Link, fields: list[Any], payload: bytes) -> None:
        link.unfinished += payload
        if len(fields) > 5 and fields[5]:
            return  # more of it comes
        content, link.unfinished = link.unfinished, b""
        outcome = Described(ACCEPTED, [])
        if len(content) > LARGEST:
            error = [Symbol("amqp:link:message-size-exceeded"), "the message is too large", None]
            outcome = Described(REJECTED, [Described(ERROR, error)])
        number = UInt(fields[1])
        self._send(link.channel, DISPOSITION, [True, number, number, True, outcome, False])
        if outcome.code == REJECTED:
            return
        message = _message(link.address, content)
        if link.address.endswith((CBS, MANAGEMENT)):
            self._answer(link.address, message)
        else:
            self.broker.messages.append(message)

    def _answer(self, address: str, request: Message) -> None:
        """Answer a request, on the link that goes the other way."""
        asked, body = request.application_properties, None
        if address.endswith(CBS):
            assert asked["operation"] == "put-token"
            status = 202 if self.broker.admits(request.body.decode()) else 401
            if status == 202:
                self.admitted.add(_path(asked["name"]))
        else:
            assert (asked["operation"], asked["type"]) == ("READ", "com.microsoft:eventhub")
            status = 200 if asked["name"] in self.broker.entities else 404
            body = {
                "name": asked["name"],
                "type": asked["type"],
                "created_at": Timestamp(0),
                "partition_count": 2,
                "partition_ids": Array(["0", "1"]),
            }
        code = Described(
            APPLICATION_PROPERTIES, {"status-code": status, "status-description": "as it is"}
        )
        properties = Described(PROPERTIES, [None, None, None, None, None, request.id])
        payload = b"".join(map(encode, (properties, code, Described(VALUE, body))))
        for link in self.links.values():
            if not link.receives and link.address == address:
                number = self.deliveries
                self.deliveries += 1
                head = [UInt(link.handle), UInt(number), struct.pack(">I", number), UInt(0), True]
                rest = [False, None, None, None, None, False]
                self._send(link.channel, TRANSFER, [*head, *rest], payload)


def _message(entity: str, content: bytes) -> Message:
    """A message from its sections."""
    decoder, body = Decoder(content), b""
    message = Message(entity, b"", [], {})
    while decoder.more():
        section = decoder.value()
        if section.code == PROPERTIES:
            message.properties = section.value
        elif section.code == APPLICATION_PROPERTIES:
            message.application_properties = section.value
        elif section.code == DATA:
            body += section.value
        elif section.code == VALUE:
            body = section.value.encode()
    message.body = body
    return message


def _path(address: str) -> str:
    """The entity of an address, which may be a URL."""
    return urllib.parse.urlsplit(address).path.lstrip("/") if "://" in address else address
