"""The webhook source, over real connections."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests._ports import free_port
from tiphys.errors import ManifestError
from tiphys.ingest import IngestServer
from tiphys.manifests.common import SecretRef
from tiphys.observe.metrics import Metrics
from tiphys.sources._runner import EventSourceRunner, Surroundings
from tiphys.testing.push_sources import ENDPOINT, PushSourceContract, Sent
from tiphys.testing.sources import (
    FixedSecrets,
    MemoryStore,
    data_of,
    make_source,
    started_bus,
)

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}


class TestWebhook(PushSourceContract):
    key = "webhook"
    context_at = ""

    def block(self) -> dict[str, Any]:
        return {}

    def request(self, n: int) -> Sent:
        return Sent(b'{"n": %d}' % n, JSON)

    def number(self, data: dict[str, Any]) -> int:
        return int(data["body"]["n"])


webhook = TestWebhook()


async def payload(sent: Sent, path: str = ENDPOINT, **context: Any) -> dict[str, Any]:
    """The payload of the event that comes of a request."""
    async with webhook.running(**context) as endpoint:
        answer = await endpoint.send(sent, path)
        assert (answer.status, answer.body) == (200, "success")
    (event,) = endpoint.bus.published
    return data_of(event)


async def refusal(sent: Sent, path: str = ENDPOINT, **context: Any) -> tuple[int, str, float]:
    """Status, body, and failures counted for a request that is no event."""
    async with webhook.running(**context) as endpoint:
        answer = await endpoint.send(sent, path)
    assert endpoint.bus.published == []
    return answer.status, answer.body, endpoint.value("events_processing_failed_total")


async def test_the_payload_holds_headers_body_and_metadata() -> None:
    sent = Sent(b'{"message":"hi"}', {**JSON, "X-GitHub-Event": "push", "Accept": "*/*"})
    data = await payload(sent, metadata={"team": "a"})

    assert data["header"].pop("Accept-Encoding")
    assert list(data) == ["header", "body", "metadata"]
    assert data == {
        "header": {
            "Content-Type": ["application/json"],
            "X-Github-Event": ["push"],
            "Accept": ["*/*"],
            "Content-Length": ["16"],
        },
        "body": {"message": "hi"},
        "metadata": {"team": "a"},
    }


async def test_without_metadata_the_member_is_absent() -> None:
    assert set(await payload(Sent(b"1"))) == {"header", "body"}


@pytest.mark.parametrize(
    ("body", "embedded"),
    [
        (b' { "b" : 1.50 ,\n "a" : "x  y" } ', b'{"b":1.50,"a":"x  y"}'),
        (b'{"a":1,"a":2}', b'{"a":1,"a":2}'),
        (b"12345678901234567890123", b"12345678901234567890123"),
        (b"1e400", b"1e400"),
        (b'"<&>\xe2\x80\xa8"', b'"\\u003c\\u0026\\u003e\\u2028"'),
        (b'"\\ud800 \xff"', b'"\\ufffd \xef\xbf\xbd"'),
        (b" null ", b"null"),
        (b"[ ]", b"[]"),
        (b'"\\"  \\\\" ', b'"\\"  \\\\"'),
    ],
)
@pytest.mark.parametrize("headers", [{}, JSON, {"Content-Type": FORM["Content-Type"] + "; a=b"}])
async def test_a_body_is_embedded_with_its_text_but_without_its_space(
    body: bytes, embedded: bytes, headers: dict[str, str]
) -> None:
    async with webhook.running() as endpoint:
        assert (await endpoint.send(Sent(body, headers))).status == 200

    (event,) = endpoint.bus.published
    assert (event.data or b"").endswith(b',"body":' + embedded + b"}")


async def test_the_query_of_a_get_is_the_body() -> None:
    sent = Sent(b"", method="GET")
    path = f"{ENDPOINT}?a=1&b=x%20y&a=%C3%A9+z&c&=d&bad=%zz&semi;colon=1"

    assert (await payload(sent, path, method="GET"))["body"] == {
        "a": ["1", "é z"],
        "b": ["x y"],
        "c": [""],
        "": ["d"],
    }
    assert (await payload(sent, method="GET"))["body"] == {}


async def test_the_fields_of_a_form_are_the_body_and_the_query_is_not() -> None:
    data = await payload(Sent(b"a=1&a=2&b=%26", FORM), f"{ENDPOINT}?q=1")

    assert data["body"] == {"a": ["1", "2"], "b": ["&"]}


@pytest.mark.parametrize(
    ("body", "path", "text"),
    [
        (b"a=%zz", ENDPOINT, 'invalid URL escape "%zz"'),
        (b"a=1;b=2", ENDPOINT, "invalid semicolon separator in query"),
        (b"a=1", f"{ENDPOINT}?q=%", 'invalid URL escape "%"'),
    ],
)
async def test_a_malformed_form_is_an_error(body: bytes, path: str, text: str) -> None:
    assert await refusal(Sent(body, FORM), path) == (500, text, 1)


async def test_a_form_has_a_limit_of_its_own() -> None:
    large = Sent(b"a=" + b"x" * 2000, FORM)
    assert len((await payload(large, maxPayloadSize=1000))["body"]["a"][0]) == 2000

    too_large = Sent(b"a=" + b"x" * (10 << 20), FORM)
    assert await refusal(too_large) == (500, "http: POST too large", 1)


async def test_another_method_than_the_configured_is_refused_and_not_counted() -> None:
    text = "http method does not match"

    assert await refusal(Sent(b"{}", method="PUT")) == (400, text, 0)
    assert await refusal(Sent(b"", method="GET")) == (400, text, 0)
    assert await refusal(Sent(b"{}"), method="") == (400, text, 0)
    assert await refusal(Sent(b"{}"), method="post") == (400, text, 0)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_a_method_that_cannot_be_used_fails_every_request(method: str) -> None:
    answer = await refusal(Sent(b"{}", method=method), method=method)

    assert answer == (400, f"unsupoorted method: {method}", 1)


async def test_a_body_over_the_limit_gets_the_answer_of_argo_events_once() -> None:
    text = "failed to parse request body, http: request body too large"

    assert await refusal(Sent(b'"123456789"'), maxPayloadSize=10) == (400, text, 1)
    assert (await payload(Sent(b'"12345678"'), maxPayloadSize=10))["body"] == "12345678"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "unexpected end of JSON input"),
        (b'{"a":', "unexpected end of JSON input"),
        (b"hello", "unexpected character"),
        (b"{} {}", "unexpected content after document"),
        (b"NaN", "unexpected character"),
        (b"[" * 5000 + b"]" * 5000, "depth limit"),
        (b'"\xff', "unexpected end of JSON input"),
    ],
)
async def test_a_body_that_is_not_one_json_value_is_refused(body: bytes, text: str) -> None:
    status, answer, failures = await refusal(Sent(body))

    assert (status, failures) == (400, 1)
    assert text in answer


async def test_a_signature_is_demanded_and_a_forged_one_is_counted() -> None:
    settings = {
        "secret": {"name": "hook", "key": "key"},
        "header": "X-Signature-256",
        "prefix": "sha256=",
        "timestampHeader": "X-Time",
    }

    class Signed(TestWebhook):
        def secrets(self) -> dict[str, str]:
            return {"hook/key": "k3y"}

    async with Signed().running(hmac=settings) as endpoint:
        now = str(int(time.time()))
        digest = hmac.new(b"k3y", now.encode() + b'.{"n": 1}', hashlib.sha256).hexdigest()
        headers = {"X-Time": now, "X-Signature-256": f"sha256={digest}"}
        assert (await endpoint.send(Sent(b'{"n": 1}', headers))).status == 200
        repeated = await endpoint.send(Sent(b'{"n": 1}', headers))
        forged = await endpoint.send(Sent(b'{"n": 2}', headers))

    assert (forged.status, forged.body) == (401, "the signature does not match")
    # A recorded request that is sent again is answered as the first, and is no second event.
    assert repeated.status == 200
    assert len(endpoint.bus.published) == 1
    assert endpoint.value("http_requests_refused_total", reason="signature") == 1


@pytest.mark.parametrize(
    ("encoding", "spellings", "refused"),
    [
        ("hex", [str.lower, str.upper, str.title], [lambda text: f"{text[:10]} {text[10:]}"]),
        ("base64", [str], [lambda text: text.rstrip("="), lambda text: f"{text[:4]} {text[4:]}"]),
    ],
)
async def test_a_recorded_request_is_no_second_event_however_its_signature_is_spelt(
    encoding: str, spellings: list[Callable[[str], str]], refused: list[Callable[[str], str]]
) -> None:
    now = str(int(time.time()))
    signature = hmac.digest(b"k3y", now.encode() + b".1", "sha256")
    text = signature.hex() if encoding == "hex" else base64.b64encode(signature).decode()
    for header in ("X-Signature", "Authorization"):
        settings = {
            "secret": {"name": "hook", "key": "key"},
            "header": header,
            "encoding": encoding,
            "timestampHeader": "X-Time",
        }
        async with webhook.running(secrets={"hook/key": "k3y"}, hmac=settings) as endpoint:
            sent = [Sent(b"1", {"X-Time": now, header: spell(text)}) for spell in spellings]
            answers = [await endpoint.send(one) for one in (*sent, *sent)]
            wrong = [Sent(b"1", {"X-Time": now, header: spell(text)}) for spell in refused]
            refusals = [await endpoint.send(one) for one in wrong]

        assert {answer.status for answer in answers} == {200}
        assert len({answer.headers["X-Event-Id"] for answer in answers}) == 1
        assert len(endpoint.bus.published) == 1
        assert {answer.status for answer in refusals} == {401}


async def test_signed_requests_that_differ_are_different_events_also_in_a_masked_header() -> None:
    settings = {
        "secret": {"name": "hook", "key": "key"},
        "header": "Authorization",
        "prefix": "HMAC ",
        "timestampHeader": "X-Time",
    }
    now = int(time.time())
    async with webhook.running(secrets={"hook/key": "k3y"}, hmac=settings) as endpoint:
        for moment, body in ((now, b"1"), (now, b"2"), (now + 1, b"1")):
            signature = hmac.new(b"k3y", b"%d.%s" % (moment, body), hashlib.sha256).hexdigest()
            headers = {"X-Time": str(moment), "Authorization": f"HMAC {signature}"}
            assert (await endpoint.send(Sent(body, headers))).status == 200

    assert len(endpoint.bus.published) == 3


@pytest.mark.parametrize("key", ["empty", "gone"])
async def test_a_secret_that_is_missing_or_empty_lets_nobody_in(key: str) -> None:
    reference = {"name": "hook", "key": key}
    signature = hmac.new(b"", b"1", hashlib.sha256).hexdigest()
    cases: list[tuple[dict[str, Any], dict[str, str], str]] = [
        (
            {"hmac": {"secret": reference, "header": "X-Signature"}},
            {"X-Signature": signature},
            "Error loading signature key",
        ),
        ({"authSecret": reference}, {"Authorization": "Bearer "}, "Error loading auth token"),
    ]
    for context, headers, text in cases:
        with capture_logs() as lines:
            async with webhook.running(
                secrets={"hook/empty": ""}, ready=False, **context
            ) as endpoint:
                answer = await endpoint.send(Sent(b"1", headers))

        assert (answer.status, answer.body) == (500, text)
        assert endpoint.bus.published == []
        assert endpoint.value("http_requests_refused_total", reason="secret") == 1
        assert any(
            line["event"] == "A request was refused" and f"hook/{key}" in line["error"]
            for line in lines
        )


async def test_the_key_of_a_signature_may_have_any_byte() -> None:
    settings = {"secret": {"name": "hook", "key": "key"}, "header": "X-Signature"}
    signature = hmac.new(b"\xff\x00", b"1", hashlib.sha256).hexdigest()
    key = b"\xff\x00".decode("utf-8", "surrogateescape")
    async with webhook.running(secrets={"hook/key": key}, hmac=settings) as endpoint:
        assert (await endpoint.send(Sent(b"1", {"X-Signature": signature}))).status == 200


async def test_a_certificate_that_nobody_gives_does_not_keep_it_from_stopping() -> None:
    class Silent(FixedSecrets):
        asked = asyncio.Event()

        async def secret(self, ref: SecretRef) -> str:
            self.asked.set()
            return await asyncio.get_running_loop().create_future()

    keys = {"serverCertSecret": {"name": "tls", "key": "crt"}}
    keys["serverKeySecret"] = {"name": "tls", "key": "key"}
    secrets, ingest = Silent(), IngestServer("127.0.0.1")
    surroundings = Surroundings(
        await started_bus(), ingest, secrets, Metrics(), lambda *_: MemoryStore()
    )
    block = webhook.full_block(free_port(), **keys)
    runner = EventSourceRunner("es", "ns", {"webhook": {"ev": block}}, surroundings)
    await runner.start()
    await secrets.asked.wait()
    (status,) = runner.statuses
    assert status.running
    async with asyncio.timeout(5):  # long before the grace is over
        await runner.stop(grace=60)

    assert not status.running


async def test_an_address_that_sends_too_much_is_told_to_wait() -> None:
    async with webhook.running(rateLimit={"requests": 2, "period": "1h"}) as endpoint:
        answers = [await endpoint.send(Sent(b"1")) for _ in range(3)]

    assert [answer.status for answer in answers] == [200, 200, 429]
    assert int(answers[2].headers["Retry-After"]) > 1000
    assert len(endpoint.bus.published) == 2


async def test_only_the_allowed_networks_may_send() -> None:
    status, _, failures = await refusal(Sent(b"1"), allowedCIDRs=["192.0.2.0/24"])
    assert (status, failures) == (403, 0)

    assert (await payload(Sent(b"1"), allowedCIDRs=["127.0.0.0/8"]))["body"] == 1


async def test_a_network_that_is_none_ends_the_service_with_its_name() -> None:
    with pytest.raises(ManifestError, match=r"allowedCIDRs.*10\.0\.0\.0/99"):
        async with webhook.running(allowedCIDRs=["10.0.0.0/99"]):
            pass


async def test_stopping_answers_the_requests_that_are_on_their_way() -> None:
    async with webhook.running(timeout=30.0) as endpoint:
        endpoint.bus.connected = False
        asking = asyncio.create_task(endpoint.send(Sent(b"1")))
        await asyncio.sleep(0.2)
        endpoint.service.stop()
        await asyncio.sleep(0.1)
        endpoint.bus.connected = True

        assert (await asking).status == 200
    assert len(endpoint.bus.published) == 1


async def test_the_headers_of_the_answer_are_those_of_a_text() -> None:
    async with webhook.running() as endpoint:
        answer = await endpoint.send(Sent(json.dumps({"a": 1}).encode()))

    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert "Date" in answer.headers


def signed_by(**settings: Any) -> dict[str, Any]:
    """A context whose requests are signed."""
    signature = {"secret": {"name": "s", "key": "k"}, "header": "X-Sig", **settings}
    return {"endpoint": "/a", "port": "1", "hmac": signature}


@pytest.mark.parametrize(
    ("context", "text"),
    [
        ({"endpoint": "", "port": "1"}, "`endpoint` is missing"),
        ({"endpoint": "/a", "port": ""}, "`port` is missing"),
        ({"endpoint": "/a", "port": "http"}, "'http' is not a port"),
        ({"endpoint": "/{", "port": "1"}, "unbalanced braces"),
        ({"endpoint": "/a", "port": "1", "allowedCIDRs": ["abc"]}, "'abc'"),
        (signed_by(header=""), "`hmac.header`: the name of the header is missing"),
        (signed_by(header="Host"), "`hmac.header`: Host is for the server alone"),
        (signed_by(header="X Signature"), "`hmac.header`: 'X Signature' is no name of a header"),
        (signed_by(timestampHeader="é"), "`hmac.timestampHeader`: 'é' is no name of a header"),
        (signed_by(timestampHeader="x-SIG"), "`hmac.timestampHeader`: the time needs a header"),
        (
            signed_by(timestampHeader="authorization"),
            "`hmac.timestampHeader`: the time needs a header of its own",
        ),
        (
            signed_by(header="authorization") | {"authSecret": {"name": "s", "key": "t"}},
            "`hmac.header`: the header Authorization has the token of `authSecret`",
        ),
    ],
)
def test_a_place_that_makes_no_sense_is_named(context: dict[str, Any], text: str) -> None:
    (problem,) = make_source("webhook", context).check()

    assert text in problem


@pytest.mark.parametrize(
    ("method", "flaws"),
    [
        ("POST", []),
        ("GET", []),
        ("", ["`method` is missing, so every request is refused; write `POST` or `GET`"]),
        ("post", ["`method`: only GET and POST work, in capitals; every request is refused"]),
        ("PUT", ["`method`: only GET and POST work, in capitals; every request is refused"]),
    ],
)
def test_a_method_that_lets_nothing_in_runs_and_is_pointed_out(
    method: str, flaws: list[str]
) -> None:
    source = make_source("webhook", {"endpoint": "/a", "port": "1", "method": method})

    assert (source.check(), source.config.flaws()) == ([], flaws)
