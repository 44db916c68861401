"""Every recorded case of every original engine, or its listed difference with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance._run import run_file

FILES = sorted((Path(__file__).parent / "data").glob("*.jsonl"))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_answers_as_the_original_engine_does(path: Path) -> None:
    failures = [f"line {v.line}: {v.failure}" for v in run_file(path) if v.failure is not None]

    assert not failures, "\n".join(failures[:20])
