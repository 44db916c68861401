"""How commands address an instance; none of these reaches the network."""

from __future__ import annotations

import urllib.parse

import pytest

from tests.unit.cli._calls import Call
from tiphys.cli._client import query, segment


@pytest.mark.parametrize(
    "value", ["plain", "a b", "a/b", "x?y#z", "100%", 'ü"q', "../up", "\udcff not UTF-8"]
)
def test_any_text_is_a_part_of_a_path(value: str) -> None:
    part = segment(value)

    assert part.isascii()
    assert not set(part) & set("/?# \"'")
    assert urllib.parse.unquote(part, errors="surrogateescape") == value


def test_any_text_is_a_parameter_and_an_empty_one_is_left_out() -> None:
    assert query(error="a b&c=\udcff", sensor="", trigger=None) == "?error=a+b%26c%3D%FF"


@pytest.mark.parametrize(
    "api",
    [
        "myhost",
        "localhost:7778",
        "file:///etc/passwd",
        "http://",
        "http://:7778",
        "http://localhost:port",
        "http://localhost:99999",
        "http://[::1",
        "http://my host:7778",
        "http://name:word@localhost:7778",
        "http://localhost:7778/?a=b",
        "http://größe:7778",
    ],
)
def test_what_is_no_address_is_named_with_an_example_of_one(call: Call, api: str) -> None:
    done = call("events", "list", "--api", api)

    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {api!r} is not the address of an API; ")
    assert "http://127.0.0.1:7778" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_token_that_no_header_can_hold_is_not_shown(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIPHYS_API_TOKEN", "secret\nX-Other: value")

    done = call("events", "list")

    assert done.returncode == 1
    assert done.stderr.startswith("error: the value of TIPHYS_API_TOKEN is not a token")
    assert "secret" not in done.stderr
