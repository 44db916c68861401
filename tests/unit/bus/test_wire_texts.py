"""Small texts of the protocol."""

from __future__ import annotations

import pytest

from tiphys.bus.jetstream.wire import parse_headers, parse_place


@pytest.mark.parametrize(
    "reply",
    [
        "$JS.ACK.default.group-1.2.801.17.1795657578452500540.99",
        "$JS.ACK.hub.ACCOUNT.default.group-1.2.801.17.1795657578452500540.99",
        "$JS.ACK._.ACCOUNT.default.group-1.2.801.17.1795657578452500540.99.random",
    ],
)
def test_a_reply_subject_tells_where_a_message_stands(reply: str) -> None:
    place = parse_place(reply)
    assert (place.attempt, place.sequence, place.time, place.pending) == (
        2, 801, 1795657578452500540, 99,
    )  # fmt: skip
    assert place.stored.isoformat() == "2026-11-26T01:46:18.452500+00:00"


def test_headers_are_read() -> None:
    assert parse_headers(b"NATS/1.0\r\nNats-Msg-Id: a:b\r\nEmpty:\r\n\r\n") == {
        "Nats-Msg-Id": "a:b",
        "Empty": "",
    }
    assert parse_headers(b"") == {}
