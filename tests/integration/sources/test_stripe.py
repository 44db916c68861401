"""The stripe source, and a server that answers as Stripe's API does."""

from __future__ import annotations

import hmac
import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.integration.sources._hooks import ELSEWHERE, HookContract, until
from tests.integration.sources._providers import stripe as provider
from tests.integration.sources._providers._server import Provider
from tiphys.testing.clock import VirtualClock
from tiphys.testing.push_sources import ENDPOINT, PushSourceContract, Sent
from tiphys.testing.sources import data_of, make_source

KEY = "whsec_test_secret"
API_KEY = {"name": "stripe", "key": "api"}
SIGNING = {"name": "stripe", "key": "signing"}
SECRETS = {"stripe/api": provider.KEY, "stripe/signing": KEY}
EVENT = {
    "id": "evt_1NG8Du2eZvKYlo2CUI79vXWy",
    "object": "event",
    "api_version": "2019-02-19",
    "created": 1686089970,
    "data": {"object": {"id": "seti_1", "amount": 9007199254740993, "metadata": {}}},
    "livemode": False,
    "pending_webhooks": 2,
    "request": {"id": "req_1", "idempotency_key": None},
    "type": "setup_intent.created",
}


def signed(body: bytes, *, moment: int = 0, key: str = KEY, header: str = "t={t},v1={v1}") -> Sent:
    """A delivery with its signature, made now unless a moment is given."""
    moment = moment or int(time.time())
    signature = hmac.new(key.encode(), b"%d." % moment + body, "sha256").hexdigest()
    return Sent(body, {"Stripe-Signature": header.format(t=moment, v1=signature)})


def delivery(**members: Any) -> bytes:
    return json.dumps({**EVENT, **members}).encode()


class TestStripe(HookContract):
    key = "stripe"
    place = provider.PLACE

    def block(self) -> dict[str, Any]:
        return {"eventFilter": ["setup_intent.created", "charge.failed"]}

    def request(self, n: int) -> Sent:
        return Sent(delivery(id=f"evt_{n}", data={"object": {"n": n}}))

    def number(self, data: dict[str, Any]) -> int:
        return int(data["event"]["data"]["object"]["n"])

    def secrets(self) -> dict[str, str]:
        return SECRETS

    def provider(self) -> provider.Stripe:
        return provider.Stripe()

    def managed(self, provider: Provider) -> dict[str, Any]:
        return {"apiURL": provider.url, "createWebhook": True, "apiKey": API_KEY}

    def add_others(self, provider: Provider, count: int) -> None:
        assert isinstance(provider, type(self.provider()))
        for n in range(count):
            provider.add(f"https://example.com/{n}", "charge.failed")

    async def test_without_the_url_of_the_endpoint_nothing_is_registered(self) -> None:
        block = {**self.full_block(12000), "createWebhook": True, "apiKey": API_KEY}

        assert make_source("stripe", block).check() == [
            "`webhook.url` is missing, which `createWebhook` needs"
        ]


class TestSignedStripe(PushSourceContract):
    key = "stripe"

    def block(self) -> dict[str, Any]:
        return {"signingSecret": SIGNING}

    def request(self, n: int) -> Sent:
        return signed(delivery(id=f"evt_{n}", data={"object": {"n": n}}))

    def number(self, data: dict[str, Any]) -> int:
        return int(data["event"]["data"]["object"]["n"])

    def secrets(self) -> dict[str, str]:
        return SECRETS


stripe, signed_stripe = TestStripe(), TestSignedStripe()


async def payload(body: bytes, **options: Any) -> dict[str, Any]:
    """The payload of the event that comes of a delivery."""
    async with stripe.running(options=options) as endpoint:
        answer = await endpoint.send(Sent(body))
        assert (answer.status, answer.body) == (200, "success")
    (event,) = endpoint.bus.published
    return data_of(event)


async def refusal(sent: Sent, *, ready: bool = True, **options: Any) -> tuple[int, str, float]:
    """Status, text, and failures counted for a request that is no event."""
    async with stripe.running(options=options, ready=ready) as endpoint:
        answer = await endpoint.send(sent)
    assert endpoint.bus.published == []
    return answer.status, answer.body, endpoint.value("events_processing_failed_total")


async def test_the_payload_is_what_argo_events_knows_of_an_event() -> None:
    assert await payload(delivery(), metadata={"team": "a"}) == {
        "event": {
            "account": "",
            "created": 1686089970,
            "data": {
                "previous_attributes": None,
                "object": {"id": "seti_1", "amount": 9007199254740993, "metadata": {}},
            },
            "id": "evt_1NG8Du2eZvKYlo2CUI79vXWy",
            "livemode": False,
            "pending_webhooks": 2,
            "request": {"id": "req_1", "idempotency_key": ""},
            "type": "setup_intent.created",
        },
        "metadata": {"team": "a"},
    }


@pytest.mark.parametrize(
    ("member", "text"),
    [
        ("1.10", "1.10"),
        ("123456789012345678901234", "123456789012345678901234"),
        ("1e400", "1e400"),
        ('{"b": 1, "a" : [ "}" ], "b": 2}', '{"b":1,"a":["}"],"b":2}'),
        ('"\\ud83d"', '"\\ufffd"'),
        ("null", "null"),
    ],
)
async def test_the_resource_is_in_the_event_as_it_came(member: str, text: str) -> None:
    body = delivery(data={"object": {}, "previous_attributes": {"a": 1}})
    body = body.replace(b'"object": {}', b'"object": ' + member.encode())
    async with stripe.running() as endpoint:
        assert (await endpoint.send(Sent(body))).status == 200

    (event,) = endpoint.bus.published
    assert f'"previous_attributes":{{"a":1}},"object":{text}}}'.encode() in (event.data or b"")


async def test_half_a_character_is_replaced_wherever_it_is() -> None:
    body = delivery(account="acct_X").replace(b"acct_X", rb"acct_\ud83d")

    assert (await payload(body))["event"]["account"] == "acct_\ufffd"


async def test_members_that_are_missing_have_their_zero_values() -> None:
    body = b'{"type": "charge.failed", "account": "acct_1", "livemode": true, "request": "req_9"}'

    assert await payload(body) == {
        "event": {
            "account": "acct_1",
            "created": 0,
            "data": None,
            "id": "",
            "livemode": True,
            "pending_webhooks": 0,
            "request": {"id": "req_9", "idempotency_key": ""},
            "type": "charge.failed",
        }
    }


async def test_previous_attributes_are_passed_on() -> None:
    data = {"object": {"a": 2}, "previous_attributes": {"a": 1}}

    assert (await payload(delivery(data=data, request=None)))["event"]["data"] == data


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        delivery(created="now"),
        delivery(livemode=1),
        delivery(pending_webhooks=True),
        delivery(data=[]),
        delivery(data={"object": {}, "previous_attributes": 1}),
        delivery(request=5),
        delivery(request={"id": 5}),
        delivery(request=[]),
        delivery(created=0).replace(b"0", b"1e400"),
    ],
)
async def test_what_is_no_event_is_refused(body: bytes) -> None:
    assert await refusal(Sent(body)) == (400, "failed to parse the event", 1)


async def test_a_body_over_the_limit_is_answered_as_argo_events_does() -> None:
    async with stripe.running(maxPayloadSize=10) as endpoint:
        answer = await endpoint.send(Sent(delivery()))

    assert (answer.status, answer.body) == (503, "")


async def test_only_the_types_of_the_filter_are_accepted() -> None:
    other = Sent(delivery(type="customer.created"))

    assert await refusal(other) == (400, "invalid event", 1)
    assert await refusal(other, eventFilter=[]) == (400, "invalid event", 1)
    assert (await payload(other.body, eventFilter=["*"]))["event"]["type"] == "customer.created"
    assert (await payload(other.body, eventFilter=None))["event"]["type"] == "customer.created"


async def test_a_filter_expression_drops_events() -> None:
    block = {"filter": {"expression": "event.data.object.n > 1"}}
    async with stripe.running(options=block) as endpoint:
        for n in (1, 2):
            assert (await endpoint.send(stripe.request(n))).status == 200

    assert [stripe.number(data_of(event)) for event in endpoint.bus.published] == [2]


async def test_an_event_that_stripe_sends_again_has_the_same_id() -> None:
    async with stripe.running() as endpoint:
        answers = [await endpoint.send(Sent(delivery(pending_webhooks=n))) for n in (1, 2)]

    assert {answer.headers["X-Event-Id"] for answer in answers} == {f"es:ev:{EVENT['id']}"}


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (Sent(delivery()), "the header Stripe-Signature is missing"),
        (signed(delivery(), header="v1={v1}"), "the signature has no time"),
        (signed(delivery(), header="t=x,v1={v1}"), "the signature has no time"),
        (signed(delivery(), header="t={t}"), "the signature does not match"),
        (signed(delivery(), header="t={t},v0={v1}"), "the signature does not match"),
        (signed(delivery(), header="t={t},v1=gehe\u00efm"), "the signature does not match"),
        (signed(delivery(), key="whsec_other"), "the signature does not match"),
        (
            Sent(delivery(livemode=True), signed(delivery()).headers),
            "the signature does not match",
        ),
    ],
)
async def test_with_a_signing_secret_the_signature_is_demanded(sent: Sent, reason: str) -> None:
    assert await refusal(sent, signingSecret=SIGNING) == (400, reason, 1)


@pytest.mark.parametrize(
    ("digit", "expected"),
    [("7", (200, "success")), ("6", (400, "the signature does not match"))],
)
async def test_the_signature_is_that_of_the_vector_in_stripes_own_library(
    digit: str, expected: tuple[int, str]
) -> None:
    """Of the test-suite of stripe-dotnet (``EventUtilityTest``, ``event_test_signature.json``)."""
    customer: dict[str, Any] = {
        "id": "cus_123",
        "object": "customer",
        "created": 123456789,
        "email": "test@stripe.com",
        "livemode": False,
        "metadata": {},
    }
    event = {
        "id": "evt_123",
        "object": "event",
        "account": "acct_123",
        "api_version": "2017-05-25",
        "created": 1533204620,
        "data": {"object": customer},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": "req_123", "idempotency_key": "idempotency-key-123"},
        "type": "customer.created",
    }
    body = json.dumps(event, indent=2).encode() + b"\n"
    signature = "2220f87ef101a04665f11cdf770523143f875572008577fa0f20882ddb9cc3c" + digit
    clock = VirtualClock(datetime.fromtimestamp(1533204620 + 100, UTC))
    async with signed_stripe.running(clock=clock) as endpoint:
        endpoint.secrets["stripe/signing"] = "webhook_secret"
        headers = {"Stripe-Signature": f"t=1533204620,v1={signature},v0={'0' * 64}"}
        answer = await endpoint.send(Sent(body, headers))

    assert (answer.status, answer.body) == expected


async def test_one_right_signature_is_enough_while_the_secret_is_rolled() -> None:
    header = f"t={{t}},v1={'0' * 64},v1={{v1}},v0=test"
    async with signed_stripe.running() as endpoint:
        assert (await endpoint.send(signed(delivery(), header=header))).status == 200


@pytest.mark.parametrize("off", [-301, 301])
async def test_a_delivery_from_another_time_is_refused_though_its_signature_is_right(
    off: int,
) -> None:
    clock = VirtualClock(datetime.fromtimestamp(1_700_000_000, UTC))
    async with signed_stripe.running(clock=clock) as endpoint:
        late = await endpoint.send(signed(delivery(), moment=1_700_000_000 + off))
        timely = await endpoint.send(signed(delivery(), moment=1_700_000_000 + off // 2))

    assert (late.status, late.body, timely.status) == (400, "the signature is too old", 200)


@pytest.mark.parametrize("key", ["gone", "empty"])
async def test_a_secret_that_is_missing_or_empty_lets_nobody_in(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SECRETS, "stripe/empty", "")
    reference = {"name": "stripe", "key": key}

    got = await refusal(signed(delivery(), key="x"), ready=False, signingSecret=reference)

    assert got == (500, "Error loading webhook secret", 0)


async def test_an_endpoint_is_made_with_the_events_of_the_filter() -> None:
    async with stripe.provider() as server:
        async with stripe.registering(server, url=ELSEWHERE):
            await until(lambda: bool(stripe.urls(server)))

        (hook,) = server.hooks[provider.PLACE]
        (call,) = [call for call in server.calls if call.method == "POST"]
    assert hook["enabled_events"] == ["setup_intent.created", "charge.failed"]
    assert hook["url"] == ELSEWHERE + ENDPOINT
    assert call.headers["Stripe-Version"] == "2020-03-02"


async def test_an_endpoint_that_is_there_gets_the_events_of_the_filter() -> None:
    async with stripe.provider() as server:
        hook = server.add(ELSEWHERE + ENDPOINT, "charge.failed")
        async with stripe.registering(server, url=ELSEWHERE):
            await until(lambda: len(hook["enabled_events"]) == 2)

        assert stripe.urls(server) == [ELSEWHERE + ENDPOINT]
    assert hook["enabled_events"] == ["setup_intent.created", "charge.failed"]


async def test_an_endpoint_that_is_disabled_is_pointed_out() -> None:
    async with stripe.provider() as server:
        events = stripe.block()["eventFilter"]
        server.add(ELSEWHERE + ENDPOINT, *events, status="disabled")
        with capture_logs() as lines:
            async with stripe.registering(server, url=ELSEWHERE):
                await until(lambda: any("is disabled" in line["event"] for line in lines))

        assert server.count("POST") == 0


def test_what_registration_needs_is_checked() -> None:
    block = {
        **stripe.full_block(12000),
        "createWebhook": True,
        "eventFilter": None,
        "apiURL": "api.stripe.com",
    }

    assert make_source("stripe", block).check() == [
        "`apiURL` must be a URL with its scheme, such as https://example.com, not 'api.stripe.com'",
        "`webhook.url` is missing, which `createWebhook` needs",
        "`apiKey` is missing, which `createWebhook` needs",
        "`eventFilter` is missing, so Stripe would register nothing",
    ]
