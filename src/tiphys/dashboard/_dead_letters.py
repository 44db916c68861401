"""Operations on dead letters."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from tiphys.dashboard._operations import Operation, answer, body_of, moment_of
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
        one = f"{PATH}/{{id}}"
        data = {"data": "New payloads of events, by dependency."}
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
        return answer(orjson.loads(letter.encode()) | {"data": _data(letter)})

    async def replay(self, request: Request) -> Response:
        """Run the action again; the letter goes when it succeeds."""
        given = (await body_of(request)).get("data") or {}
        data = {name: orjson.dumps(value) for name, value in given.items()}
        found = await find_dead_letter(self._instance, request.path_params["id"])
        result = await self._tried(*found, data)
        return answer(result, 200 if result["succeeded"] else 502)

    async def many(self, request: Request) -> Response:
        """Run the actions of all that match again, one after the other."""
        found = [entry async for entry in dead_letters(self._instance, _selection(request))]
        return answer([await self._tried(*entry, {}) for entry in found])

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
            return {"id": letter.id, "succeeded": False, "error": str(error)}
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


def _summary(letter: DeadLetter) -> dict[str, Any]:
    events = {name: event.id for name, event in letter.events.items()}
    return {**letter.summary(), "events": events}


def _data(letter: DeadLetter) -> dict[str, Any]:
    """The payloads of the events for people, where they are JSON."""
    shown: dict[str, Any] = {}
    for name, event in letter.events.items():
        try:
            shown[name] = orjson.loads(event.data or b"null")
        except orjson.JSONDecodeError:
            shown[name] = (event.data or b"").decode("utf-8", "replace")
    return shown
