"""The cloudevents source: every mode of the HTTP binding, over real connections."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tiphys.testing.push_sources import Answer, PushSourceContract, Sent
from tiphys.testing.sources import data_of, make_source

STRUCTURED = {"Content-Type": "application/cloudevents+json"}
BATCH = {"Content-Type": "application/cloudevents-batch+json; charset=UTF-8"}
ATTRIBUTES = {"specversion": "1.0", "id": "a-1", "source": "/shop/7", "type": "com.example.sold"}
CE = {f"ce-{name}": value for name, value in ATTRIBUTES.items()}
JSON = {"Content-Type": "application/json"}


class TestCloudEvents(PushSourceContract):
    key = "cloudevents"
    context_at = ""

    def block(self) -> dict[str, Any]:
        return {}

    def request(self, n: int) -> Sent:
        return Sent(b'{"n": %d}' % n, {**CE, **JSON, "ce-id": f"a-{n}"})

    def number(self, data: dict[str, Any]) -> int:
        return int(data["event"]["data"]["n"])


class TestCloudEventsInBatches(TestCloudEvents):
    def request(self, n: int) -> Sent:
        batch = [{**ATTRIBUTES, "id": f"{n}-{m}", "data": {"n": n}} for m in range(3)]
        return Sent(json.dumps(batch).encode(), BATCH, events=3)


cloudevents = TestCloudEvents()


async def event_of(sent: Sent) -> dict[str, Any]:
    """The member ``event`` of the one payload that comes of a request."""
    async with cloudevents.running() as endpoint:
        answer = await endpoint.send(sent)
        assert (answer.status, answer.body) == (200, "success")
    (event,) = endpoint.bus.published
    found: dict[str, Any] = data_of(event)["event"]
    return found


async def refusal(sent: Sent, **context: Any) -> Answer:
    """The answer to a request that is no event."""
    async with cloudevents.running(**context) as endpoint:
        answer = await endpoint.send(sent)
    assert endpoint.bus.published == []
    return answer


async def test_the_envelope_is_ours_and_the_event_of_the_sender_is_inside() -> None:
    async with cloudevents.running(metadata={"team": "a"}) as endpoint:
        await endpoint.send(Sent(b'{"price": 1.50}', {**CE, **JSON, "ce-tenant": "t1"}))

    (event,) = endpoint.bus.published
    data = data_of(event)
    assert (event.source, event.subject, event.type) == ("es", "ev", "cloudevents")
    assert list(data) == ["header", "event", "metadata"]
    assert data["header"]["Ce-Id"] == ["a-1"]
    assert data["event"] == {
        **ATTRIBUTES,
        "tenant": "t1",
        "datacontenttype": "application/json",
        "data": {"price": 1.5},
    }
    assert b'"data":{"price":1.50}' in (event.data or b"")


@pytest.mark.parametrize(
    ("content_type", "body", "member"),
    [
        ("application/json; charset=utf-8", b" [1, 2] ", {"data": [1, 2]}),
        ("application/vnd.acme+json", b"null", {"data": None}),
        ("", b'{"a": 1}', {"data": {"a": 1}}),
        ("", b"no json", {"data_base64": "bm8ganNvbg=="}),
        ("text/plain", "é".encode(), {"data": "é"}),
        ("text/plain; charset=latin-1", b"\xe9", {"data_base64": "6Q=="}),
        ("application/soap+xml", b"<a/>", {"data": "<a/>"}),
        ("application/octet-stream", b"\x00\xff", {"data_base64": "AP8="}),
        ("image/png", b"", {}),
    ],
)
async def test_the_body_of_binary_mode_becomes_the_data_that_its_type_calls_for(
    content_type: str, body: bytes, member: dict[str, Any]
) -> None:
    headers = CE | ({"Content-Type": content_type} if content_type else {})

    event = await event_of(Sent(body, headers))

    assert {name: event[name] for name in event if name.startswith("data_b")} | (
        {"data": event["data"]} if "data" in event else {}
    ) == member
    assert event.get("datacontenttype", "") == content_type


async def test_headers_are_decoded_once() -> None:
    headers = {**CE, "ce-subject": "Euro%20%E2%82%AC%2520", "CE-Quoted": '"a \\"b\\""'}

    event = await event_of(Sent(b"", headers))

    assert (event["subject"], event["quoted"]) == ("Euro €%20", 'a "b"')


async def test_a_structured_event_keeps_its_text() -> None:
    text = (
        b'{"specversion":"1.0","id":"1","source":"s","type":"t","sampled":true,"left":7,'
        b'"time":"2018-04-05T17:31:00Z","subject":null,"data":{"b":1.50,"a":12345678901234567890}}'
    )
    async with cloudevents.running() as endpoint:
        assert (await endpoint.send(Sent(text, STRUCTURED))).status == 200

    (event,) = endpoint.bus.published
    assert (event.data or b"").endswith(b'"event":' + text + b"}")


async def test_a_batch_is_as_many_events_and_an_empty_one_none() -> None:
    first = json.dumps({**ATTRIBUTES, "data_base64": "AP8="}).encode()
    second = b'{"specversion":"1.0","id":"2","source":"[,]","type":"t","data":[1.50,"],["]}'
    async with cloudevents.running() as endpoint:
        answer = await endpoint.send(Sent(b" [ %s ,\n%s ] " % (first, second), BATCH))
        assert (await endpoint.send(Sent(b"[]", BATCH))).status == 200

    events = endpoint.bus.published
    assert [data_of(event)["event"]["id"] for event in events] == ["a-1", "2"]
    assert answer.headers["X-Event-Id"] == ",".join(event.id for event in events)
    assert second in (events[1].data or b"")


async def test_an_event_that_comes_again_has_the_same_id_and_another_source_another() -> None:
    async with cloudevents.running() as endpoint:
        answers = [
            await endpoint.send(Sent(b"", headers))
            for headers in (CE, CE, {**CE, "ce-source": "/shop/8"})
        ]
        structured = await endpoint.send(Sent(json.dumps(ATTRIBUTES).encode(), STRUCTURED))

    first, again, other = (answer.headers["X-Event-Id"] for answer in answers)
    assert first == again == structured.headers["X-Event-Id"] != other
    assert first.startswith("es:ev:")
    assert first.endswith(":a-1")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"specversion": None}, "`specversion` must be 1.0, not null"),
        ({"specversion": "0.3"}, '`specversion` must be 1.0, not "0.3"'),
        ({"id": None}, "the attribute `id` is missing"),
        ({"source": ""}, "the attribute `source` must be a text that is not empty"),
        ({"type": 5}, "the attribute `type` must be a text that is not empty"),
        ({"subject": ""}, "the attribute `subject` must be a text that is not empty"),
        ({"time": "yesterday"}, "the attribute `time`: 'yesterday' is not an RFC 3339 time"),
        ({"myExtension": 1}, '"myExtension" is no name of an attribute: a-z and 0-9 are'),
        ({"more": {"a": 1}}, "the attribute `more` is neither text, integer nor boolean"),
        ({"data": 1, "data_base64": ""}, "the event has both `data` and `data_base64`"),
        ({"data_base64": "?"}, "`data_base64` is not base64"),
        ({"data_base64": 7}, "`data_base64` is not base64"),
    ],
)
async def test_a_structured_event_that_breaks_a_rule_is_refused_with_the_rule(
    change: dict[str, Any], reason: str
) -> None:
    event = {**ATTRIBUTES, **change}

    answer = await refusal(Sent(json.dumps(event).encode(), STRUCTURED))

    assert (answer.status, answer.body) == (400, reason)


@pytest.mark.parametrize(
    ("sent", "status", "reason"),
    [
        (Sent(b"{}", JSON), 400, "there is no CloudEvent"),
        (Sent(b"", {**CE, "ce-id": ""}), 400, "the attribute `id` must be a text"),
        (Sent(b"", {**CE, "ce-subject": "%ff"}), 400, "the header Ce-Subject is not UTF-8"),
        (Sent(b"{", {**CE, **JSON}), 400, "the data are not JSON"),
        (Sent(b"{", STRUCTURED), 400, "the event is not JSON"),
        (Sent(b"[]", STRUCTURED), 400, "the event is not a JSON object"),
        (Sent(b"{}", BATCH), 400, "the batch is not a JSON array"),
        (Sent(b"[1", BATCH), 400, "the batch is not JSON"),
        (Sent(b"[{}]", BATCH), 400, "`specversion` must be 1.0"),
        (Sent(b"", {"Content-Type": "application/cloudevents+avro"}), 415, "the event format"),
        (
            Sent(b"{}", {"Content-Type": "application/cloudevents+json; charset=utf-16"}),
            415,
            "the character set",
        ),
        (Sent(b"", CE, method="PUT"), 405, "events are POSTed"),
    ],
)
async def test_what_is_no_event_is_refused_with_the_reason(
    sent: Sent, status: int, reason: str
) -> None:
    answer = await refusal(sent)

    assert (answer.status, answer.body[: len(reason)]) == (status, reason)


async def test_nothing_of_a_batch_with_a_broken_event_is_stored() -> None:
    batch = json.dumps([ATTRIBUTES, {**ATTRIBUTES, "id": None}]).encode()

    assert (await refusal(Sent(batch, BATCH))).body == "the attribute `id` is missing"


@pytest.mark.parametrize(
    ("context", "rate"),
    [({}, "*"), ({"rateLimit": {"requests": 2, "period": "1s"}}, "120")],
)
async def test_a_sender_that_asks_whether_it_may_send_is_told_so(
    context: dict[str, Any], rate: str
) -> None:
    asking = {"WebHook-Request-Origin": "events.example.com", "WebHook-Request-Rate": "500"}

    answer = await refusal(Sent(b"", asking, method="OPTIONS"), **context)

    assert answer.status == 200
    assert answer.headers["Allow"] == "POST, OPTIONS"
    assert answer.headers["WebHook-Allowed-Origin"] == "events.example.com"
    assert answer.headers["WebHook-Allowed-Rate"] == rate


async def test_who_does_not_say_who_asks_is_granted_nothing() -> None:
    answer = await refusal(Sent(b"", method="OPTIONS"))
    odd = await refusal(Sent(b"", {"WebHook-Request-Origin": "a b"}, method="OPTIONS"))

    assert (answer.status, answer.headers["Allow"]) == (200, "POST, OPTIONS")
    assert "WebHook-Allowed-Origin" not in answer.headers
    assert (odd.status, "WebHook-Allowed-Origin" in odd.headers) == (400, False)


def test_another_method_than_post_is_refused_before_it_runs() -> None:
    with pytest.raises(ValueError, match="POST"):
        make_source("cloudevents", cloudevents.full_block(1, method="GET"))
