"""What the guide on testing manifests shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tiphys.cli import _test_reports as reports
from tiphys.testing.pipelines import Suites

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "testing-manifests.md"
_STYLE = re.compile(r"\x1b\[[0-9;]*m")
_BLOCK = re.compile(r"<!-- (file|output|python):? ?(.*?) -->\n```\w+\n(.*?)```", re.DOTALL)


def blocks(kind: str) -> dict[str, str]:
    """The blocks of the guide that are of a kind, by name."""
    return {name: text for found, name, text in _BLOCK.findall(GUIDE.read_text()) if found == kind}


def plain(text: str) -> str:
    """Without colours."""
    return _STYLE.sub("", text) + "\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files of the guide, which is the present one."""
    for name, text in blocks("file").items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def test_the_tests_of_the_guide_pass(folder: Path) -> None:
    results = [result async for result in Suites([Path()]).results()]

    assert [result.failures for result in results] == [[]] * 6


async def test_the_failure_of_the_guide_looks_as_shown(folder: Path) -> None:
    path = folder / "orders.test.yaml"
    path.write_text(path.read_text().replace("total: EUR 1200", "total: 1200"))

    failed, _ = [result async for result in Suites([path]).results()]

    assert plain(reports.text(failed)) == blocks("output")["a wrong expectation"]


async def test_the_coverage_of_the_guide_is_as_shown(folder: Path) -> None:
    release = (folder / "release.test.yaml").read_text()
    office_hours = re.compile(r"\n  - name: approvals.*?(?=\n  - name)", re.DOTALL)
    (folder / "release.test.yaml").write_text(office_hours.sub("", release))
    suites = Suites([Path("release.test.yaml")])
    [result async for result in suites.results()]

    assert plain(reports.coverage_text(suites.coverage)) == blocks("output")["coverage"]


def test_the_python_of_the_guide_tells_the_right_sensor_from_a_wrong_one(folder: Path) -> None:
    names: dict[str, Any] = {}
    exec(compile(blocks("python")[""], str(GUIDE), "exec"), names)
    test = names["test_only_big_orders_are_told_to_sales"]
    test()

    sensor = folder / "sensor.yaml"
    sensor.write_text(sensor.read_text().replace('"1000"', '"2000"'))
    with pytest.raises(AssertionError):
        test()
