"""The process that tries out the files of somebody else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tiphys.errors import ManifestError
from tiphys.testing.pipelines._trial import write


def test_files_are_written_as_they_are(tmp_path: Path) -> None:
    write({"a.yaml": "a: 1\r\n", "b/c/d.json": "\u00e4"}, tmp_path)

    assert (tmp_path / "a.yaml").read_bytes() == b"a: 1\r\n"
    assert (tmp_path / "b/c/d.json").read_bytes() == b"\xc3\xa4"


def test_two_names_that_are_one_to_the_system_are_refused(tmp_path: Path) -> None:
    (tmp_path / "A.yaml").write_text("")  # as where case does not count

    with pytest.raises(ManifestError, match="cannot be written: file exists") as error:
        write({"A.yaml": ""}, tmp_path)
    assert error.value.file == str(tmp_path / "A.yaml")
