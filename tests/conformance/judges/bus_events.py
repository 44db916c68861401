"""Messages on the bus: attributes and data exactly."""

from __future__ import annotations

import json
from typing import Any

from tiphys.errors import EventDecodeError
from tiphys.events import CloudEvent
from tiphys.sensors.event import Event


def judge(case: dict[str, Any]) -> str | None:
    """Decode the message and compare what a trigger would see of it."""
    expected = case["go"]
    try:
        event = Event(
            CloudEvent.decode(case["in"]["cloudevent"].encode("utf-8", "surrogateescape"))
        )
        context = json.loads(event.context_json)
        whole = json.loads(event.json)
    except EventDecodeError as error:
        return None if "err" in expected else f"unexpected error: {error}"
    if "err" in expected:
        return f"no error but {event.json!r}"
    data = None if event.data is None else event.data.decode("utf-8", "surrogateescape")
    wanted = (json.loads(expected["context"]), json.loads(expected["event_json"]), expected["data"])
    return None if (context, whole, data) == wanted else f"{context} {whole} {data!r}"
