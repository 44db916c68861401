"""Calls the program inside the process of the tests, which is much quicker than starting it."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
import structlog

from tests.unit.cli._calls import Call, Done
from tiphys import cli


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Call]:
    """The program; where it would set the logs up for good, they are silenced for this test."""
    silent = structlog.make_filtering_bound_logger(50)
    monkeypatch.setattr(
        "tiphys.observe.logs.set_up", lambda *_: structlog.configure(wrapper_class=silent)
    )
    monkeypatch.setenv("NO_COLOR", "1")

    def called(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["tiphys", *arguments])
        status = 0
        try:
            cli.main()
        except SystemExit as error:
            status = int(error.code or 0)
        captured = capsys.readouterr()
        return Done(status, captured.out, captured.err)

    yield called
    structlog.reset_defaults()
