"""Small questions that several parts ask."""

from __future__ import annotations

import pytest

from tiphys.system import without_login


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("redis:6379", "redis:6379"),
        ("https://h:1/a/b", "https://h:1/a/b"),
        ("https://u:secret@h:1/a?token=secret", "https://h:1/a"),
        ("u:secret@h:1", "h:1"),
        ("git@h:a/b.git", "h:a/b.git"),
        ("tcp://u:se/cr@et?se#cret://@h:1", "tcp://h:1"),
        ("u:secret://x@h:1", "h:1"),
        ("mqttx://secret@[::1", "mqttx://[::1"),
        ("", ""),
    ],
)
def test_an_address_is_shown_without_whoever_logs_in(address: str, shown: str) -> None:
    assert without_login(address) == shown
