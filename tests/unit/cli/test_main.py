"""The program around its commands."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from tiphys import cli
from tiphys.errors import ManifestError


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_every_command_has_its_module(name: str) -> None:
    module = importlib.import_module(f"tiphys.cli.{name.replace('-', '_')}")

    assert hasattr(module, "app") or callable(getattr(module, name.replace("-", "_")))


def test_help_imports_no_command() -> None:
    code = (
        "import sys; from tiphys import cli; sys.argv = ['tiphys', '--help']\n"
        "try:\n    cli.main()\n"
        "except SystemExit:\n    pass\n"
        "print(sorted(name for name in sys.modules if name.startswith('tiphys.cli.')))\n"
        "print('pydantic' in sys.modules)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=True
    )

    assert done.stdout.splitlines()[-2:] == ["[]", "False"]


def test_an_error_of_ours_is_one_line_and_exit_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise ManifestError("`url` is missing", path="spec.url", file="a.yaml", line=3)

    monkeypatch.setattr("tiphys.cli.schema.schema", fail)
    monkeypatch.setattr(sys, "argv", ["tiphys", "schema"])

    with pytest.raises(SystemExit) as caught:
        cli.main()

    assert caught.value.code == 1
    assert capsys.readouterr().err == "error: a.yaml:3: spec.url: `url` is missing\n"
