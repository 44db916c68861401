"""The storageGrid source, and a server that answers as StorageGRID's API does."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from structlog.testing import capture_logs

from tests.integration.sources._hooks import ELSEWHERE, silence, until
from tests.integration.sources._providers import storage_grid as provider
from tiphys.observe.history import History, Step
from tiphys.observe.metrics import Metrics
from tiphys.testing.clock import VirtualClock
from tiphys.testing.push_sources import ENDPOINT, Answer, PushSourceContract, Sent
from tiphys.testing.sources import data_of, make_source

URN = "arn:aws:sns:us-east::photos"
TOKEN = {"name": "grid", "key": "token"}
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
RECORD: dict[str, Any] = {
    "eventVersion": "2.0",
    "eventSource": "sgws:s3",
    "eventTime": "2018-12-13T23:34:15.120Z",
    "eventName": "ObjectCreated:Put",
    "userIdentity": {"principalId": "43121"},
    "requestParameters": {"sourceIPAddress": "10.0.0.1"},
    "responseElements": {"x-amz-request-id": "1544744055"},
    "s3": {
        "s3SchemaVersion": "1.0",
        "configurationId": "photos",
        "bucket": {
            "name": "photos",
            "ownerIdentity": {"principalId": "43121"},
            "arn": "arn:sgws:s3:::photos",
        },
        "object": {"key": "cat.jpg", "size": 5, "eTag": "d0f1", "sequencer": "15A0"},
    },
}
NAMESPACE = "{http://argoevents-sns-server/}"


def record(key: str = "cat.jpg", **members: Any) -> dict[str, Any]:
    """What happened to one object."""
    s3 = RECORD["s3"]
    return {**RECORD, "s3": {**s3, "object": {**s3["object"], "key": key}}, **members}


def published(message: Any) -> Sent:
    """A notification as StorageGRID publishes it."""
    text = message if isinstance(message, str) else json.dumps(message)
    form = {"Action": "Publish", "Message": text, "TopicArn": URN, "Version": "2010-03-31"}
    return Sent(urlencode(form).encode(), FORM)


def records(*found: dict[str, Any]) -> Sent:
    return published({"Records": list(found)})


class TestStorageGrid(PushSourceContract):
    key = "storageGrid"

    def block(self) -> dict[str, Any]:
        return {
            "events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"],
            "topicArn": URN,
            "bucket": "photos",
            "authToken": TOKEN,
            "apiURL": "https://grid.example.com/api/v3",
        }

    def request(self, n: int) -> Sent:
        return records(record(f"{n}.jpg"))

    def number(self, data: dict[str, Any]) -> int:
        (found,) = data["notification"]["Message"]["Records"]
        return int(found["s3"]["object"]["key"].removesuffix(".jpg"))

    def secrets(self) -> dict[str, str]:
        return {"grid/token": provider.TOKEN, "grid/wrong": "wrong"}


grid = TestStorageGrid()


class Witness(History):
    """Keeps why events were dropped."""

    def __init__(self, metrics: Metrics) -> None:
        super().__init__(metrics)
        self.reasons: list[str] = []

    def add(
        self, step: Step, events: tuple[str, ...], owner: str, part: str, **details: Any
    ) -> None:
        assert (step, len(events), owner, part) == ("filtered", 1, "es", "ev")
        self.reasons.append(details["reason"])


async def payload(sent: Sent, **options: Any) -> dict[str, Any]:
    """The payload of the event that comes of a notification."""
    async with grid.running(options=options) as endpoint:
        assert (await endpoint.send(sent)).status == 200
    (event,) = endpoint.bus.published
    return data_of(event)


async def keys(sent: list[Sent], **options: Any) -> list[str]:
    """The keys of the first objects of the notifications that become events."""
    async with grid.running(options=options) as endpoint:
        for one in sent:
            assert (await endpoint.send(one)).status == 200
    found = [data_of(event)["notification"]["Message"] for event in endpoint.bus.published]
    return [message["Records"][0]["s3"]["object"]["key"] for message in found]


def check_xml(answer: Answer) -> None:
    """Demand what an SNS server answers."""
    root = ElementTree.fromstring(answer.body)
    assert root.tag == f"{NAMESPACE}PublishResponse"
    for path in ("PublishResult/MessageId", "ResponseMetadata/RequestId"):
        found = root.findtext("/".join(f"{NAMESPACE}{step}" for step in path.split("/")))
        assert len(found or "") == 36
    assert answer.headers["Content-Type"] == "text/xml"


async def test_the_payload_is_what_argo_events_knows_of_a_notification() -> None:
    known = {name: value for name, value in RECORD.items() if name != "eventSource"}

    assert await payload(records(RECORD), metadata={"team": "a"}) == {
        "notification": {
            "Action": "Publish",
            "Message": {
                "Records": [
                    {
                        **known,
                        "storageGridEventSource": "",
                        "eventTime": "2018-12-13T23:34:15.12Z",
                    }
                ]
            },
            "TopicArn": URN,
            "Version": "2010-03-31",
        },
        "metadata": {"team": "a"},
    }


async def test_members_that_are_missing_have_their_zero_values() -> None:
    (found,) = (await payload(records({})))["notification"]["Message"]["Records"]

    assert found["eventTime"] == "0001-01-01T00:00:00Z"
    assert found["responseElements"] == {"x-amz-request-id": ""}
    assert found["s3"]["object"] == {"key": "", "size": 0, "eTag": "", "sequencer": ""}
    assert (await payload(published({})))["notification"]["Message"] == {"Records": None}


@pytest.mark.parametrize("key", ["a&b=c+d%20e", "ü/€.jpg", '"quoted"', "a;b"])
async def test_keys_may_have_every_character(key: str) -> None:
    assert await keys([records(record(key))]) == [key]


async def test_the_answer_is_that_of_an_sns_server() -> None:
    async with grid.running() as endpoint:
        answer = await endpoint.send(grid.request(1))

    check_xml(answer)


async def test_a_head_request_is_answered_without_a_body_and_changes_nothing() -> None:
    async with grid.running() as endpoint:
        head = await endpoint.send(Sent(b"", method="HEAD"))
        check_xml(await endpoint.send(grid.request(1)))

    assert (head.status, head.body) == (200, "")
    assert len(endpoint.bus.published) == 1


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        (Sent(b"Message=%zz", FORM), "the form is malformed"),
        (Sent(b"", FORM), "`Message` is not JSON"),
        (published("text"), "`Message` is not JSON"),
        (published([]), "`Message` is not a JSON object"),
        (published({"Records": {}}), "`Records` is not a list"),
        (published({"Records": [1]}), "a record is not an object"),
        (records(record(eventTime="yesterday")), "`eventTime`: 'yesterday'"),
        (records(record(eventName=1)), "`eventName` is not of the type str"),
        (records(record(s3={"object": {"size": "5"}})), "`size` is not of the type int"),
        (records(record(userIdentity=[])), "`userIdentity` is not of the type dict"),
    ],
)
async def test_what_is_no_notification_is_counted_and_not_sent_again(
    sent: Sent, problem: str
) -> None:
    with capture_logs() as lines:
        async with grid.running() as endpoint:
            check_xml(await endpoint.send(sent))

    assert endpoint.bus.published == []
    assert endpoint.value("events_processing_failed_total") == 1
    assert any(line.get("error", "").startswith(problem) for line in lines)


async def test_a_body_over_the_limit_is_answered_without_a_body() -> None:
    async with grid.running(maxPayloadSize=10) as endpoint:
        answer = await endpoint.send(grid.request(1))

    assert (answer.status, answer.body) == (400, "")


@pytest.mark.parametrize(
    ("wanted", "passing"),
    [
        ({"prefix": "in/"}, ["in/a.jpg", "in/b.txt"]),
        ({"suffix": ".jpg"}, ["in/a.jpg", "out/c.jpg"]),
        ({"prefix": "in/", "suffix": ".jpg"}, ["in/a.jpg"]),
        ({}, ["in/a.jpg", "in/b.txt", "out/c.jpg"]),
    ],
)
async def test_the_key_of_the_first_record_must_pass_the_filter(
    wanted: dict[str, str], passing: list[str]
) -> None:
    sent = [records(record(key), record("in/x.jpg")) for key in ("in/a.jpg", "in/b.txt")]
    sent += [records(record("out/c.jpg")), published({"Records": []}), published({})]

    assert await keys(sent, filter=wanted) == passing


async def test_what_the_key_filter_drops_is_counted_and_told_once_a_minute() -> None:
    dropped = records(record("out/c.jpg"))
    history = Witness(Metrics())
    with capture_logs() as lines:
        async with grid.running(options={"filter": {"prefix": "in/"}}, history=history) as endpoint:
            for _ in range(3):
                answer = await endpoint.send(dropped)
                check_xml(answer)
                assert "X-Event-Id" not in answer.headers

    assert endpoint.bus.published == []
    assert endpoint.value("events_filtered_total") == 3
    assert endpoint.value("events_processing_failed_total") == 0
    assert history.reasons == ["the key does not pass the filter"] * 3
    (line,) = [line for line in lines if line["log_level"] == "warning"]
    assert (line["event"], line["reason"]) == ("An event was dropped", history.reasons[0])


async def test_a_notification_that_comes_again_has_the_same_id() -> None:
    async with grid.running() as endpoint:
        answers = [
            await endpoint.send(sent)
            for sent in (records(RECORD), records(RECORD), records(record("other")))
        ]
        unordered = [await endpoint.send(records({})) for _ in range(2)]

    first, again, other = (answer.headers["X-Event-Id"] for answer in answers)
    assert first.startswith("es:ev:15A0:")
    assert first == again != other
    assert len({answer.headers["X-Event-Id"] for answer in unordered}) == 2


async def test_endpoint_and_notifications_are_registered() -> None:
    async with provider.StorageGrid() as server:
        async with grid.running(options={"apiURL": server.api}, url=ELSEWHERE + "/") as endpoint:
            await until(lambda: server.count("PUT") == 1)
            assert endpoint.service.status.error is None

        (registered,) = server.endpoints
        del registered["id"]
        assert registered == {
            "displayName": "ev",
            "endpointURI": ELSEWHERE + ENDPOINT,
            "endpointURN": URN,
            "authType": "anonymous",
            "insecureTLS": True,
        }
    root = ElementTree.fromstring(server.notifications["photos"])
    assert root.tag == "NotificationConfiguration"
    (topic,) = root
    assert [(child.tag, child.text) for child in topic] == [
        ("Id", "ev"),
        ("Topic", URN),
        ("Event", "s3:ObjectCreated:*"),
        ("Event", "s3:ObjectRemoved:*"),
    ]


async def test_an_endpoint_that_is_there_is_left_and_one_that_leads_elsewhere_is_told() -> None:
    async with provider.StorageGrid() as server:
        options = {"apiURL": server.api}
        for n in range(2):
            async with grid.running(options=options, url=ELSEWHERE):
                await until(lambda n=n: server.count("PUT") == n + 1)  # type: ignore[misc]
        with capture_logs() as lines:
            async with grid.running(options=options, url="https://events.example.com"):
                await until(lambda: server.count("PUT") == 3)

        assert (len(server.endpoints), server.count("POST")) == (1, 1)
        assert server.count("PUT") == 3
    assert any("leads elsewhere" in line["event"] for line in lines)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"bucket": "unknown"}, "404: The bucket unknown does not exist"),
        (
            {"authToken": {"name": "grid", "key": "wrong"}},
            "401: Unauthorized (is `authToken` right",
        ),
    ],
)
async def test_while_the_registration_fails_the_endpoint_answers_and_the_status_says_why(
    options: dict[str, Any], problem: str
) -> None:
    clock = VirtualClock()
    async with provider.StorageGrid() as server:
        options = {"apiURL": server.api, **options}
        with capture_logs() as lines:
            async with grid.running(options=options, url=ELSEWHERE, clock=clock) as endpoint:
                status = endpoint.service.status
                await until(lambda: status.error is not None)
                assert problem in (status.error or "")
                assert status.ready
                assert (await endpoint.send(grid.request(1))).status == 200
                assert server.notifications == {"photos": ""}

                server.notifications["unknown"] = ""
                server.refusal = lambda call: None  # type: ignore[method-assign]
                await until(lambda: status.error is None, clock)
                assert any(server.notifications.values())

    assert [grid.number(data_of(event)) for event in endpoint.bus.published] == [1]
    assert any(problem in line.get("error", "") for line in lines)


async def test_a_token_that_is_missing_is_named_and_the_endpoint_answers() -> None:
    async with provider.StorageGrid() as server:
        options = {"apiURL": server.api, "authToken": {"name": "grid", "key": "gone"}}
        async with grid.running(options=options, url=ELSEWHERE) as endpoint:
            await until(lambda: endpoint.service.status.error == "there is no grid/gone")
            assert (endpoint.service.status.ready, server.calls) == (True, [])


async def test_an_api_that_asks_to_wait_is_not_asked_before() -> None:
    clock = VirtualClock()
    async with provider.StorageGrid() as server:
        server.fail(429, {"message": {"text": "Slow down"}}, {"Retry-After": "500"})
        options = {"apiURL": server.api}
        async with grid.running(options=options, url=ELSEWHERE, clock=clock) as endpoint:
            await until(lambda: endpoint.service.status.error is not None)
            await until(lambda: clock.monotonic() > 490, clock, 5)
            assert len(server.calls) == 1
            await until(lambda: server.count("PUT") == 1, clock, 5)
            await until(lambda: endpoint.service.status.error is None)


async def test_an_api_that_never_answers_does_not_keep_it_from_stopping() -> None:
    server = provider.StorageGrid()
    async with (
        silence(server.port) as connected,
        grid.running(options={"apiURL": server.api}, url=ELSEWHERE) as endpoint,
    ):
        await connected.wait()
        assert (await endpoint.send(grid.request(1))).status == 200


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"apiURL": "grid/api/v3"}, "`apiURL` must be a URL with its scheme"),
        ({"tls": {}}, "`tls` says nothing"),
        ({"tls": {"clientCertSecret": {"name": "a", "key": "b"}}}, "must come together"),
    ],
)
def test_an_api_that_cannot_be_asked_is_an_error(options: dict[str, Any], problem: str) -> None:
    (found,) = make_source("storageGrid", {**grid.full_block(1), **options}).check()

    assert problem in found


def test_half_a_client_certificate_beside_enabled_tls_is_pointed_out() -> None:
    tls = {"enabled": True, "clientCertSecret": {"name": "a", "key": "b"}}
    source = make_source("storageGrid", {**grid.full_block(1), "tls": tls})

    assert source.check() == []
    assert len(source.config.doubts()) == 1


def test_what_argo_events_refuses_is_refused() -> None:
    block = {"webhook": {"endpoint": "/x", "port": "12000"}}

    assert make_source("storageGrid", block).check() == [
        "`topicArn` is missing",
        "`apiURL` is missing",
        "`authToken` is missing",
        "`bucket` is missing",
        "`events` is missing",
    ]
    assert make_source("storageGrid", {**grid.full_block(1), "events": []}).check() == []
