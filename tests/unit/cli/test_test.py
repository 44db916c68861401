"""``tiphys test`` as users call it."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sysconfig
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.unit.cli._calls import Call

PROGRAM = Path(sysconfig.get_path("scripts")) / "tiphys"
SENSOR = """
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {name: orders}
spec:
  dependencies:
    - name: order
      eventSourceName: shop
      eventName: order
      filters:
        script: return event.total >= 1000
  triggers:
    - template:
        name: tell
        http:
          url: http://sales.example/
          payload:
            - {dest: order, src: {dependencyName: order, dataKey: id}}
"""
TESTS = """\
tests:
  - name: a big order is told
    events: [{source: shop, event: order, data: {id: A-1, total: 1000}}]
    expect: {trigger: tell, payload: {order: A-1}}
  - name: a small order is not
    events: [{source: shop, event: order, data: {id: A-2, total: 999}}]
    expect: {none: true, because: the script did not return true}
"""
WRONG = """\
tests:
  - name: another number
    events: [{source: shop, event: order, data: {id: "A-1\\a", total: 1000}}]
    expect: {trigger: tell, payload: {order: A-2}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sensor.yaml").write_text(SENSOR)
    (tmp_path / "orders.test.yaml").write_text(TESTS)
    return tmp_path


@pytest.fixture
def run(call: Call, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """``tiphys test`` in the folder."""
    monkeypatch.chdir(folder)
    return functools.partial(call, "test")


def without_seconds(text: str) -> str:
    return text[: text.rindex(" in ")]


def test_tests_that_pass_are_listed_and_counted(folder: Path, run: Call) -> None:
    done = run(".")

    assert done.returncode == 0, done.stdout
    assert done.stderr == ""
    assert without_seconds(done.stdout) == (
        "orders.test.yaml\n  ok    a big order is told\n  ok    a small order is not\n2 passed"
    )


def test_a_failure_is_shown_with_a_diff_and_the_trace(folder: Path, run: Call) -> None:
    (folder / "orders.test.yaml").write_text(TESTS.replace("order: A-1}", "order: A-3}"))

    done = run(".")

    assert done.returncode == 1
    assert done.stderr == ""
    assert without_seconds(done.stdout) == (
        "orders.test.yaml\n"
        "  FAIL  a big order is told (line 2)\n"
        "    orders/tell: the payload is not as expected\n"
        "      --- expected\n"
        "      +++ actual\n"
        "      @@ -1 +1 @@\n"
        "      -order: A-3\n"
        "      +order: A-1\n"
        "    what happened:\n"
        "      1. shop/order at 2026-01-01T00:00:00Z (id 1)\n"
        "           orders/tell: acted\n"
        "  ok    a small order is not\n"
        "1 passed, 1 failed"
    )


def test_the_installed_program_explains_a_script_that_fails_in_the_trace_only(
    folder: Path,
) -> None:
    (folder / "orders.test.yaml").write_text(TESTS.replace("total: 1000", "total: many"))

    done = subprocess.run(
        [PROGRAM, "test", "."],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )

    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.count("filtered out for order: script filter error (") == 1


def test_coverage_lists_gaps(folder: Path, run: Call) -> None:
    done = run(".", "--coverage", "-k", "small")

    assert done.returncode == 0
    assert without_seconds(done.stdout).splitlines()[2:] == [
        "exercised: 0 of 1 triggers, 0 of 1 filters",
        "  sensor.yaml",
        "    orders/tell never acts",
        "    orders, order, filters.script: the script returns true never lets an event pass",
        "1 passed",
    ]


def test_junit_has_a_case_for_each_test(folder: Path, run: Call) -> None:
    (folder / "wrong.test.yaml").write_text(WRONG)
    (folder / "zbroken.test.yaml").write_text("test: 1\n")

    done = run(".", "--format", "junit")

    assert done.returncode == 1
    root = ElementTree.fromstring(done.stdout)
    assert (root.attrib["tests"], root.attrib["failures"], root.attrib["errors"]) == ("4", "1", "1")
    cases = {case.attrib["name"]: case for case in root.iter("testcase")}
    assert list(cases["a big order is told"]) == []
    failure = cases["another number"].find("failure")
    assert failure is not None
    assert failure.attrib["message"] == "orders/tell: the payload is not as expected"
    assert "+order: " in (failure.text or "")
    assert "1. shop/order at " in (failure.text or "")
    assert cases["zbroken.test.yaml"].find("error") is not None
    assert cases["another number"].attrib["line"] == "2"


def test_json_has_everything(folder: Path, run: Call) -> None:
    done = run(".", "--format", "json", "--coverage")

    found = json.loads(done.stdout)
    assert (found["passed"], found["failed"]) == (2, 0)
    assert [test["name"] for test in found["tests"]] == [
        "a big order is told",
        "a small order is not",
    ]
    assert "filtered out for order" in found["tests"][1]["trace"]
    assert found["coverage"]["totals"]["triggers"] == {"exercised": 1, "all": 1}
    assert found["coverage"]["gaps"] == []


def test_no_test_at_all_is_a_failure(folder: Path, run: Call) -> None:
    assert run(".", "-k", "nothing of the kind").returncode == 1
    (folder / "orders.test.yaml").unlink()
    done = run(".")

    assert done.returncode == 1
    assert done.stderr == "error: there is no *.test.yaml in .\n"


def test_other_commands_leave_test_files_alone(run: Call, call: Call) -> None:
    done = call("lint", ".")

    assert "orders.test.yaml" not in done.stdout
    assert "1 file, 1 object" in done.stdout
