"""Log lines come, whatever is in them."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Literal

import pytest
import structlog

from tiphys.observe import logs

ODD = "a\ud800b"  # half a character, as JSON may escape one
LARGE = 123456789012345678901234567890


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """What logging is set to holds for one test."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("argo-events").setLevel(logging.NOTSET)
    structlog.reset_defaults()


@pytest.mark.parametrize("form", ["json", "human"])
def test_a_line_with_what_cannot_be_written_is_written(
    form: Literal["json", "human"], capsys: pytest.CaptureFixture[str]
) -> None:
    output = io.BytesIO()
    logs.set_up(form, "info", io.TextIOWrapper(output, encoding="utf-8", write_through=True))
    structlog.get_logger("argo-events.test").warning("odd", error=ODD, number=LARGE)

    line = output.getvalue().decode()
    assert str(LARGE) in line
    assert "odd" in line
    assert capsys.readouterr().err == ""


def test_a_field_takes_no_place_of_the_line_s_own() -> None:
    output = io.StringIO()
    logs.set_up("json", "info", output)
    structlog.get_logger("argo-events.test").warning("true", msg="false", ts="never")

    line = json.loads(output.getvalue())
    assert line["msg"] == "true"
    assert line["ts"].startswith("20")
