"""``tiphys lint`` and ``tiphys schema`` as users call them."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
from pathlib import Path

import pytest

PROGRAM = Path(sysconfig.get_path("scripts")) / "tiphys"
WALKTHROUGH = Path(__file__).parents[2] / "data" / "walkthrough"
GOOD = (
    "apiVersion: argoproj.io/v1alpha1\nkind: EventBus\nmetadata: {name: default}\n"
    "spec: {jetstream: {version: latest}}\n"
)
BAD = GOOD.replace("version", "vresion")
DOUBTFUL = GOOD.replace("latest", "latest, replicas: 4")


def tiphys(
    *arguments: object, stdin: str = "", cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the installed program."""
    return subprocess.run(
        [PROGRAM, *map(str, arguments)],
        input=stdin,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        env={**os.environ, "COLUMNS": "100"},
    )


def test_the_walkthrough_passes() -> None:
    done = tiphys("lint", WALKTHROUGH)

    assert done.returncode == 0, done.stdout
    assert ": error:" not in done.stdout
    assert done.stderr == ""


def test_clean_manifests_pass_with_one_line() -> None:
    done = tiphys("lint", "-", stdin=GOOD)

    assert (done.returncode, done.stdout) == (0, "1 file, 1 object: nothing to complain about\n")


def test_findings_are_printed_with_place_path_and_hint(tmp_path: Path) -> None:
    (tmp_path / "bus.yaml").write_text(BAD + "---\na: [\n")

    done = tiphys("lint", "bus.yaml", cwd=tmp_path)

    assert done.returncode == 1
    assert done.stdout == (
        "bus.yaml:4:8: error: invalid spec: a version for jetstream needs to be specified "
        "[invalid]\n"
        "    at spec.jetstream.version\n"
        "bus.yaml:4:20: error: unknown key `vresion`; did you mean `version`? [unknown-key]\n"
        "    at spec.jetstream.vresion\n"
        "bus.yaml:7:1: error: the text ends where a value should be [syntax]\n"
        "    hint: check for a bracket that is not closed\n"
        "1 file, 1 object: 3 errors\n"
    )


def test_warnings_fail_only_when_asked_to() -> None:
    assert tiphys("lint", "-", stdin=DOUBTFUL).returncode == 0
    assert tiphys("lint", "--strict", "-", stdin=DOUBTFUL).returncode == 1


def test_what_cannot_be_read_is_another_exit_status(tmp_path: Path) -> None:
    done = tiphys("lint", "nowhere.yaml", "-", stdin=GOOD, cwd=tmp_path)

    assert done.returncode == 2
    assert done.stdout.startswith(
        "nowhere.yaml: error: cannot be read: no such file or directory [unreadable]\n"
    )


def test_json_is_a_list_of_findings() -> None:
    done = tiphys("lint", "--format", "json", "-", stdin=DOUBTFUL)

    assert json.loads(done.stdout) == [
        {
            "severity": "warning",
            "rule": "event-bus",
            "message": "4 servers survive no more failures than 3",
            "file": "<stdin>",
            "line": 4,
            "column": 37,
            "path": "spec.jetstream.replicas",
            "hint": "use an odd number",
        }
    ]
    assert json.loads(tiphys("lint", "--format", "json", "-", stdin=GOOD).stdout) == []


def test_github_gets_annotations() -> None:
    done = tiphys("lint", "--format", "github", "-", stdin=BAD)

    assert done.stdout.splitlines()[1] == (
        "::error file=<stdin>,line=4,col=20,title=spec.jetstream.vresion::unknown key `vresion`; "
        "did you mean `version`?"
    )


def test_annotations_are_escaped() -> None:
    done = tiphys("lint", "--format", "github", "-", stdin='"x%y\\nz": 1\n"x%y\\nz": 2\n')

    assert "::duplicate key `x%25y%0Az`" in done.stdout


@pytest.mark.parametrize(
    "arguments", [["lint"], ["lint", "--format", "xml", "-"], ["lnt"], ["--nothing"]]
)
def test_wrong_usage_is_told_without_a_traceback(arguments: list[str]) -> None:
    done = tiphys(*arguments)

    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "Error: " in done.stderr


def test_a_mistyped_command_is_recognised() -> None:
    assert "Did you mean 'lint'?" in tiphys("lnt").stderr


def test_help_lists_the_commands() -> None:
    done = tiphys("--help")

    assert done.returncode == 0
    assert "lint" in done.stdout
    assert "schema" in done.stdout


def test_the_version_is_printed() -> None:
    assert tiphys("--version").stdout.startswith("tiphys ")


def test_the_schema_is_printed_as_json() -> None:
    schema = json.loads(tiphys("schema").stdout)

    assert schema["$schema"].startswith("https://json-schema.org/")
    assert [kind["title"] for kind in schema["oneOf"]][:3] == ["EventSource", "EventBus", "Sensor"]


def test_a_reader_that_goes_away_is_no_crash() -> None:
    with subprocess.Popen(
        [PROGRAM, "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
