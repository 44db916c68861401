"""Settings of a JetStream bus, as manifests and Secrets write them."""

from __future__ import annotations

import ssl

import pytest

from tiphys.bus.jetstream import Credentials, Endpoint, StreamSettings
from tiphys.errors import ManifestError, SecretError

SECOND = 1_000_000_000


def test_keys_are_read_without_regard_to_case_and_unknown_ones_ignored() -> None:
    settings = StreamSettings().merged("MAXMSGS: 7\nmaxbytes: -1\nDuplicates: 5m\nnonsense: {}\n")
    assert settings == StreamSettings(max_messages=7, max_bytes=-1, duplicates=300 * SECOND)


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("maxAge: 168h", 168 * 3600 * SECOND),
        ("maxAge: 1h30m", 5400 * SECOND),
        ("maxAge: 60000000000", 60 * SECOND),
        ('maxAge: "60000000000"', 60 * SECOND),
        ("maxAge: 7 days", 0),
        ("maxAge: []", 0),
        ("maxAge:", 0),
    ],
)
def test_durations_are_texts_or_nanoseconds(text: str, nanoseconds: int) -> None:
    assert StreamSettings().merged(text).max_age == nanoseconds


@pytest.mark.parametrize(
    ("text", "number"), [("'12'", 12), ("12", 12), ("1.9", 1), ("x", 0), ("{}", 0)]
)
def test_numbers_are_read_however_they_are_written(text: str, number: int) -> None:
    assert StreamSettings().merged(f"replicas: {text}").replicas == number


def test_a_manifest_s_settings_lie_over_the_shipped_ones() -> None:
    settings = StreamSettings.shipped().merged("maxAge: 24h")
    assert settings.request("default", []) == {
        "name": "default", "subjects": [], "storage": "file", "retention": "limits",
        "discard": "old", "max_msgs": 50_000, "max_age": 24 * 3600 * SECOND, "max_bytes": -1,
        "num_replicas": 3, "duplicate_window": 300 * SECOND,
    }  # fmt: skip


@pytest.mark.parametrize("text", ["- 1", "text", "a: [", "a: b: c"])
def test_what_is_no_map_is_refused(text: str) -> None:
    with pytest.raises(ManifestError, match=r"streamConfig.*YAML"):
        StreamSettings().merged(text)


def test_credentials_are_texts_also_when_they_look_like_numbers() -> None:
    given = Credentials.parse("username: 12345678\npassword: 0123\n")
    assert (given.username, given.password) == ("12345678", "0123")
    assert Credentials.parse("token: abc").token == "abc"


def test_bad_credentials_are_refused_without_quoting_them() -> None:
    with pytest.raises(SecretError, match=r"auth\.yaml") as refused:
        Credentials.parse("hunter2")
    assert "hunter2" not in str(refused.value)


def test_credentials_do_not_show_their_secrets() -> None:
    text = repr(Endpoint(("nats://a",), Credentials("user", "hunter2", "t0ken")))
    assert "hunter2" not in text
    assert "t0ken" not in text


def test_an_address_may_be_a_list() -> None:
    assert Endpoint.at("nats://a:1, nats://b:2,").servers == ("nats://a:1", "nats://b:2")
    with pytest.raises(ManifestError, match="address"):
        Endpoint.at(" ")


def test_tls_is_demanded_by_settings_or_address() -> None:
    assert not Endpoint(("nats://a",)).demands_tls
    assert Endpoint(("tls://a",)).demands_tls
    assert Endpoint(("nats://a",), tls=ssl.create_default_context()).demands_tls
