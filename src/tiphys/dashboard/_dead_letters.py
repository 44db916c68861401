"""Operations on dead letters."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tiphys.dashboard._operations import (
    Member,
    Operation,
    answer,
    body_of,
    data_of,
    moment_of,
)
from tiphys.errors import TiphysError
from tiphys.events import CloudEvent
from tiphys.runtime.recovery import Selection, dead_letters, find_dead_letter, try_again
from tiphys.runtime.standalone import Standalone
from tiphys.sensors.actions import ActionFailed
from tiphys.sensors.dead_letters import DeadLetter, DeadLetters

FILTERS = {
    "sensor": "Name of the sensor.",
    "trigger": "Name of the trigger.",
    "error": "Part of the error's text.",
    "since": "Not older than this: RFC 3339, or a duration such as 2h.",
    "until": "Older than this.",
}
PATH = "/api/v1/dead-letters"


class DeadLetterOperations:
    """The handlers."""

    def __init__(self, instance: Standalone) -> None:
        self._instance = instance

    def all(self) -> list[Operation]:
        """What there is."""
        one = f"{PATH}/{{id:path}}"
        data = {"data": Member("New payloads of events, by dependency.", "object")}
        return [
            Operation("GET", PATH, "List dead letters, oldest first.", self.list, FILTERS),
            Operation("POST", f"{PATH}/replay", "Try all that match again.", self.many, FILTERS),
            Operation("DELETE", PATH, "Remove all that match.", self.clear, FILTERS),
            Operation("GET", one, "One dead letter with its events.", self.show),
            Operation("POST", f"{one}/replay", "Try it again.", self.replay, body=data),
            Operation("DELETE", one, "Remove it.", self.discard),
        ]

    async def list(self, request: Request) -> Response:
        """Summaries of those that match."""
        found = dead_letters(self._instance, _selection(request))
        return answer([_summary(letter) async for _, _, letter in found])

    async def show(self, request: Request) -> Response:
        """Everything about one."""
        _, _, letter = await find_dead_letter(self._instance, request.path_params["id"])
        events = {name: _whole(event) for name, event in letter.events.items()}
        return answer({**letter.summary(), "events": events, "data": _data(letter)})

    async def replay(self, request: Request) -> Response:
        """Run the action again; the letter goes when it succeeds."""
        given = _new_data(await body_of(request))
        letters, sequence, letter = await find_dead_letter(
            self._instance, request.path_params["id"]
        )
        if letter.events and (unknown := given.keys() - letter.events.keys()):
            raise HTTPException(
                400,
                f"the member 'data' names {', '.join(sorted(unknown))}; the events of this dead "
                f"letter are: {', '.join(letter.events)}",
            )
        data = {name: orjson.dumps(value) for name, value in given.items()}
        result = await self._tried(letters, sequence, letter, data)
        return answer(result, 200 if result["succeeded"] else 502)

    async def many(self, request: Request) -> Response:
        """Run the actions of all that match again, one after the other; each has its result."""
        results = []
        found = [entry async for entry in dead_letters(self._instance, _selection(request))]
        for letters, sequence, letter in found:
            try:
                results.append(await self._tried(letters, sequence, letter, {}))
            except TiphysError as error:  # its trigger is gone, or the bus is away
                results.append(_failed(letter, error))
        return answer(results)

    async def discard(self, request: Request) -> Response:
        """Remove one."""
        letters, sequence, letter = await find_dead_letter(
            self._instance, request.path_params["id"]
        )
        await letters.discard(sequence)
        return answer({"discarded": [letter.id]})

    async def clear(self, request: Request) -> Response:
        """Remove all that match."""
        found = [entry async for entry in dead_letters(self._instance, _selection(request))]
        for letters, sequence, _ in found:
            await letters.discard(sequence)
        return answer({"discarded": [letter.id for _, _, letter in found]})

    async def _tried(
        self, letters: DeadLetters, sequence: int, letter: DeadLetter, data: dict[str, bytes]
    ) -> dict[str, Any]:
        try:
            await try_again(self._instance, letter, data)
        except ActionFailed as error:
            return _failed(letter, error)
        await letters.discard(sequence)
        return {"id": letter.id, "succeeded": True}


def _selection(request: Request) -> Selection:
    query = request.query_params
    return Selection(
        sensor=query.get("sensor", ""),
        trigger=query.get("trigger", ""),
        error=query.get("error", ""),
        since=moment_of(query.get("since"), "since"),
        until=moment_of(query.get("until"), "until"),
    )


def _new_data(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """New payloads by dependency, from the body.  Answers 400 when they are none."""
    given = body.get("data")
    if not isinstance(given, dict | None):
        raise HTTPException(400, "the member 'data' is not a JSON object: payloads by dependency")
    return given or {}


def _failed(letter: DeadLetter, error: TiphysError) -> dict[str, Any]:
    return {"id": letter.id, "succeeded": False, "error": str(error)}


def _summary(letter: DeadLetter) -> dict[str, Any]:
    events = {name: event.id for name, event in letter.events.items()}
    return {**letter.summary(), "events": events}


def _whole(event: CloudEvent) -> dict[str, Any]:
    """An event as on the bus; data that is nested too deeply in base64, as binary data is there."""
    data, rest = event.data or b"", dataclasses.replace(event, data=None)
    with contextlib.suppress(ValueError):
        data_of(data)
        rest = event
    whole: dict[str, Any] = orjson.loads(rest.encode())
    return whole if rest is event else whole | {"data_base64": base64.b64encode(data).decode()}


def _data(letter: DeadLetter) -> dict[str, Any]:
    """The payloads of the events for people, where they are JSON."""
    shown: dict[str, Any] = {}
    for name, event in letter.events.items():
        try:
            shown[name] = data_of(event.data)
        except ValueError:
            shown[name] = (event.data or b"").decode("utf-8", "replace")
    return shown
