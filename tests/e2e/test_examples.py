"""The examples are tested with the installed program, as their users would test them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e._program import tiphys

EXAMPLES = Path(__file__).parents[2] / "examples"
PIPELINES = sorted(path.parent for path in EXAMPLES.rglob("*.test.yaml"))


async def test_the_tests_of_all_examples_pass() -> None:
    status, output = await tiphys("test", str(EXAMPLES))

    assert status == 0, output
    assert output.splitlines()[-1].partition(" in ")[0].endswith(" passed")


@pytest.mark.parametrize("folder", PIPELINES, ids=lambda path: str(path.relative_to(EXAMPLES)))
async def test_the_tests_of_an_example_exercise_all_of_it(folder: Path) -> None:
    status, output = await tiphys("test", str(folder), "--coverage")

    assert status == 0, output
    totals, result = output.splitlines()[-2:]
    assert totals.startswith("exercised: "), f"not everything is exercised:\n{output}"
    assert "failed" not in result


async def test_the_build_of_the_quickstart_is_rendered_from_its_push() -> None:
    folder = EXAMPLES / "github-push"

    status, output = await tiphys(
        "render", "github-build", "-f", str(folder), "-b", f"@{folder / 'push.json'}"
    )

    assert status == 0, output
    assert "  branch: main\n" in output
