"""A NATS server that lets nobody in and hangs up at once, written by hand."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator

import pytest
from nats.aio.transport import TcpTransport

INFO = b'INFO {"server_id":"refusing","version":"2.14.0","max_payload":1048576}\r\n'
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: forget the connection, answer all else with a reset


@contextlib.contextmanager
def refusing_nats(patch: pytest.MonkeyPatch) -> Iterator[str]:
    """
    Its URL.  It answers CONNECT with a refusal and resets the connection, before PING comes.

    The system may put a client aside between any two lines that it writes; here that happens
    always, which takes a replacement for the one step in between.
    """
    hung_up = threading.Event()
    drain = TcpTransport.drain

    async def put_aside(transport: TcpTransport) -> None:
        assert hung_up.wait(10)
        await drain(transport)

    def refuse() -> None:
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                connection, _ = listener.accept()
                with connection:
                    connection.sendall(INFO)
                    while connection.recv(1) not in (
                        b"\n",
                        b"",
                    ):  # what is behind CONNECT stays unread
                        pass
                    connection.sendall(b"-ERR 'Authorization Violation'\r\n")
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                hung_up.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=refuse)
        thread.start()
        patch.setattr(TcpTransport, "drain", put_aside)
        try:
            yield f"nats://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
