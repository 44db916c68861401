"""The bitbucket source, and a server that answers as Bitbucket Cloud's API does."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.sources._hooks import ELSEWHERE, HookContract, until
from tests.integration.sources._providers import bitbucket as provider
from tests.integration.sources._providers._server import Provider
from tiphys.testing.clock import VirtualClock
from tiphys.testing.push_sources import ENDPOINT, Sent
from tiphys.testing.sources import data_of, make_source

UUID = "6fd5ffd5-cd5e-4b5c-8a4a-1f9f7b3e3a1c"
BASIC = {
    "username": {"name": "bitbucket", "key": "user"},
    "password": {"name": "bitbucket", "key": "password"},
}
OAUTH = {"name": "bitbucket", "key": "token"}
SECRET = "a-key-that-bitbucket-signs-with"
SIGNATURE = {
    "secret": {"name": "bitbucket", "key": "key"},
    "header": "X-Hub-Signature",
    "prefix": "sha256=",
}


def sent(body: bytes, uuid: str = UUID) -> Sent:
    """A delivery."""
    headers = {
        "Content-Type": "application/json",
        "X-Event-Key": "repo:push",
        "X-Request-UUID": uuid,
        "X-Attempt-Number": "1",
    }
    return Sent(body, headers)


class TestBitbucket(HookContract):
    key = "bitbucket"
    place = "repositories/acme/app"

    @pytest.fixture(autouse=True)
    def _api(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch

    def block(self) -> dict[str, Any]:
        return {
            "repositories": [{"owner": "acme", "repositorySlug": "app"}],
            "events": ["repo:push", "pullrequest:created"],
            "auth": {"basic": BASIC},
        }

    def request(self, n: int) -> Sent:
        return sent(b'{"n": %d}' % n, f"{UUID}{n}")

    def number(self, data: dict[str, Any]) -> int:
        return int(data["body"]["n"])

    def secrets(self) -> dict[str, str]:
        return {
            "bitbucket/user": provider.USER,
            "bitbucket/password": provider.PASSWORD,
            "bitbucket/token": provider.TOKEN,
            "bitbucket/key": SECRET,
            "bitbucket/empty": "",
            "bitbucket/raw": "p\udcff",
        }

    def provider(self) -> provider.Bitbucket:
        return provider.Bitbucket()

    def managed(self, provider: Provider) -> dict[str, Any]:
        self.monkeypatch.setenv("BITBUCKET_API_BASE_URL", f"{provider.url}/2.0")
        return {}

    def add_others(self, provider: Provider, count: int) -> None:
        assert isinstance(provider, type(self.provider()))
        for n in range(count):
            provider.add(self.place, f"https://example.com/{n}")


@pytest.fixture
def bitbucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestBitbucket]:
    source = TestBitbucket()
    source.monkeypatch = monkeypatch
    yield source


async def test_headers_and_the_text_of_the_body_are_the_payload(bitbucket: TestBitbucket) -> None:
    body = b'{ "push": {"changes": []}, "actor": {"nickname": "emmap1"}, "size": 1.0 }'
    async with bitbucket.running(options={"metadata": {"team": "a"}}) as endpoint:
        answer = await endpoint.send(sent(body))

    (event,) = endpoint.bus.published
    data = data_of(event)
    assert (answer.status, answer.body) == (200, "success")
    assert answer.headers["X-Event-Id"] == f"es:ev:{UUID}"
    assert list(data) == ["headers", "body", "metadata"]
    assert data["headers"]["X-Event-Key"] == ["repo:push"]
    assert b'"body":{"push":{"changes":[]},"actor":{"nickname":"emmap1"},"size":1.0}' in (
        event.data or b""
    )


async def test_without_the_identity_of_a_request_the_id_is_random(
    bitbucket: TestBitbucket,
) -> None:
    async with bitbucket.running() as endpoint:
        answers = [await endpoint.send(sent(b"{}", "")) for _ in range(2)]

    assert len({answer.headers["X-Event-Id"] for answer in answers}) == 2


async def test_a_body_that_is_not_json_is_refused_and_no_failure(bitbucket: TestBitbucket) -> None:
    async with bitbucket.running() as endpoint:
        answer = await endpoint.send(sent(b"{"))

    assert (answer.status, answer.body) == (400, "invalid event")
    assert endpoint.value("events_processing_failed_total") == 0
    assert endpoint.value("http_requests_refused_total", reason="body") == 1


async def test_a_body_over_the_limit_is_refused_and_no_failure(bitbucket: TestBitbucket) -> None:
    async with bitbucket.running(maxPayloadSize=10) as endpoint:
        answer = await endpoint.send(sent(b'{"n": 12345}'))

    assert (answer.status, answer.body) == (400, "http: request body too large")
    assert endpoint.value("events_processing_failed_total") == 0
    assert endpoint.value("http_requests_refused_total", reason="body") == 1


async def test_a_password_may_have_any_byte(bitbucket: TestBitbucket) -> None:
    async with bitbucket.provider() as server:
        secrets = {"username": BASIC["username"], "password": {"name": "bitbucket", "key": "raw"}}
        server.refusal = lambda call: None  # type: ignore[method-assign]
        async with bitbucket.registering(server, auth={"basic": secrets}):
            await until(lambda: bool(server.calls))

        pair = base64.b64encode(provider.USER.encode() + b":p\xff").decode()
        assert server.calls[0].headers["Authorization"] == f"Basic {pair}"


async def test_a_hook_is_made_as_argo_events_makes_it(bitbucket: TestBitbucket) -> None:
    async with bitbucket.provider() as server:
        async with bitbucket.registering(server, url=ELSEWHERE):
            await until(lambda: bool(server.hooks[bitbucket.place]))

        (call,) = [call for call in server.calls if call.method == "POST"]
        pair = base64.b64encode(f"{provider.USER}:{provider.PASSWORD}".encode()).decode()
        assert call.headers["Authorization"] == f"Basic {pair}"
        assert call.path == "/2.0/repositories/acme/app/hooks"
        assert call.body == {
            "description": "webhook managed by Argo-Events",
            "url": ELSEWHERE + ENDPOINT,
            "active": True,
            "events": ["repo:push", "pullrequest:created"],
        }


@pytest.mark.parametrize("basic", [None, {"username": BASIC["username"]}])
async def test_a_token_counts_where_user_or_password_are_missing(
    basic: dict[str, Any] | None, bitbucket: TestBitbucket
) -> None:
    async with bitbucket.provider() as server:
        auth = {"basic": basic, "oauthToken": OAUTH}
        async with bitbucket.registering(server, auth=auth):
            await until(lambda: bool(server.hooks[bitbucket.place]))

        assert server.calls[0].headers["Authorization"] == f"Bearer {provider.TOKEN}"


async def test_user_and_password_win_over_a_token(bitbucket: TestBitbucket) -> None:
    async with bitbucket.provider() as server:
        async with bitbucket.registering(server, auth={"basic": BASIC, "oauthToken": OAUTH}):
            await until(lambda: bool(server.calls))

        assert server.calls[0].headers["Authorization"].startswith("Basic ")


@pytest.mark.parametrize("auth", [None, {}, {"basic": {"username": BASIC["username"]}}])
async def test_without_credentials_the_source_only_listens(
    auth: dict[str, Any] | None, bitbucket: TestBitbucket
) -> None:
    options: dict[str, Any] = {"auth": auth, "events": []}
    block = bitbucket.full_block(12000, url=ELSEWHERE) | options
    assert make_source("bitbucket", block).check() == []

    async with bitbucket.provider() as server:
        async with bitbucket.registering(server, **options) as endpoint:
            assert (await endpoint.send(bitbucket.request(1))).status == 200

        assert server.calls == []


@pytest.mark.parametrize("settings", [{"events": ["repo:fork"]}, {"active": False}])
async def test_a_hook_with_our_address_and_other_settings_is_brought_up_to_date_in_place(
    settings: dict[str, Any], bitbucket: TestBitbucket
) -> None:
    async with bitbucket.provider() as server:
        hook = server.add(bitbucket.place, ELSEWHERE + ENDPOINT, **settings)
        async with bitbucket.registering(server, url=ELSEWHERE):
            await until(lambda: server.count("PUT") == 1)

        assert server.count("POST") == server.count("DELETE") == 0
        assert server.hooks[bitbucket.place] == [hook]
        assert hook["active"] is True
        assert hook["events"] == ["repo:push", "pullrequest:created"]
        assert hook["description"] == "webhook managed by Argo-Events"


async def test_a_hook_that_is_as_it_should_be_is_not_touched(bitbucket: TestBitbucket) -> None:
    clock = VirtualClock()
    async with bitbucket.provider() as server:
        events = ["pullrequest:created", "repo:push"]
        server.add(bitbucket.place, ELSEWHERE + ENDPOINT, events=events)
        async with bitbucket.registering(server, clock, url=ELSEWHERE):
            await until(lambda: server.count("GET") > 2, clock)

        assert {call.method for call in server.calls} == {"GET"}


async def test_the_key_of_the_signature_is_given_to_bitbucket_and_demanded(
    bitbucket: TestBitbucket,
) -> None:
    async with bitbucket.provider() as server:
        hook = server.add(bitbucket.place, ELSEWHERE + ENDPOINT)
        bitbucket.managed(server)
        async with bitbucket.running(url=ELSEWHERE, hmac=SIGNATURE) as endpoint:
            await until(lambda: bool(server.secrets))
            digest = hmac.new(SECRET.encode(), b"{}", hashlib.sha256).hexdigest()
            good = Sent(b"{}", {"X-Hub-Signature": f"sha256={digest}"})
            answers = [await endpoint.send(each) for each in (good, sent(b"{}"))]

        assert server.secrets == {hook["uuid"]: SECRET}
    assert [answer.status for answer in answers] == [200, 401]


@pytest.mark.parametrize(
    ("digit", "expected"),
    [("9", (400, "invalid event")), ("8", (401, "the signature does not match"))],
)
async def test_the_signature_is_that_of_the_vector_that_atlassian_publishes(
    digit: str, expected: tuple[int, str], bitbucket: TestBitbucket
) -> None:
    """Of "Manage webhooks" in the manual of Bitbucket; its payload is signed and is no JSON."""
    signature = "a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c" + digit
    delivery = Sent(b"Hello World!", {"X-Hub-Signature": f"sha256={signature}"})
    async with bitbucket.running(hmac=SIGNATURE) as endpoint:
        endpoint.secrets["bitbucket/key"] = "It's a Secret to Everybody"
        answer = await endpoint.send(delivery)

    assert (answer.status, answer.body) == expected


async def test_no_hook_is_made_with_an_empty_key(bitbucket: TestBitbucket) -> None:
    async with bitbucket.provider() as server:
        bitbucket.managed(server)
        empty = {**SIGNATURE, "secret": {"name": "bitbucket", "key": "empty"}}
        async with bitbucket.running(ready=False, url=ELSEWHERE, hmac=empty) as endpoint:
            assert (endpoint.service.status.error or "").startswith(
                "`hmac.secret`: the key 'empty' of the Secret 'bitbucket' is empty"
            )

        assert server.calls == []


async def test_the_deprecated_pair_is_a_repository(bitbucket: TestBitbucket) -> None:
    async with bitbucket.provider() as server:
        pair: dict[str, Any] = {
            "repositories": [],
            "owner": "acme",
            "repositorySlug": "lib",
            "projectKey": "X",
        }
        async with bitbucket.registering(server, **pair):
            await until(lambda: any(server.hooks.values()))

        assert [place for place, hooks in server.hooks.items() if hooks] == [
            "repositories/acme/lib"
        ]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"repositories": []}, "`repositories` is missing"),
        ({"events": []}, "`events` is missing"),
    ],
)
def test_what_argo_events_refuses_is_refused(
    options: dict[str, Any], text: str, bitbucket: TestBitbucket
) -> None:
    block = bitbucket.full_block(12000, url=ELSEWHERE) | options
    (problem,) = make_source("bitbucket", block).check()

    assert text in problem


USER = {"name": "bitbucket", "key": "user"}


@pytest.mark.parametrize(
    ("options", "flaws", "doubts"),
    [
        (
            {"auth": {"basic": {"username": USER}}},
            ["`auth.basic.password` is missing, so no hooks are made"],
            [],
        ),
        (
            {"auth": {"basic": {"password": USER}, "oauthToken": USER}},
            [],
            ["`auth.basic.username` is missing, so `auth.basic` has no effect"],
        ),
        (
            {"auth": {"oauthToken": USER}, "repositories": [{"owner": "acme"}]},
            ["`repositories`: each needs `owner` and `repositorySlug`"],
            [],
        ),
        ({"auth": {"basic": {"username": USER, "password": USER}}}, [], []),
    ],
)
def test_hooks_that_cannot_be_made_are_pointed_out_and_not_refused(
    options: dict[str, Any], flaws: list[str], doubts: list[str], bitbucket: TestBitbucket
) -> None:
    source = make_source("bitbucket", bitbucket.full_block(12000, url=ELSEWHERE) | options)

    assert source.check() == []
    assert (source.config.flaws(), source.config.doubts()) == (flaws, doubts)
