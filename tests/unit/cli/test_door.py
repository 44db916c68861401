"""The token of the API."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tiphys.cli.run import Door
from tiphys.errors import TiphysError

EVERYWHERE = Door("0.0.0.0", 7778, "")


def test_the_token_is_kept_for_its_owner_only_and_stays_the_same(tmp_path: Path) -> None:
    token = EVERYWHERE.token(tmp_path / "data")

    path = tmp_path / "data" / "api-token"
    assert (path.read_text(), path.stat().st_mode & 0o777) == (token, 0o600)
    assert EVERYWHERE.token(tmp_path / "data") == token
    assert [each.name for each in path.parent.iterdir()] == ["api-token"]


@pytest.mark.parametrize("left", [b"", b" \n", b"\xff\xfe"])
def test_a_file_without_a_token_is_made_anew(tmp_path: Path, left: bytes) -> None:
    path = tmp_path / "api-token"
    path.write_bytes(left)
    path.chmod(0o644)

    token = EVERYWHERE.token(tmp_path)

    assert len(token) > 30
    assert (path.read_text(), path.stat().st_mode & 0o777) == (token, 0o600)


def test_what_is_left_of_a_start_that_failed_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "api-token.new").write_text("half of a tok")
    (tmp_path / "api-token.new").chmod(0o644)

    token = EVERYWHERE.token(tmp_path)

    assert len(token) > 30
    assert (tmp_path / "api-token").stat().st_mode & 0o777 == 0o600


def test_a_disk_that_takes_no_token_stops_the_start_and_leaves_no_empty_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)  # a full disk cannot be had in a test

    with pytest.raises(TiphysError, match="No space left on device; give one with --api-token"):
        EVERYWHERE.token(tmp_path)

    assert not (tmp_path / "api-token").exists()


@pytest.mark.parametrize(
    ("host", "given", "token"),
    [
        ("127.0.0.1", "", ""),
        ("localhost", " ", ""),
        ("127.0.0.1", "mine", "mine"),
        ("0.0.0.0", "mine\n", "mine"),
    ],
)
def test_a_given_token_counts_and_the_loopback_needs_none(
    tmp_path: Path, host: str, given: str, token: str
) -> None:
    assert Door(host, 7778, given).token(tmp_path) == token
    assert not (tmp_path / "api-token").exists()


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "192.168.1.7", "example.org"])
def test_a_blank_token_opens_no_other_address(tmp_path: Path, host: str) -> None:
    assert len(Door(host, 7778, " ").token(tmp_path)) > 30
