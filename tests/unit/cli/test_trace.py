"""The time line of an event in words."""

from __future__ import annotations

from tiphys.cli.trace import drawn

RECORD = {"time": "2026-01-02T03:04:05Z", "events": ["id"], "owner": "sn", "part": "t"}


def test_a_held_event_that_a_reset_forgot_is_told_with_the_reason() -> None:
    step = {"step": "forgotten", "dependency": "a", "reason": "the conditions were reset"}

    assert "forgotten as a: the conditions were reset" in drawn([{**RECORD, **step}])
