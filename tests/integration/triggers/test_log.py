"""Log triggers: the event's data becomes a log line."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import structlog

from tiphys.testing.clock import VirtualClock
from tiphys.testing.triggers import EVENT, Target, TriggerContract
from tiphys.triggers.log import data_text


class Lines(Target):
    """The log."""

    def __init__(self, lines: list[Any]) -> None:
        super().__init__()
        self.lines = lines

    def block(self) -> dict[str, Any]:
        return {}

    async def received(self) -> Sequence[Any]:
        return self.lines


class TestLog(TriggerContract):
    key = "log"
    always_reachable = "the log is always there"
    refuses_nothing = "the log takes everything"
    never_stalls = "writing a line waits for nobody"

    @contextlib.asynccontextmanager
    async def target(self) -> AsyncIterator[Lines]:
        with structlog.testing.capture_logs() as lines:
            yield Lines(lines)


async def test_the_line_is_the_data_with_what_tools_look_for() -> None:
    contract = TestLog()
    async with contract.target() as target, contract.running(target) as running:
        await running.fire()

    (line,) = target.lines
    assert line["event"] == '{"n":7,"text":"hello"}'
    assert (line["dependencyName"], line["triggerType"]) == ("dep", "Log")
    assert "id=event-1" in line["eventContext"]


async def test_a_second_line_waits_until_the_interval_has_passed() -> None:
    contract = TestLog()
    async with contract.target() as target:
        clock = target.clock = VirtualClock()
        async with contract.running(target, {"intervalSeconds": 1}) as running:
            await running.fire()
            await running.fire()
            await clock.advance(1)
            await running.fire()

    assert len(target.lines) == 2


@pytest.mark.parametrize(
    ("data", "content_type", "text"),
    [
        (None, "application/json", ""),
        (b"my-data", "", "bXktZGF0YQ=="),
        (b'"my-data"', "application/json", '"my-data"'),
        (b"x", "text/plain; charset=utf-8", "x"),
    ],
)
def test_data_is_text_where_its_type_is_one_of_text(
    data: bytes | None, content_type: str, text: str
) -> None:
    event = dataclasses.replace(EVENT, data=data, datacontenttype=content_type)

    assert data_text(event) == text
