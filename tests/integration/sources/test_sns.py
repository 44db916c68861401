"""The sns source: against Ministack, and with messages that are signed as SNS signs them."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests._ports import free_port
from tests.integration.sources._hooks import until
from tests.integration.sources._providers.ministack import Ministack
from tests.integration.sources._providers.sns import CertificateHost, Signer
from tests.integration.sources._sns import (
    HEADERS,
    KEYS,
    TOPIC,
    SNSSource,
    notification,
    sent,
    sns,
)
from tiphys.errors import MissingExtraError
from tiphys.testing.clock import VirtualClock
from tiphys.testing.push_sources import ENDPOINT, Endpoint, Sent
from tiphys.testing.sources import data_of, make_source

pytestmark = pytest.mark.timeout(300)  # the first test may have to fetch Ministack


class TestSNS(SNSSource):
    """What every push source must do."""


async def refusal(body: Any, **options: Any) -> tuple[int, str, float]:
    """Status, text, and failures counted for a request that is no event."""
    request = Sent(body, HEADERS) if isinstance(body, bytes) else sent(body)
    async with sns.running(options=options) as endpoint:
        answer = await endpoint.send(request)
    assert endpoint.bus.published == []
    return answer.status, answer.body, endpoint.value("events_processing_failed_total")


async def test_header_and_envelope_are_the_payload_and_the_message_stays_a_text() -> None:
    message = notification('{"price": 1.50}', MessageAttributes={"a": {"Type": "String"}})
    async with sns.running(options={"metadata": {"team": "a"}}) as endpoint:
        answer = await endpoint.send(sent(message))

    (event,) = endpoint.bus.published
    data = data_of(event)
    assert (answer.status, answer.body) == (200, "success")
    assert event.id == f"es:ev:{message['MessageId']}"
    assert list(data) == ["header", "body", "metadata"]
    assert data["header"]["X-Amz-Sns-Message-Type"] == ["Notification"]
    assert data["body"] == message


@pytest.mark.parametrize(
    ("member", "text"),
    [
        ("1.10", "1.10"),
        ("123456789012345678901234", "123456789012345678901234"),
        ("1e400", "1e400"),
        ('{"b": 1, "a" : [ ], "b": 2}', '{"b":1,"a":[],"b":2}'),
        ('"\\ud800"', '"\\ufffd"'),
    ],
)
async def test_what_the_envelope_holds_is_in_the_event_as_it_came(member: str, text: str) -> None:
    envelope = json.dumps(notification())[:-1] + f', "Extra" : {member}}}'
    async with sns.running() as endpoint:
        assert (await endpoint.send(Sent(envelope.encode(), HEADERS))).status == 200

    (event,) = endpoint.bus.published
    assert f'"Extra":{text}}}'.encode() in (event.data or b"")


@pytest.mark.parametrize(
    ("body", "status", "reason", "failures"),
    [
        (b"not an envelope", 400, "the body is not JSON", 1),
        (b"null", 400, "bad request, not a valid SNS notification", 0),
        (b"[1]", 400, "the body is not a JSON object", 1),
        (notification(MessageId=7), 400, "`MessageId` is not a text", 1),
        (notification(Message=False), 400, "`Message` is not a text", 1),
        ({"raw": "delivery"}, 200, "", 0),
        ({"Type": "UnsubscribeConfirmation", "Token": "t"}, 200, "", 0),
    ],
)
async def test_what_is_no_notification_is_no_event(
    body: Any, status: int, reason: str, failures: float
) -> None:
    got = await refusal(body)

    assert (got[0], got[1][: len(reason)] if reason else got[1], got[2]) == (
        status,
        reason,
        failures,
    )


def test_what_argo_events_refuses_is_refused() -> None:
    block = {"webhook": {"endpoint": "/x", "port": "12000"}, "accessKey": KEYS["accessKey"]}

    assert make_source("sns", block).check() == [
        "`topicArn` is missing",
        "`region` is missing",
        "`accessKey` and `secretKey` must come together",
    ]
    assert make_source("sns", {**sns.full_block(1), **KEYS}).check() == []


@pytest.mark.parametrize(
    ("library", "options"),
    [("aiobotocore", {}), ("cryptography", {"validateSignature": True})],
)
async def test_a_missing_library_is_named_at_the_start(
    library: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)

    with pytest.raises(MissingExtraError, match=re.escape(f"pip install 'tiphys[{library}]'")):
        async with sns.running(url="http://127.0.0.1:9", options=options):
            pass


# Subscriptions


@pytest.fixture(scope="module")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ministack]:
    with Ministack(tmp_path_factory.mktemp("ministack")) as server:
        yield server


@pytest.fixture
async def topic(ministack: Ministack) -> AsyncIterator[str]:
    """A topic without subscriptions."""
    async with ministack.client("sns") as client:
        arn = str((await client.create_topic(Name="orders"))["TopicArn"])
        yield arn
        await client.delete_topic(TopicArn=arn)


@asynccontextmanager
async def subscribed(
    ministack: Ministack, topic: str, clock: VirtualClock | None = None, **options: Any
) -> AsyncIterator[Endpoint]:
    """Run the source with its subscription."""
    options = {"topicArn": topic, "endpoint": ministack.url, **KEYS, **options}
    url = "http://127.0.0.1:{port}"
    async with sns.running(options=options, url=url, clock=clock) as endpoint:
        yield endpoint


async def subscriptions(ministack: Ministack, topic: str) -> list[tuple[str, str]]:
    """Protocol and address of those that are confirmed."""
    async with ministack.client("sns") as client:
        found = await client.list_subscriptions_by_topic(TopicArn=topic)
    return [
        (one["Protocol"], one["Endpoint"])
        for one in found["Subscriptions"]
        if one["SubscriptionArn"].startswith("arn:")
    ]


async def becomes(ministack: Ministack, topic: str, wanted: list[tuple[str, str]]) -> None:
    async with asyncio.timeout(15):
        while await subscriptions(ministack, topic) != wanted:
            await asyncio.sleep(0.05)


async def test_the_endpoint_subscribes_confirms_gets_messages_and_unsubscribes(
    ministack: Ministack, topic: str
) -> None:
    async with subscribed(ministack, topic) as endpoint:
        ours = ("http", f"http://127.0.0.1:{endpoint.port}{ENDPOINT}")
        await becomes(ministack, topic, [ours])
        async with ministack.client("sns") as client:
            message = await client.publish(TopicArn=topic, Message="7", Subject="number")
        await until(lambda: bool(endpoint.bus.published))

    (event,) = endpoint.bus.published
    assert sns.number(data_of(event)) == 7
    assert data_of(event)["body"]["Subject"] == "number"
    assert event.id == f"es:ev:{message['MessageId']}"
    assert await subscriptions(ministack, topic) == []


async def test_a_subscription_that_somebody_ends_comes_back(
    ministack: Ministack, topic: str
) -> None:
    clock = VirtualClock()
    async with subscribed(ministack, topic, clock) as endpoint:
        ours = ("http", f"http://127.0.0.1:{endpoint.port}{ENDPOINT}")
        await becomes(ministack, topic, [ours])
        async with ministack.client("sns") as client:
            found = await client.list_subscriptions_by_topic(TopicArn=topic)
            arn = found["Subscriptions"][0]["SubscriptionArn"]
            await client.unsubscribe(SubscriptionArn=arn)
        assert await subscriptions(ministack, topic) == []
        await until(lambda: clock.sleepers > 0)
        await clock.advance(61)
        await becomes(ministack, topic, [ours])


async def test_another_replica_that_stops_leaves_the_subscription_alone(
    ministack: Ministack, topic: str
) -> None:
    elsewhere = {"topicArn": topic, "endpoint": ministack.url, **KEYS}
    async with subscribed(ministack, topic) as endpoint:
        ours = ("http", f"http://127.0.0.1:{endpoint.port}{ENDPOINT}")
        await becomes(ministack, topic, [ours])
        url = f"http://127.0.0.1:{endpoint.port}"
        async with sns.running(options=elsewhere, url=url):
            pass
        assert await subscriptions(ministack, topic) == [ours]


async def test_a_topic_that_cannot_be_subscribed_to_is_reported_until_it_can(
    ministack: Ministack, topic: str
) -> None:
    clock = VirtualClock()
    missing = topic.replace("orders", "later")
    async with subscribed(ministack, missing, clock) as endpoint:
        status = endpoint.service.status
        await until(lambda: status.error is not None)
        assert "the topic cannot be subscribed to: sns in eu-central-1" in (status.error or "")
        assert "NotFound" in (status.error or "")
        assert (await endpoint.send(sns.request(1))).status == 200
        async with ministack.client("sns") as client:
            await client.create_topic(Name="later")
        await until(lambda: status.error is None, clock)


async def test_an_endpoint_of_aws_that_cannot_be_is_reported(ministack: Ministack) -> None:
    async with subscribed(ministack, TOPIC, endpoint="no url") as endpoint:
        await until(lambda: endpoint.service.status.error is not None)
        assert "no url" in (endpoint.service.status.error or "")


async def test_a_confirmation_that_aws_refuses_is_answered_400(
    ministack: Ministack, topic: str
) -> None:
    confirmation = {"Type": "SubscriptionConfirmation", "Token": "forged", "TopicArn": topic}
    with capture_logs() as lines:
        got = await refusal(confirmation, topicArn=topic, endpoint=ministack.url, **KEYS)

    assert got == (400, "the subscription cannot be confirmed", 1)
    assert any("Invalid token" in line.get("error", "") for line in lines)


# Signatures


@pytest.fixture
async def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[CertificateHost]:
    """The server with the certificate, reached and trusted as the environment says."""
    async with CertificateHost(tmp_path) as host:
        monkeypatch.setenv("HTTPS_PROXY", host.proxy)
        monkeypatch.setenv("SSL_CERT_FILE", str(host.trusted))
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        yield host


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer("sns.amazonaws.com")


@pytest.mark.parametrize("version", ["1", "2"])
async def test_signed_messages_are_let_in_and_the_certificate_is_fetched_once(
    host: CertificateHost, signer: Signer, version: str
) -> None:
    host.content = signer.certificate
    without_subject = notification("2", MessageId="2")
    del without_subject["Subject"]
    async with sns.running(options={"validateSignature": True}) as endpoint:
        for message in (notification("1\nTwo\\lines é"), without_subject):
            answer = await endpoint.send(sent(signer.sign(message, version)))
            assert (answer.status, answer.body) == (200, "success")

    assert (len(endpoint.bus.published), host.fetched) == (2, 1)


async def test_a_signed_confirmation_is_taken_to_aws(
    host: CertificateHost, signer: Signer, ministack: Ministack, topic: str
) -> None:
    host.content = signer.certificate
    message = {
        "Type": "SubscriptionConfirmation",
        "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b",
        "Token": "2336412f37",
        "TopicArn": topic,
        "Message": "You have chosen to subscribe to the topic",
        "SubscribeURL": "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription",
        "Timestamp": "2012-04-26T20:45:04.751Z",
    }
    options = {"validateSignature": True, "topicArn": topic, "endpoint": ministack.url, **KEYS}

    got = await refusal(signer.sign(message, "2"), **options)

    assert got == (400, "the subscription cannot be confirmed", 1)  # the token is not one of its


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"Message": "changed"}, "the signature does not match"),
        ({"Subject": "changed"}, "the signature does not match"),
        ({"Timestamp": "2012-05-02T00:54:06Z"}, "the signature does not match"),
        ({"Type": "SubscriptionConfirmation", "Token": "t"}, "the signature does not match"),
        ({"TopicArn": TOPIC + "2"}, "the message is of another topic"),
        ({"Signature": None}, "the message is not signed"),
        ({"Signature": "?"}, "the signature is not base64"),
        ({"SignatureVersion": "2"}, "the signature does not match"),
        ({"SignatureVersion": "3"}, "the signature version is neither 1 nor 2"),
    ],
)
async def test_a_message_that_was_changed_is_refused(
    host: CertificateHost, signer: Signer, change: dict[str, Any], reason: str
) -> None:
    host.content = signer.certificate

    got = await refusal({**signer.sign(notification()), **change}, validateSignature=True)

    assert got == (400, reason, 1)


async def test_a_member_that_occurs_twice_is_in_the_event_as_it_was_signed(
    host: CertificateHost, signer: Signer
) -> None:
    host.content = signer.certificate
    text = json.dumps(signer.sign(notification("genuine"))).encode()
    doubled = text.replace(b"{", b'{"Message": "forged", ', 1)
    async with sns.running(options={"validateSignature": True}) as endpoint:
        assert (await endpoint.send(Sent(doubled, HEADERS))).status == 200

    (event,) = endpoint.bus.published
    assert b"forged" not in (event.data or b"")
    assert data_of(event)["body"]["Message"] == "genuine"


@pytest.mark.parametrize(
    "url",
    [
        None,
        "http://sns.eu-central-1.amazonaws.com/a.pem",
        "https://sns.eu-central-1.amazonaws.com.example.com/a.pem",
        "https://example.com/sns.eu-central-1.amazonaws.com/a.pem",
        "https://sns.eu-central-1.amazonaws.com@example.com/a.pem",
        "https://evil.sns.eu-central-1.amazonaws.com/a.pem",
        "https://bucket.s3.amazonaws.com/a.pem",
        "https://sns.eu-central-1.amazonaws.com:8443/a.pem",
        "https://sns.eu-central-1.amazonaws.com/?Action=Publish",
        "https://[bad/a.pem",
    ],
)
async def test_a_certificate_of_somebody_else_is_not_even_fetched(
    host: CertificateHost, url: str | None
) -> None:
    forger = Signer("sns.amazonaws.com")
    host.content = forger.certificate
    message = {**forger.sign(notification()), "SigningCertURL": url}

    got = await refusal(message, validateSignature=True)

    assert got == (400, "SigningCertURL is not an address of SNS", 1)
    assert host.fetched == 0


@pytest.mark.parametrize(
    ("content", "status", "reason"),
    [
        (b"no certificate", 200, "there is no certificate at SigningCertURL"),
        (Signer("old", age=9).certificate, 200, "the certificate at SigningCertURL is not valid"),
        (Signer("other").certificate, 200, "the signature does not match"),
        (b"", 404, "there is no certificate at SigningCertURL"),
        (b"", 302, "there is no certificate at SigningCertURL"),
        (b"x" * 70_000, 200, "there is no certificate at SigningCertURL"),
    ],
)
async def test_without_the_right_certificate_nothing_is_let_in(
    host: CertificateHost, signer: Signer, content: bytes, status: int, reason: str
) -> None:
    host.content, host.status = content, status

    got = await refusal(signer.sign(notification()), validateSignature=True)

    assert (got[0], got[1][: len(reason)], got[2]) == (400, reason, 1)


@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_while_the_certificate_cannot_be_fetched_sns_is_told_to_come_again(
    host: CertificateHost, signer: Signer, status: int
) -> None:
    host.content, host.status = signer.certificate, status
    message = sent(signer.sign(notification("1")))
    async with sns.running(options={"validateSignature": True}) as endpoint:
        early = await endpoint.send(message)
        assert (early.status, early.body) == (503, "the signature cannot be checked now")
        assert int(early.headers["Retry-After"]) > 0
        assert endpoint.bus.published == []
        host.status = 200
        assert (await endpoint.send(message)).status == 200

    assert [sns.number(data_of(event)) for event in endpoint.bus.published] == [1]


async def test_a_server_that_is_not_trusted_is_not_asked(
    host: CertificateHost, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.content = signer.certificate
    monkeypatch.delenv("SSL_CERT_FILE")

    got = await refusal(signer.sign(notification()), validateSignature=True)

    assert (got[:2], host.fetched) == ((503, "the signature cannot be checked now"), 0)


async def test_a_proxy_that_is_away_is_no_fault_of_the_message(
    host: CertificateHost, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_port()}")

    got = await refusal(signer.sign(notification()), validateSignature=True)

    assert got[:2] == (503, "the signature cannot be checked now")
