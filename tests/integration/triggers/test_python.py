"""Python triggers run real code."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tiphys.errors import TriggerError
from tiphys.testing.triggers import Target, TriggerContract
from tiphys.triggers import triggers
from tiphys.triggers.python import Config

MODULE = """
import os, pathlib, time

FOLDER = pathlib.Path(__file__).parent

def record(events):
    while (FOLDER / "stall").exists():
        time.sleep(0.1)
    print("this goes to the log")
    with (FOLDER / "out").open("a") as file:
        file.write(f"{events['dep']['data']['n']}\\n")
    return events["dep"]["data"]

def both(events, payload):
    return [events["dep"]["id"], payload, os.environ.get("TIPHYS_ACTION_ID")]

def large(events):
    return "x" * 70_000
"""
PAYLOAD = [{"src": {"dependencyName": "dep", "dataKey": "text"}, "dest": "text"}]


class Module(Target):
    """A module that writes down what it is given."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.allow_exec = True
        self.folder = folder
        (folder / "actions.py").write_text(MODULE)

    def block(self) -> dict[str, Any]:
        return {"function": "actions:record", "paths": [str(self.folder)]}

    async def received(self) -> Sequence[Any]:
        file = self.folder / "out"
        return file.read_text().splitlines() if file.exists() else []

    def refused(self) -> dict[str, Any]:
        return {**self.block(), "function": "actions:no_such_function"}

    async def stall(self) -> None:
        (self.folder / "stall").touch()


class TestPython(TriggerContract):
    key = "python"
    always_reachable = "the machine is always there"

    @contextlib.asynccontextmanager
    async def target(self) -> AsyncIterator[Module]:
        with tempfile.TemporaryDirectory() as folder:
            yield Module(Path(folder))


async def fire(**block: Any) -> Any:
    """The outcome of one run."""
    contract = TestPython()
    async with contract.target() as target:
        paths = {"paths": [str(target.folder)]}
        async with contract.running(target, {**paths, **block}) as running:
            return await running.fire()


async def test_a_function_gets_the_events_and_its_result_is_the_outcome() -> None:
    outcome = await fire(function="actions:record")

    assert json.loads(outcome.detail) == {"n": 7, "text": "hello"}


async def test_a_payload_is_the_second_argument() -> None:
    outcome = await fire(function="actions:both", payload=PAYLOAD)

    assert json.loads(outcome.detail) == ["event-1", {"text": "hello"}, "action-1"]


async def test_code_finds_the_events_and_sets_the_result() -> None:
    outcome = await fire(code="result = events['dep']['data']['n'] * 2")

    assert outcome.detail == "14"


async def test_code_without_a_result_has_none() -> None:
    outcome = await fire(code="print('hello')")

    assert outcome.detail == "null"


@pytest.mark.parametrize(
    ("block", "message", "retryable"),
    [
        ({"code": "raise ValueError('no good')"}, "the code failed: ValueError: no good", True),
        ({"code": "result = object()"}, "the code failed: TypeError: .* not JSON serial", True),
        ({"code": "x ="}, "the code cannot be run: SyntaxError: invalid syntax", False),
        ({"function": "nowhere:f"}, "nowhere:f cannot be run: ModuleNotFoundError", False),
        ({"code": "import os; os._exit(9)"}, "the code failed: status 9", True),
        ({"function": "actions:large"}, "the result of actions:large is larger than", False),
        ({}, "either function or code must be given", False),
    ],
)
async def test_what_goes_wrong_says_why(
    block: dict[str, Any], message: str, retryable: bool
) -> None:
    with pytest.raises(TriggerError, match=message) as caught:
        await fire(**block)

    assert caught.value.retryable is retryable


async def test_it_is_ended_when_it_takes_too_long() -> None:
    with pytest.raises(TriggerError, match=r"the code did not end within 0\.5 s"):
        await fire(code="while True: pass", timeout="500ms")


async def test_it_has_the_memory_that_it_may_use() -> None:
    code = "result = len(bytearray(100 << 20))"

    assert (await fire(code=code, memory=256)).detail == str(100 << 20)
    with pytest.raises(TriggerError, match="MemoryError"):
        await fire(code=code, memory=64)


async def test_secrets_of_our_environment_are_not_passed_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TIPHYS_SECRET_A_B", "hidden")
    outcome = await fire(code="import os; result = dict(os.environ)", env={"MINE": "1"})
    seen = json.loads(outcome.detail)

    assert "TIPHYS_SECRET_A_B" not in seen
    assert (seen["MINE"], seen["PATH"]) == ("1", os.environ["PATH"])


async def test_it_is_off_unless_allowed() -> None:
    contract = TestPython()
    async with contract.target() as target:
        target.allow_exec = False
        with pytest.raises(TriggerError, match="--allow-exec"):
            async with contract.running(target):
                pass


@pytest.mark.parametrize(
    ("block", "problems"),
    [
        ({"function": "m:f", "code": "x"}, ["either function or code must be given"]),
        ({"function": "m.f"}, ["function must be of the form module:function, not 'm.f'"]),
        ({"function": "m.n:f"}, []),
    ],
)
def test_wrong_options_are_found_before_it_runs(block: dict[str, Any], problems: list[str]) -> None:
    assert triggers.get("python").check(Config.model_validate(block)) == problems
