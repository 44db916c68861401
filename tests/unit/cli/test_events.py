"""`tiphys events` as far as no instance is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli._calls import Call


@pytest.mark.parametrize(("below", "reason"), [("", "File exists"), ("events", "Not a directory")])
def test_a_folder_for_events_that_cannot_be_is_named_with_what_to_do(
    call: Call, tmp_path: Path, below: str, reason: str
) -> None:
    file = tmp_path / "file"
    file.touch()
    folder = file / below

    done = call("events", "record", str(folder))

    assert done.returncode == 1
    assert done.stderr == (
        f"error: {folder} cannot be written: {reason}; "
        "name a folder that you may write to, or one that is not there yet\n"
    )
