"""Events and loops that several judges of the engine share."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any, TypeVar

from tiphys.events import CloudEvent
from tiphys.languages.lua import WorkerPool
from tiphys.sensors.event import Event

T = TypeVar("T")
_LOOP = asyncio.new_event_loop()
SCRIPTS = WorkerPool()


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of *coroutine*; one event loop serves all cases, so workers live on."""
    return _LOOP.run_until_complete(coroutine)


def event_of(case: dict[str, Any]) -> Event:
    """The event of a case: ``{"context": …, "data": text or null}``."""
    context = case["context"]
    data = case["data"]
    return Event(
        CloudEvent(
            id=context.get("id") or "",
            source=context.get("source") or "",
            subject=context.get("subject") or "",
            type=context.get("type") or "",
            time=context.get("time") or "",
            datacontenttype=context.get("datacontenttype") or "",
            specversion=context.get("specversion") or "1.0",
            data=None if data is None else data.encode("utf-8", "surrogateescape"),
        )
    )


def events_of(cases: dict[str, Any] | None) -> dict[str, Event]:
    """Events by dependency."""
    return {name: event_of(case) for name, case in (cases or {}).items()}


def differs(actual: str | None, expected: str | None) -> str | None:
    """What is wrong with JSON text, exactly where it is no JSON."""
    if actual == expected:
        return None
    try:
        same = actual is not None and expected is not None
        same = same and json.loads(actual) == json.loads(expected)
    except ValueError:
        same = False
    return None if same else f"{actual!r} instead of {expected!r}"
