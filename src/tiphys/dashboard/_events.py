"""Operations on events: put in, list, follow, trace, replay."""

from __future__ import annotations

import base64
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from tiphys.dashboard._operations import Operation, answer, body_of, moment_of, text_of
from tiphys.events import JSON, CloudEvent, timestamp
from tiphys.runtime import trace
from tiphys.runtime.replay import replay
from tiphys.runtime.standalone import Standalone

PATH = "/api/v1/events"
REPLAY = "/api/v1/replay"
LINES = "application/x-ndjson"
FILTERS = {"source": "Name of the event source.", "event": "Name of the event."}


class EventOperations:
    """The handlers."""

    def __init__(self, instance: Standalone) -> None:
        self._instance = instance

    def all(self) -> list[Operation]:
        """What there is."""
        since = {"since": "Not older than this: RFC 3339, or a duration; 1h if absent."}
        status = {
            "status": "acted on, filtered, waiting, set aside, failing, dead-lettered or pending.",
            "data": "`true`: whole events with their data, instead of what became of them.",
        }
        put = {
            "eventSource": "Whose event it is.",
            "eventName": "Name of the event.",
            "data": "Payload.",
            "namespace": "Namespace of the event source.",
            "id": "Id of the event; random if absent.",
        }
        again = {
            "eventSource": "Whose events.",
            "eventName": "Name of the events.",
            "since": "Not older than this.",
            "until": "Older than this.",
            "sensor": "Only this sensor.",
            "trigger": "Only this trigger of it.",
            "dryRun": "Only tell what would happen.",
            "namespace": "Namespace of the event source.",
        }
        tail, one = f"{PATH}/tail", f"{PATH}/{{id}}"
        return [
            Operation("POST", PATH, "Put an event on the bus.", self.send, body=put),
            Operation("GET", PATH, "List events.", self.list, FILTERS | since | status),
            Operation("GET", tail, "Events as they come, a line each.", self.tail, FILTERS),
            Operation("GET", one, "One event with its data.", self.show),
            Operation("GET", f"{one}/trace", "What happened to it.", self.trace),
            Operation("POST", REPLAY, "Send archived events again.", self.replay, body=again),
        ]

    async def send(self, request: Request) -> Response:
        """Put an event on the bus, as from the source."""
        body = await body_of(request)
        source, name = text_of(body, "eventSource"), text_of(body, "eventName")
        namespace = text_of(body, "namespace", "")
        event = CloudEvent(
            id=text_of(body, "id", "") or uuid.uuid4().hex,
            source=source,
            subject=name,
            type=self._instance.event_type(namespace, source, name),
            time=timestamp(),
            datacontenttype=JSON,
            data=orjson.dumps(body.get("data")),
        )
        opened = self._instance.bus_of(namespace, source)
        await opened.bus.publish(event)
        opened.history.add("published", (event.id,), source, name)
        return answer({"id": event.id})

    async def list(self, request: Request) -> Response:
        """Events and what became of them."""
        query = request.query_params
        since = moment_of(query.get("since"), "since") or datetime.now(UTC) - timedelta(hours=1)
        source, name = query.get("source", "*"), query.get("event", "*")
        if query.get("data") == "true":
            whole = trace.archived(self._instance, source, name, since)
            return answer([_shown(event) async for event in whole])
        found = await trace.events(
            self._instance,
            event_source=source,
            event_name=name,
            since=since,
            status=query.get("status", ""),
        )
        return answer(found)

    async def tail(self, request: Request) -> Response:
        """Events as JSON lines until the caller goes."""
        query = request.query_params
        stream = trace.follow(self._instance, query.get("source", "*"), query.get("event", "*"))

        async def lines() -> AsyncIterator[bytes]:
            async for event in stream:
                yield orjson.dumps(_shown(event)) + b"\n"

        return StreamingResponse(lines(), media_type=LINES)

    async def show(self, request: Request) -> Response:
        """One event."""
        return answer(_shown(await trace.find(self._instance, request.path_params["id"])))

    async def trace(self, request: Request) -> Response:
        """Its time line."""
        records = await trace.trace(self._instance, request.path_params["id"])
        return answer([trace.as_json(record) for record in records])

    async def replay(self, request: Request) -> Response:
        """Send archived events through sensors again."""
        body = await body_of(request)
        source, name = text_of(body, "eventSource"), text_of(body, "eventName")
        since = moment_of(text_of(body, "since"), "since")
        if since is None:
            raise HTTPException(400, "the member 'since' is missing")
        replayed = replay(
            self._instance.sensors.values(),
            self._instance.bus_of(text_of(body, "namespace", ""), source).bus,
            event_source=source,
            event_name=name,
            since=since,
            until=moment_of(text_of(body, "until", ""), "until"),
            sensor=text_of(body, "sensor", ""),
            trigger=text_of(body, "trigger", ""),
            dry_run=bool(body.get("dryRun")),
        )
        return answer([each async for each in replayed])


def _shown(event: CloudEvent) -> dict[str, Any]:
    """An event as JSON data; its payload as JSON where it is, otherwise in base64."""
    shown: dict[str, Any] = {
        "id": event.id,
        "source": event.source,
        "subject": event.subject,
        "type": event.type,
        "time": event.time,
        "datacontenttype": event.datacontenttype,
    }
    try:
        shown["data"] = orjson.loads(event.data or b"null")
    except orjson.JSONDecodeError:
        shown["data_base64"] = base64.b64encode(event.data or b"").decode()
    return shown
