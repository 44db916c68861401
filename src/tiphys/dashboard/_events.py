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

from tiphys.dashboard._operations import (
    Member,
    Operation,
    answer,
    body_of,
    data_of,
    flag_of,
    moment_of,
    text_of,
)
from tiphys.errors import ManifestError
from tiphys.events import JSON, CloudEvent, timestamp
from tiphys.manifests.findings import nearest
from tiphys.runtime import archive, trace
from tiphys.runtime.archive import ANY, Wanted
from tiphys.runtime.desired import NOTHING, Desired
from tiphys.runtime.replay import replay
from tiphys.runtime.standalone import Standalone
from tiphys.runtime.trace import STATUSES

PATH = "/api/v1/events"
REPLAY = "/api/v1/replay"
LINES = "application/x-ndjson"
NEWEST = 1000  # events in a list, unless asked otherwise
FILTERS = {"source": "Name of the event source.", "event": "Name of the event."}


class EventOperations:
    """The handlers."""

    def __init__(self, instance: Standalone) -> None:
        self._instance = instance

    def all(self) -> list[Operation]:
        """What there is."""
        since = {"since": "Not older than this: RFC 3339, or a duration; 1h if absent."}
        status = {
            "status": f"Only those of which that became: {', '.join(STATUSES)}.",
            "limit": f"At most so many, the newest; {NEWEST} if absent. Without effect on `data`.",
            "data": "`true`: whole events with their data, instead of what became of them.",
        }
        put = {
            "eventSource": Member("Whose event it is.", "string", required=True),
            "eventName": Member("Name of the event.", "string", required=True),
            "data": Member("Payload."),
            "namespace": Member("Namespace of the event source.", "string"),
            "id": Member("Id of the event; random if absent.", "string"),
        }
        again = {
            "eventSource": Member("Whose events.", "string", required=True),
            "eventName": Member("Name of the events.", "string", required=True),
            "since": Member("Not older than this.", "string", required=True),
            "until": Member("Older than this.", "string"),
            "sensor": Member("Only this sensor.", "string"),
            "trigger": Member("Only this trigger of it.", "string"),
            "dryRun": Member("Only tell what would happen.", "boolean"),
            "namespace": Member("Namespace of the event source.", "string"),
        }
        tail, one = f"{PATH}/tail", f"{PATH}/{{id:path}}"
        return [
            Operation("POST", PATH, "Put an event on the bus.", self.send, body=put),
            Operation("GET", PATH, "List events.", self.list, FILTERS | since | status),
            Operation("GET", tail, "Events as they come.", self.tail, FILTERS, media=LINES),
            Operation("GET", f"{one}/trace", "What happened to it.", self.trace),
            Operation("GET", one, "One event with its data.", self.show),
            Operation("POST", REPLAY, "Send archived events again.", self.replay, body=again),
        ]

    async def send(self, request: Request) -> Response:
        """Put an event on the bus, as from the source."""
        body = await body_of(request)
        source, name = text_of(body, "eventSource"), text_of(body, "eventName")
        namespace = text_of(body, "namespace", "")
        _check_known(
            self._instance.desired, namespace or self._instance.options.namespace, source, name
        )
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
        if (status := query.get("status", "")) not in ("", *STATUSES):
            raise HTTPException(
                400, f"the status {status!r} is unknown; there are: {', '.join(STATUSES)}"
            )
        buses = list(self._instance.buses.values())
        if query.get("data") == "true":
            whole = trace.archived(buses, _wanted(request), since)
            return answer([shown(event) async for event in whole])
        wanted, limit = _wanted(request), _limit(query.get("limit"))
        return answer(await trace.events(buses, wanted, since=since, status=status, limit=limit))

    async def tail(self, request: Request) -> Response:
        """Events as JSON lines until the caller goes."""
        buses = [opened.bus for opened in self._instance.buses.values()]
        if not buses:
            raise ManifestError("there is no bus in use")
        stream = archive.follow(buses, _wanted(request))

        async def lines() -> AsyncIterator[bytes]:
            async for event in stream:
                yield orjson.dumps(shown(event)) + b"\n"

        return StreamingResponse(lines(), media_type=LINES)

    async def show(self, request: Request) -> Response:
        """One event."""
        buses = [opened.bus for opened in self._instance.buses.values()]
        return answer(shown(await archive.find(buses, request.path_params["id"])))

    async def trace(self, request: Request) -> Response:
        """Its time line."""
        buses = list(self._instance.buses.values())
        records = await trace.trace(buses, request.path_params["id"])
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
            dry_run=flag_of(body, "dryRun"),
        )
        return answer([each async for each in replayed])


def _wanted(request: Request) -> Wanted:
    """The source and name that the query asks for."""
    return Wanted(request.query_params.get("source", ANY), request.query_params.get("event", ANY))


def _limit(text: str | None) -> int:
    """How many events are asked for.  Answers 400 for what is no number of any."""
    if not text:
        return NEWEST
    if not text.isascii() or not text.isdigit() or not 0 < len(text) < 10 or int(text) == 0:
        raise HTTPException(400, f"limit {text!r} is no number from 1 on")
    return int(text)


def _check_known(desired: Desired, namespace: str, source: str, name: str) -> None:
    """
    Check that an event may reach somebody: its source is here, or a sensor that depends on it.

    Answers 503 while nobody knows yet, and raises :exc:`ManifestError`.
    """
    if desired is NOTHING:
        raise HTTPException(503, "the manifests are being loaded")
    known = {
        (key[2], event)
        for key, manifest in desired.event_sources.items()
        for events in manifest.spec.events.values()
        for event in events
        if key[1] == namespace
    } | {
        (dependency.event_source_name, dependency.event_name)
        for key, manifest in desired.sensors.items()
        for dependency in manifest.spec.dependencies
        if key[1] == namespace
    }
    if (source, name) not in known:
        near = nearest(f"{source}/{name}", ("/".join(event) for event in known))
        raise ManifestError(
            f"no event source in {namespace!r} has the event {source}/{name} here, "
            f"and no sensor depends on it{near}"
        )


def shown(event: CloudEvent) -> dict[str, Any]:
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
        shown["data"] = data_of(event.data)
    except ValueError:
        shown["data_base64"] = base64.b64encode(event.data or b"").decode()
    return shown
