"""What the API says of itself, and how it reads what it is given."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tiphys.dashboard._dead_letters import _whole
from tiphys.dashboard._events import _limit, shown
from tiphys.dashboard._operations import (
    TEXT,
    Member,
    Operation,
    answer,
    flag_of,
    moment_of,
    openapi,
)
from tiphys.events import CloudEvent


async def handle(_request: Request) -> Response:
    return Response()


PUT = Operation(
    "POST",
    "/things/{id:path}",
    "Put a thing.",
    handle,
    body={
        "name": Member("Its name.", "string", required=True),
        "small": Member("Whether it is small.", "boolean"),
        "data": "Whatever there is.",
    },
)
PROBE = Operation("GET", "/healthz", "It answers.", handle, media=TEXT, open=True)


def test_a_body_has_the_types_of_its_members_and_those_that_it_must_have() -> None:
    body = openapi([PUT])["paths"]["/things/{id}"]["post"]["requestBody"]
    schema = body["content"]["application/json"]["schema"]

    assert body["required"]
    assert schema["required"] == ["name"]
    assert schema["properties"] == {
        "name": {"type": "string", "minLength": 1, "description": "Its name."},
        "small": {"type": "boolean", "description": "Whether it is small."},
        "data": {"description": "Whatever there is."},
    }


def test_an_object_has_the_type_of_its_values_and_is_not_empty_where_there_must_be_one() -> None:
    files = Member("Texts by name.", "object", required=True, values="string")
    more = Member("More of them.", "object", values="string")

    assert files.schema == {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {"type": "string"},
        "description": "Texts by name.",
    }
    assert more.schema["minProperties"] == 0


def test_refusals_have_the_shape_of_an_error() -> None:
    document = openapi([PUT])
    responses = document["paths"]["/things/{id}"]["post"]["responses"]

    assert set(responses) == {"200", "4XX", "5XX"}
    schema = responses["4XX"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/Error"}
    assert document["components"]["schemas"]["Error"]["required"] == ["error"]


def test_a_token_is_declared_where_one_is_demanded() -> None:
    document = openapi([PUT, PROBE], token=True)

    (name,) = document["security"][0]
    scheme = document["components"]["securitySchemes"][name]
    assert scheme == {"type": "http", "scheme": "bearer"}
    assert "security" not in document["paths"]["/things/{id}"]["post"]
    assert document["paths"]["/healthz"]["get"]["security"] == []


def test_no_token_is_declared_where_none_is_demanded() -> None:
    document = openapi([PUT, PROBE])

    assert "security" not in document
    assert "securitySchemes" not in document["components"]


@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "0001-01-01",
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59-12:00",
        "2000000h",
    ],
)
def test_one_can_reckon_with_any_moment(text: str) -> None:
    moment = moment_of(text, "since")

    assert moment is not None
    assert moment - timedelta(days=2) < moment.astimezone(UTC) < moment + timedelta(days=2)


def test_a_moment_is_a_time_or_a_duration_before_now() -> None:
    assert moment_of("2026-01-02T03:04:05Z", "since") == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert moment_of("2026-01-02", "since") == datetime(2026, 1, 2, tzinfo=UTC)
    assert moment_of("", "since") is None
    hour = moment_of("1h", "since")
    assert hour is not None
    assert hour < datetime.now(UTC)
    with pytest.raises(HTTPException, match="neither a time"):
        moment_of("yesterday", "since")


def test_a_yes_or_no_is_nothing_else() -> None:
    assert flag_of({"dryRun": True}, "dryRun")
    assert not flag_of({}, "dryRun")
    with pytest.raises(HTTPException, match="'dryRun' is neither true nor false"):
        flag_of({"dryRun": "false"}, "dryRun")


def nested(depth: int) -> bytes:
    """JSON that is nested so deeply."""
    return b'{"a":[' * (depth // 2) + b"]}" * (depth // 2)


@pytest.mark.parametrize("payload", [b'{"a": [1]}', nested(100), b"[" + b"[]," * 999 + b"[]]"])
def test_a_payload_is_shown_as_json(payload: bytes) -> None:
    event = CloudEvent("1", "web", "hook", "webhook", data=payload)

    assert orjson.loads(answer(shown(event)).body)["data"] == orjson.loads(payload)


@pytest.mark.parametrize("payload", [b"{", b"\xff", nested(300), nested(900)])
def test_a_payload_that_is_no_json_or_too_deep_is_shown_in_base64(payload: bytes) -> None:
    event = CloudEvent("1", "web", "hook", "webhook", data=payload)

    assert base64.b64decode(orjson.loads(answer(shown(event)).body)["data_base64"]) == payload


@pytest.mark.parametrize("payload", [b'{"a": [1]}', nested(900)])
def test_the_event_of_a_dead_letter_is_shown_whole(payload: bytes) -> None:
    event = CloudEvent("1", "web", "hook", "webhook", "", "application/json", payload)
    written = orjson.loads(answer(_whole(event)).body)

    assert CloudEvent.decode(orjson.dumps(written)).id == "1"
    found = CloudEvent.decode(orjson.dumps(written)).data or b""
    assert orjson.loads(found) == orjson.loads(payload)


@pytest.mark.parametrize("text", ["0", "-1", "x", "1e3", "²", "9" * 20])
def test_a_limit_is_a_number_of_events(text: str) -> None:
    with pytest.raises(HTTPException, match="is no number from 1 on"):
        _limit(text)
    assert (_limit("7"), _limit(None)) == (7, 1000)
