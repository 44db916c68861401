"""The slack source: what Slack sends, signed as Slack signs it."""

from __future__ import annotations

import hmac
import json
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from structlog.testing import capture_logs

from tiphys.testing.clock import VirtualClock
from tiphys.testing.push_sources import Answer, PushSourceContract, Sent
from tiphys.testing.sources import data_of, make_source

KEY = "8f742231b10e8888abcd99yyyzzz85a5"
TOKEN = "xyzz0WbapA4vBCDEFasx0q6G"
FORM = "application/x-www-form-urlencoded"
# The example in Slack's documentation of its signatures.
COMMAND = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
    b"&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
    b"&command=%2Fwebhook-collect&text="
    b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554"
    b"%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121"
    b".803a0bc887a14d10d2c447fce8b6703c"
)
MOMENT = 1531420618
SIGNATURE = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"


def signature(body: bytes, moment: int, key: str = KEY) -> str:
    return f"v0={hmac.new(key.encode(), b'v0:%d:' % moment + body, 'sha256').hexdigest()}"


def signed(body: bytes, content_type: str = "application/json", moment: int = 0) -> Sent:
    """A request with its signature, made now unless a moment is given."""
    moment = moment or int(time.time())
    headers = {
        "Content-Type": content_type,
        "X-Slack-Request-Timestamp": str(moment),
        "X-Slack-Signature": signature(body, moment),
    }
    return Sent(body, headers)


def outer(inner: Any, **members: Any) -> Sent:
    """A request of the Events API."""
    body = {"token": TOKEN, "type": "event_callback", "event": inner, **members}
    return signed(json.dumps(body).encode())


def form(**fields: str) -> Sent:
    return signed(urlencode(fields).encode(), FORM)


class TestSlack(PushSourceContract):
    key = "slack"

    def block(self) -> dict[str, Any]:
        return {
            "token": {"name": "slack", "key": "token"},
            "signingSecret": {"name": "slack", "key": "signing"},
        }

    def request(self, n: int) -> Sent:
        inner = {"type": "message", "text": str(n), "channel": "C1"}
        return outer(inner, event_id=f"Ev{n}", team_id="T1")

    def number(self, data: dict[str, Any]) -> int:
        return int(data["Data"]["text"])

    def secrets(self) -> dict[str, str]:
        return {"slack/token": TOKEN, "slack/signing": KEY}


slack = TestSlack()


async def payload(sent: Sent, **options: Any) -> dict[str, Any]:
    """The payload of the event that comes of a request."""
    async with slack.running(options=options) as endpoint:
        answer = await endpoint.send(sent)
        assert (answer.status, answer.body) == (200, "success")
    (event,) = endpoint.bus.published
    return data_of(event)


async def answer_without_event(sent: Sent) -> tuple[Answer, float]:
    """The answer to a request, and how many failures were counted."""
    async with slack.running() as endpoint:
        answer = await endpoint.send(sent)
    assert endpoint.bus.published == []
    return answer, endpoint.value("events_processing_failed_total")


async def test_the_example_of_slacks_documentation_is_a_slash_command() -> None:
    clock = VirtualClock(datetime.fromtimestamp(MOMENT, UTC))
    headers = {
        "Content-Type": FORM,
        "X-Slack-Request-Timestamp": str(MOMENT),
        "X-Slack-Signature": SIGNATURE,
    }
    async with slack.running(clock=clock) as endpoint:
        answer = await endpoint.send(Sent(COMMAND, headers))
        again = await endpoint.send(Sent(COMMAND, headers))

    assert (answer.status, answer.body) == (200, "success")
    assert data_of(endpoint.bus.published[0]) == {
        "token": TOKEN,
        "team_id": "T1DC2JH3J",
        "team_domain": "testteamnow",
        "is_enterprise_install": False,
        "channel_id": "G8PSS9T3V",
        "channel_name": "foobar",
        "user_id": "U2CERLKJA",
        "user_name": "roadrunner",
        "command": "/webhook-collect",
        "text": "",
        "response_url": "https://hooks.slack.com/commands/T1DC2JH3J/397700885554/"
        "96rGlfmibIGlgcZRskXaIFfN",
        "trigger_id": "398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
        "api_app_id": "",
    }
    assert again.headers["X-Event-Id"] == answer.headers["X-Event-Id"]


@pytest.mark.parametrize("off", [-301, 301, -86400])
async def test_a_request_from_another_time_is_refused_though_its_signature_is_right(
    off: int,
) -> None:
    clock = VirtualClock(datetime.fromtimestamp(MOMENT, UTC))
    async with slack.running(clock=clock) as endpoint:
        late = await endpoint.send(signed(COMMAND, FORM, MOMENT + off))
        timely = await endpoint.send(signed(COMMAND, FORM, MOMENT + (300 if off > 0 else -300)))

    assert (late.status, late.body) == (401, "the timestamp is too far from now")
    assert timely.status == 200


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"X-Slack-Signature": ""}, "missing headers"),
        ({"X-Slack-Request-Timestamp": ""}, "missing headers"),
        ({"X-Slack-Request-Timestamp": "soon"}, "X-Slack-Request-Timestamp is not a number"),
        ({"X-Slack-Signature": signature(b"{}", MOMENT, "other")}, "the signature does not match"),
        ({"X-Slack-Signature": "v1=00"}, "the signature does not match"),
        ({"X-Slack-Signature": "gehe\u00efm"}, "the signature does not match"),
    ],
)
async def test_a_request_without_the_right_signature_is_refused_and_not_told_it(
    change: dict[str, str], reason: str
) -> None:
    sent = slack.request(1)
    right = sent.headers["X-Slack-Signature"].removeprefix("v0=")

    answer, failures = await answer_without_event(Sent(sent.body, {**sent.headers, **change}))

    assert (answer.status, answer.body[: len(reason)], failures) == (401, reason, 1)
    assert right not in answer.body
    assert right not in str(answer.headers)


async def test_a_body_over_the_limit_is_refused_as_unsigned() -> None:
    async with slack.running(maxPayloadSize=50) as endpoint:
        assert (await endpoint.send(slack.request(1))).status == 401


async def test_the_challenge_is_answered_with_exactly_itself() -> None:
    body = json.dumps({"token": TOKEN, "type": "url_verification", "challenge": "3eZbrw1aB"})

    answer, _ = await answer_without_event(signed(body.encode()))

    assert (answer.status, answer.body) == (200, "3eZbrw1aB")
    assert answer.headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize("token", ["wrong", "", None, 5, TOKEN + "x"])
async def test_the_events_api_must_carry_the_token(token: Any) -> None:
    for body in ({"type": "url_verification", "challenge": "c"}, {"type": "event_callback"}):
        sent = signed(json.dumps({**body, "token": token}).encode())

        answer, failures = await answer_without_event(sent)

        assert (answer.status, answer.body) == (500, "invalid verification token")
        assert failures == 1


async def test_other_requests_of_the_events_api_are_accepted_without_an_event() -> None:
    body = json.dumps({"token": TOKEN, "type": "app_rate_limited"}).encode()

    answer, failures = await answer_without_event(signed(body))

    assert (answer.status, answer.body, failures) == (200, "success", 0)


async def test_an_inner_event_of_any_type_is_passed_on_as_it_is() -> None:
    inner = {"type": "a_new_thing", "deep": {"n": [1, 2.5]}, "left_out": None}

    assert await payload(outer(inner)) == {"type": "a_new_thing", "Data": inner}


@pytest.mark.parametrize(
    ("kind", "members"),
    [
        ("app_mention", "type user text ts thread_ts channel event_ts"),
        ("member_joined_channel", "type user channel channel_type team inviter event_ts"),
        ("channel_created", "type channel event_ts"),
        (
            "message",
            "client_msg_id type user text blocks thread_ts ts channel channel_type event_ts"
            " message",
        ),
    ],
)
async def test_members_that_sensors_rely_on_are_always_there(kind: str, members: str) -> None:
    data = (await payload(outer({"type": kind, "event_ts": "1.2", "extra": 1})))["Data"]

    assert set(data) == {*members.split(), "extra"}
    assert (data["type"], data["event_ts"], data["extra"]) == (kind, "1.2", 1)
    if kind == "message":
        assert set(data["message"]) == set(data) - {"message"}


async def test_an_edited_message_keeps_its_nested_messages() -> None:
    inner = {
        "type": "message",
        "subtype": "message_changed",
        "message": {"text": "new"},
        "previous_message": {"text": "old"},
    }
    deleted = {"type": "message", "subtype": "message_deleted", "previous_message": {"ts": "1"}}

    data = (await payload(outer(inner)))["Data"]

    assert (data["message"], data["previous_message"]) == ({"text": "new"}, {"text": "old"})
    assert "message" not in (await payload(outer(deleted)))["Data"]


async def test_metadata_is_accepted_and_not_added() -> None:
    assert "metadata" not in await payload(slack.request(1), metadata={"team": "a"})


async def test_a_filter_sees_the_payload() -> None:
    async with slack.running(options={"filter": {"expression": 'Data.text == "2"'}}) as endpoint:
        for n in (1, 2):
            assert (await endpoint.send(slack.request(n))).status == 200

    assert [slack.number(data_of(event)) for event in endpoint.bus.published] == [2]


async def test_an_interaction_is_the_payload_with_scalars_that_are_always_there() -> None:
    interaction = {
        "type": "block_actions",
        "token": "t",
        "user": {"id": "U1"},
        "actions": [{"action_id": "go", "value": "1"}],
        "state": {"values": {}},
    }
    data = await payload(form(payload=json.dumps(interaction)))

    assert data == {
        **dict.fromkeys(("callback_id", "response_url", "trigger_id", "action_ts", "name"), ""),
        **dict.fromkeys(("value", "message_ts", "attachment_id", "action_id", "api_app_id"), ""),
        "block_id": "",
        "is_enterprise_install": False,
        **interaction,
    }


async def test_the_organization_of_a_command_is_named_where_there_is_one() -> None:
    data = await payload(form(command="/x", enterprise_id="E1", is_enterprise_install="true"))

    assert (data["enterprise_id"], data["is_enterprise_install"]) == ("E1", True)
    assert "enterprise_name" not in data


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (form(other="1"), "could not determine slack type from form parameters"),
        (signed(b"payload=%zz", FORM), 'invalid URL escape "%zz"'),
        (form(payload="{"), "the body is not JSON"),
        (form(payload="[]"), "the body is not a JSON object"),
        (signed(b"{"), "the body is not JSON"),
        (signed(b"", "text/plain"), "the body is not JSON"),
        (outer("text"), "the event is not a JSON object"),
        (outer({"type": None}), "`type` is not a text"),
        (outer({"type": {"a": 1}}), "`type` is not a text"),
        (outer({"text": "a"}), "`type` is not a text"),
        (outer({}, type=["x"]), "`type` is not a text"),
        (outer({}, type="url_verification", challenge=None), "`challenge` is not a text"),
        (outer({}, type="url_verification", challenge=5), "`challenge` is not a text"),
    ],
)
async def test_what_is_no_event_is_refused_with_the_reason(sent: Sent, reason: str) -> None:
    answer, failures = await answer_without_event(sent)

    assert (answer.status, answer.body[: len(reason)], failures) == (500, reason, 1)


async def test_an_event_that_slack_sends_again_has_the_same_id() -> None:
    async with slack.running() as endpoint:
        first = await endpoint.send(outer({"type": "x"}, event_id="Ev08MFMKH6"))
        again = await endpoint.send(outer({"type": "x"}, event_id="Ev08MFMKH6", retry=1))

    assert first.headers["X-Event-Id"] == again.headers["X-Event-Id"] == "es:ev:Ev08MFMKH6"


@pytest.mark.parametrize("name", ["token", "signing"])
async def test_an_empty_secret_keeps_it_from_being_ready_and_lets_nobody_in(name: str) -> None:
    secrets = {**slack.secrets(), f"slack/{name}": ""}
    with capture_logs() as lines:
        async with slack.running(secrets=secrets, ready=False) as endpoint:
            answer = await endpoint.send(slack.request(1))

    assert (answer.status, endpoint.bus.published) == (500, [])
    assert "is empty, so anybody could send" in (endpoint.service.status.error or "")
    (line,) = [line for line in lines if line["event"] == "A request was refused"]
    assert line["error"] == f"slack/{name} is empty, so anybody could send"


def test_token_and_signing_secret_are_required() -> None:
    block = {"webhook": {"endpoint": "/x", "port": "12000"}}

    assert make_source("slack", block).check() == [
        "`token` is missing",
        "`signingSecret` is missing",
    ]
