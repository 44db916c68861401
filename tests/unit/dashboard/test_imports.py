"""What the API needs to start."""

from __future__ import annotations

import subprocess
import sys

import pytest

FOR_DEVELOPERS = ("pytest", "_pytest", "hypothesis", "aiosmtpd")


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("tiphys.dashboard", ("tiphys.testing", *FOR_DEVELOPERS)),
        ("tiphys.testing.pipelines._trial", ("tiphys.dashboard", *FOR_DEVELOPERS)),
    ],
)
def test_a_module_is_imported_without_those_that_it_does_not_need(
    module: str, absent: tuple[str, ...]
) -> None:
    program = f"import sys, {module}; print(*sys.modules, sep='\\n')"

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=50
    )

    imported = done.stdout.splitlines()
    assert module in imported
    assert not set(absent) & set(imported)
