"""Exec triggers run real programs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tiphys.errors import TriggerError
from tiphys.testing.triggers import Target, TriggerContract

PAYLOAD = [{"src": {"dependencyName": "dep", "dataKey": "n"}, "dest": "n"}]


class Script(Target):
    """A script that adds its standard input to a file."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.allow_exec = True
        self.file = folder / "out"
        self.stalling = folder / "stall"
        self.script = folder / "script.sh"
        self.script.write_text(
            f'#!/bin/sh\n[ -e {self.stalling} ] && sleep 60\ncat >> "$1"\necho >> "$1"\n'
        )
        self.script.chmod(0o755)

    def block(self) -> dict[str, Any]:
        return {"command": [str(self.script), str(self.file)], "payload": PAYLOAD}

    async def received(self) -> Sequence[Any]:
        return self.file.read_text().splitlines() if self.file.exists() else []

    def refused(self) -> dict[str, Any]:
        return {"command": [str(self.script) + ".missing"]}

    async def stall(self) -> None:
        self.stalling.touch()


class TestExec(TriggerContract):
    key = "exec"
    always_reachable = "the machine is always there"

    @contextlib.asynccontextmanager
    async def target(self) -> AsyncIterator[Script]:
        with tempfile.TemporaryDirectory() as folder:
            yield Script(Path(folder))


async def fire(command: list[str], **block: Any) -> Any:
    """The outcome of one run."""
    contract = TestExec()
    async with (
        contract.target() as target,
        contract.running(target, {"command": command, **block}) as running,
    ):
        return await running.fire()


async def test_the_payload_is_the_standard_input_and_the_output_is_shown() -> None:
    outcome = await fire(["cat"], payload=PAYLOAD)

    assert (outcome.status, outcome.detail) == (0, '{"n":"7"}')


async def test_a_status_other_than_0_is_a_failure_that_shows_the_end_of_the_output() -> None:
    with pytest.raises(TriggerError, match="ended with status 3: bad luck"):
        await fire(["sh", "-c", "echo bad luck >&2; exit 3"])


async def test_the_program_sees_its_own_environment_and_not_ours() -> None:
    os.environ["TIPHYS_SECRET_X_Y"] = "hidden"
    try:
        outcome = await fire([sys.executable, "-c", _PRINT], env={"GIVEN": "1"})
    finally:
        del os.environ["TIPHYS_SECRET_X_Y"]

    assert outcome.detail == "1 action-1 None"


_PRINT = (
    "import os; e = os.environ.get; "
    "print(e('GIVEN'), e('TIPHYS_ACTION_ID'), e('TIPHYS_SECRET_X_Y'))"
)


async def test_a_program_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    mark = tmp_path / "alive"
    script = f"(sleep 1; touch {mark}) & sleep 60"
    with pytest.raises(TriggerError, match="did not end within"):
        await fire(["sh", "-c", script], timeout="200ms")
    await asyncio.sleep(1.2)

    assert not mark.exists()


async def test_endless_output_fills_no_memory_and_its_end_is_kept() -> None:
    outcome = await fire([sys.executable, "-c", "print('x' * 10_000_000 + 'end')"])

    assert len(outcome.detail) <= 4096
    assert outcome.detail.endswith("end")


async def test_it_is_off_unless_local_programs_are_allowed() -> None:
    contract = TestExec()
    async with contract.target() as target:
        target.allow_exec = False
        with pytest.raises(TriggerError, match="--allow-exec"):
            async with contract.running(target):
                pass
