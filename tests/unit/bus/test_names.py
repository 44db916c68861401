"""Names on the wire: those of Argo Events, and a way back for those that it cannot carry."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiphys.bus.jetstream import names
from tiphys.errors import ManifestError

ANY_NAME = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12) | st.text(
    "ab=_.2EF*> /", min_size=1, max_size=12
)


@pytest.mark.parametrize(
    ("data", "value"),
    [(b"", 2166136261), (b"a", 3826002220), (b"foobar", 3214735720)],
)
def test_the_hash_is_fnv1a(data: bytes, value: int) -> None:
    assert names.fnv1a(data) == value


@pytest.mark.parametrize(
    ("parts", "durable"),
    [
        (("my-sensor", "my-trigger", "my-dep"), "group-3019645673"),
        (("e2e-log", "log-trigger", "test-dep"), "group-426166059"),
    ],
)
def test_durables_are_those_of_argo_events(parts: tuple[str, str, str], durable: str) -> None:
    assert names.durable(*parts) == durable


def test_legal_names_are_unchanged() -> None:
    assert names.event_subject("webhook", "example") == "default.webhook.example"
    assert names.event_subject("ünï", "a=b$c/d_e") == "default.ünï.a=b$c/d_e"
    assert names.key("log-trigger/test_dep=.1") == "log-trigger/test_dep=.1"
    assert names.bucket("deploy-1_x") == "deploy-1_x"


def test_what_cannot_travel_is_escaped() -> None:
    assert names.event_subject("a.b", "two words") == "default.a=2Eb.two=20words"
    assert names.token("*") == "=2A"
    assert names.token("a=2Eb") == "a=3D2Eb"
    assert names.key("t é/..a.") == "t=20=C3=A9/=2E.a=2E"
    assert names.bucket("a.b") == "a_2Eb"
    assert names.bucket("a_2Eb") == "a_5F2Eb"


def test_wildcards_stay_in_filters_as_whole_tokens_only() -> None:
    assert names.subject("a.*.>") == "a.*.>"
    assert names.subject("a*.b") == "a=2A.b"


@given(ANY_NAME)
def test_every_name_becomes_one_legal_token_and_comes_back(name: str) -> None:
    token = names.token(name)
    assert not re.search(r"[\s.*>\x00-\x20\x7f]", token)
    assert names.unescape(token) == name


@given(ANY_NAME)
def test_every_name_becomes_a_legal_key_and_comes_back(name: str) -> None:
    key = names.key(name)
    assert re.fullmatch(r"[-/_=.a-zA-Z0-9]+", key)
    assert all(key.split("."))
    assert names.unescape(key) == name


@given(ANY_NAME)
def test_every_name_becomes_a_legal_bucket_and_comes_back(name: str) -> None:
    bucket = names.bucket(name)
    assert re.fullmatch(r"[-_a-zA-Z0-9]+", bucket)
    assert names.unescape(bucket, "_") == name


@pytest.mark.parametrize("make", [names.token, names.key, names.bucket])
def test_an_empty_name_is_refused(make: object) -> None:
    with pytest.raises(ManifestError, match="empty"):
        make("")  # type: ignore[operator]


def test_a_name_that_is_too_long_for_a_bucket_is_refused() -> None:
    with pytest.raises(ManifestError, match="too long"):
        names.bucket("a" * 251)
