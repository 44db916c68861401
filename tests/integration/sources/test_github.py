"""The github source, and a server that answers as GitHub's API does."""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from structlog.testing import capture_logs

from tests.integration.sources._hooks import ELSEWHERE, HookContract, until
from tests.integration.sources._providers import github as provider
from tests.integration.sources._providers._server import Provider
from tiphys.errors import MissingExtraError
from tiphys.testing.clock import VirtualClock
from tiphys.testing.push_sources import ENDPOINT, Answer, Sent
from tiphys.testing.sources import data_of, make_source

DELIVERIES = sorted((Path(__file__).parents[2] / "data/github").glob("*.json"))
SECRET = "It's a Secret to Everybody"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
REF = {"name": "github", "key": "token"}
SECRET_REF = {"name": "github", "key": "secret"}
KEY_REF = {"name": "github", "key": "pem"}
DELIVERY = "72d3162e-cc78-11e3-81ab-4c9367dc0958"


def signature(body: bytes, algorithm: str = "sha256", secret: str = SECRET) -> str:
    digest = hmac.new(secret.encode(), body, getattr(hashlib, algorithm)).hexdigest()
    return f"{algorithm}={digest}"


def sent(body: bytes, event: str = "push", delivery: str = DELIVERY, **headers: str) -> Sent:
    """A delivery of content type JSON with its signature."""
    return Sent(
        body,
        {
            "Content-Type": JSON,
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": delivery,
            "X-Hub-Signature-256": signature(body),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        },
    )


class TestGitHub(HookContract):
    key = "github"
    place = "repos/acme/app"

    def block(self) -> dict[str, Any]:
        return {
            "repositories": [{"owner": "acme", "names": ["app"]}],
            "events": ["push", "pull_request"],
            "webhookSecret": SECRET_REF,
        }

    def request(self, n: int) -> Sent:
        return sent(b'{"n": %d}' % n, delivery=f"{DELIVERY[:-3]}{n:03d}")

    def number(self, data: dict[str, Any]) -> int:
        return int(data["body"].get("n", -1))

    def secrets(self) -> dict[str, str]:
        return {"github/token": provider.TOKEN, "github/secret": SECRET, **pem}

    def provider(self) -> provider.GitHub:
        return provider.GitHub()

    def managed(self, provider: Provider) -> dict[str, Any]:
        return {
            "apiToken": REF,
            "active": True,
            "contentType": "json",
            "githubBaseURL": provider.url,
            "githubUploadURL": provider.url,
        }

    def add_others(self, provider: Provider, count: int) -> None:
        assert isinstance(provider, type(self.provider()))
        for n in range(count):
            provider.add(self.place, ["push"], f"https://example.com/{n}")


github = TestGitHub()
pem: dict[str, str] = {}


async def payload(delivery: Sent, **options: Any) -> dict[str, Any]:
    """The payload of the event that comes of a delivery."""
    async with github.running(options=options) as endpoint:
        answer = await endpoint.send(delivery)
        assert (answer.status, answer.body) == (200, "success")
    (event,) = endpoint.bus.published
    return data_of(event)


async def refusal(delivery: Sent, **options: Any) -> tuple[Answer, float, list[Any]]:
    """Answer, refusals counted, and log lines of a delivery that is no event."""
    with capture_logs() as lines:
        async with github.running(options=options) as endpoint:
            answer = await endpoint.send(delivery)
    assert endpoint.bus.published == []
    assert endpoint.value("events_processing_failed_total") == 0
    reasons = ("signature", "body", "secret")
    counted = sum(endpoint.value("http_requests_refused_total", reason=each) for each in reasons)
    return answer, counted, [line for line in lines if line["event"] == "A request was refused"]


def test_the_published_example_of_a_signature_is_ours() -> None:
    published = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

    assert signature(b"Hello, World!") == f"sha256={published}"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17", "not a JSON|not JSON"),
        ("757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e18", "signature check"),
    ],
)
async def test_the_published_example_passes_and_a_forged_one_does_not(
    given: str, text: str
) -> None:
    delivery = sent(b"Hello, World!", X_Hub_Signature_256=f"sha256={given}")
    answer, _, _ = await refusal(delivery)

    assert answer.status == 400
    assert any(part in answer.body for part in text.split("|"))


@pytest.mark.parametrize("path", DELIVERIES, ids=lambda path: path.stem)
async def test_a_real_delivery_becomes_an_event_member_for_member(path: Path) -> None:
    event = path.stem.rpartition("-")[0]
    body = path.read_bytes()
    data = await payload(sent(body, event), metadata={"team": "a"})

    expected = json.loads(body)
    expected |= {"X-GitHub-Event": event, "X-GitHub-Delivery": DELIVERY}
    assert list(data) == ["headers", "body", "metadata"]
    assert data["body"] == expected
    assert list(data["body"]) == sorted(expected)
    assert data["metadata"] == {"team": "a"}
    assert data["headers"]["X-Github-Event"] == [event]
    assert data["headers"]["X-Github-Delivery"] == [DELIVERY]
    assert data["headers"]["X-Hub-Signature-256"] == [signature(body)]


@pytest.mark.parametrize("path", DELIVERIES[::6], ids=lambda path: path.stem)
async def test_a_form_delivery_is_the_same_event(path: Path) -> None:
    text = path.read_bytes()
    body = b"payload=" + quote(text.decode(), safe="").encode()
    headers = {"Content_Type": f"{FORM}; charset=utf-8", "X_Hub_Signature_256": signature(body)}
    data = await payload(sent(body, **headers))

    body_of_json = {"X-GitHub-Event": "push", "X-GitHub-Delivery": DELIVERY}
    assert data["body"] == {**json.loads(text), **body_of_json}


async def test_numbers_are_written_as_go_writes_them_and_large_ones_stay_exact() -> None:
    body = b'{"b":1.0,"a":[1.50,1e21,-0.0000001,9007199254740993],"c":{"d":2.5e3}}'
    async with github.running() as endpoint:
        assert (await endpoint.send(sent(body))).status == 200

    (event,) = endpoint.bus.published
    text = (event.data or b"").partition(b'"body":')[2].decode()
    assert text.endswith('"a":[1.5,1e+21,-1e-7,9007199254740993],"b":1,"c":{"d":2500}}}')


async def test_a_sender_cannot_choose_the_members_that_are_added() -> None:
    body = b'{"X-GitHub-Event":"release","X-GitHub-Delivery":"x"}'
    data = await payload(sent(body, "push"))

    assert data["body"] == {"X-GitHub-Event": "push", "X-GitHub-Delivery": DELIVERY}


async def test_without_the_headers_the_added_members_are_empty() -> None:
    data = await payload(Sent(b"{}", {"Content-Type": JSON}), webhookSecret=None)

    assert data["body"] == {"X-GitHub-Event": "", "X-GitHub-Delivery": ""}


async def test_the_id_of_an_event_is_that_of_the_delivery() -> None:
    async with github.running() as endpoint:
        first = await endpoint.send(sent(b'{"n": 1}'))
        again = await endpoint.send(sent(b'{"n": 1}'))
        odd = await endpoint.send(sent(b'{"n": 1}', delivery="a,b \u00e9" * 50))
        unnamed = [await endpoint.send(sent(b"{}", delivery="")) for _ in range(2)]

    assert first.headers["X-Event-Id"] == again.headers["X-Event-Id"] == f"es:ev:{DELIVERY}"
    assert len(odd.headers["X-Event-Id"]) == len("es:ev:") + 32
    assert len({answer.headers["X-Event-Id"] for answer in unnamed}) == 2


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
@pytest.mark.parametrize("header", ["X_Hub_Signature_256", "X_Hub_Signature"])
async def test_signatures_of_three_algorithms_are_accepted_in_either_header(
    algorithm: str, header: str
) -> None:
    headers = {"X_Hub_Signature_256": "", header: signature(b"{}", algorithm)}

    assert (await payload(sent(b"{}", **headers)))["body"]["X-GitHub-Event"] == "push"


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({"X_Hub_Signature_256": ""}, "missing signature"),
        ({"X_Hub_Signature_256": "757107"}, "not of the form"),
        ({"X_Hub_Signature_256": "md5=757107"}, "must be made with sha1 or sha256 or sha512"),
        ({"X_Hub_Signature_256": "sha256=xyz"}, "not hexadecimal"),
        ({"X_Hub_Signature_256": "sha256="}, "payload signature check failed"),
        ({"X_Hub_Signature_256": signature(b"{}", secret="other")}, "check failed"),
        ({"X_Hub_Signature_256": signature(b"{ }")}, "check failed"),
        (
            {"X_Hub_Signature_256": "sha256=00", "X_Hub_Signature": signature(b"{}", "sha1")},
            "check failed",
        ),
    ],
)
async def test_a_signature_that_is_not_right_is_refused_counted_and_logged(
    headers: dict[str, str], text: str
) -> None:
    answer, counted, lines = await refusal(sent(b"{}", **headers))

    assert answer.status == 400
    assert text in answer.body
    assert counted == 1
    assert [(line["reason"], line["log_level"]) for line in lines] == [("signature", "warning")]
    assert SECRET not in answer.body + repr(lines)


async def test_the_signature_of_a_form_is_over_the_whole_form() -> None:
    body = b"payload=%7B%7D"
    headers = {"Content_Type": FORM, "X_Hub_Signature_256": signature(b"{}")}
    answer, _, _ = await refusal(sent(body, **headers))

    assert (answer.status, answer.body) == (400, "payload signature check failed")


async def test_without_a_secret_signatures_are_ignored() -> None:
    delivery = sent(b"{}", X_Hub_Signature_256="sha256=00")

    assert (await payload(delivery, webhookSecret=None))["body"]["X-GitHub-Event"] == "push"


@pytest.mark.parametrize("key", ["gone", "empty"])
async def test_a_secret_that_is_missing_or_empty_lets_nobody_in(key: str) -> None:
    pem["github/empty"] = ""
    body = b"{}"
    delivery = sent(body, X_Hub_Signature_256=signature(body, secret=""))
    answer, counted, _ = await refusal(delivery, webhookSecret={"name": "github", "key": key})

    assert (answer.status, answer.body, counted) == (500, "Error loading webhook secret", 1)


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        (b"{}", "text/plain", "content type"),
        (b"{}", "", "content type"),
        (b"{}", "json", "content type"),
        (b"[]", JSON, "not a JSON object"),
        (b"null", JSON, "not a JSON object"),
        (b"", JSON, "not JSON"),
        (b"{} {}", JSON, "not JSON"),
        (b'{"a":1e400}', JSON, "not JSON"),
        (b'{"a":' + b"[" * 900 + b"]" * 900 + b"}", JSON, "nested too deeply"),
        (b"payload=%zz", FORM, "invalid URL escape"),
        (b"other=%7B%7D", FORM, "not JSON"),
        (b"{}", FORM, "not JSON"),
    ],
)
async def test_what_is_no_delivery_is_refused_and_is_no_failure(
    body: bytes, kind: str, text: str
) -> None:
    headers = {"Content_Type": kind, "X_Hub_Signature_256": signature(body)}
    answer, counted, _ = await refusal(sent(body, **headers))

    assert (answer.status, counted) == (400, 1)
    assert text in answer.body


async def test_the_hook_is_made_as_the_manifest_says_and_its_ping_is_an_event() -> None:
    async with github.provider() as server:
        async with github.registering(server, VirtualClock(), insecure=True) as endpoint:
            await until(lambda: bool(endpoint.bus.published))

        (call,) = [call for call in server.calls if call.method == "POST"]
        (event,) = endpoint.bus.published
        assert call.path == "/repos/acme/app/hooks"
        assert call.headers["Authorization"] == f"token {provider.TOKEN}"
        assert call.headers["User-Agent"].startswith("tiphys/")
        assert call.body == {
            "name": "web",
            "active": True,
            "events": ["push", "pull_request"],
            "config": {
                "url": f"http://127.0.0.1:{endpoint.port}{ENDPOINT}",
                "content_type": "json",
                "insecure_ssl": "1",
                "secret": SECRET,
            },
        }
        assert [await delivery for delivery in server.deliveries] == [200]
        assert data_of(event)["body"]["X-GitHub-Event"] == "ping"
        assert data_of(event)["body"]["hook"]["config"]["secret"] == "********"


async def test_what_the_manifest_leaves_open_is_left_to_github() -> None:
    async with github.provider() as server:
        options = {"contentType": "", "active": False, "webhookSecret": None}
        with capture_logs() as lines:
            async with github.registering(server, url=ELSEWHERE + "//", **options):
                await until(lambda: bool(lines) and "not active" in repr(lines))

        (call,) = [call for call in server.calls if call.method == "POST"]
        assert call.body["active"] is False
        assert call.body["config"] == {"url": ELSEWHERE + ENDPOINT, "insecure_ssl": "0"}


async def test_organizations_come_before_repositories_and_each_has_its_hook() -> None:
    async with github.provider() as server:
        options: dict[str, Any] = {"repositories": [], "organizations": ["acme"]}
        async with github.registering(server, VirtualClock(), **options):
            await until(lambda: bool(server.hooks["orgs/acme"]))
        many = [{"owner": "acme", "names": ["app", "lib"]}]
        clock = VirtualClock()
        async with github.registering(server, clock, repositories=many):
            await until(lambda: bool(server.hooks["repos/acme/lib"]), clock)

        assert [len(hooks) for hooks in server.hooks.values()] == [1, 1, 1]


async def test_the_deprecated_pair_is_a_repository() -> None:
    async with github.provider() as server:
        pair = {"repositories": [], "owner": "acme", "repository": "lib"}
        async with github.registering(server, VirtualClock(), **pair):
            await until(lambda: bool(server.hooks["repos/acme/lib"]))


async def test_a_repository_that_is_not_there_does_not_keep_the_others_from_their_hooks() -> None:
    clock = VirtualClock()
    async with github.provider() as server:
        names = [{"owner": "acme", "names": ["gone", "lib"]}]
        async with github.registering(server, clock, repositories=names) as endpoint:
            await until(lambda: bool(server.hooks["repos/acme/lib"]), clock)
            await until(lambda: endpoint.service.status.error is not None, clock)

    error = endpoint.service.status.error or ""
    assert error.startswith("hook of repos/acme/gone: GitHub answers GET repos/acme/gone/hooks")
    assert "404: Not Found (is the name right, and may the token see its hooks?)" in error


async def test_a_hook_with_the_same_events_in_another_order_is_ours() -> None:
    async with github.provider() as server:
        server.add(github.place, ["pull_request", "push", "push"], ELSEWHERE + ENDPOINT)
        async with github.registering(server, url=ELSEWHERE):
            await until(lambda: server.count("GET") >= 1)

        assert server.count("POST") == 0


async def test_a_hook_for_everything_is_ours_when_we_want_everything() -> None:
    async with github.provider() as server:
        server.add(github.place, ["*", "push"], ELSEWHERE + ENDPOINT)
        async with github.registering(server, url=ELSEWHERE, events=["*"]) as endpoint:
            await until(lambda: server.count("GET") >= 1)

        assert server.count("POST") == 0
        assert endpoint.service.status.error is None


async def test_a_hook_with_other_events_is_left_alone_and_another_one_made() -> None:
    clock = VirtualClock()
    async with github.provider() as server:
        other = server.add(github.place, ["issues"], ELSEWHERE + ENDPOINT)
        async with github.registering(server, clock, url=ELSEWHERE):
            await until(lambda: len(server.hooks[github.place]) == 2, clock)

        assert server.hooks[github.place][0] == other


async def test_a_hook_that_github_does_not_allow_beside_another_is_an_error_with_its_words() -> None:
    clock = VirtualClock()
    async with github.provider() as server:
        server.add(github.place, ["push"], ELSEWHERE + ENDPOINT)
        async with github.registering(server, clock, url=ELSEWHERE) as endpoint:
            await until(lambda: endpoint.service.status.error is not None, clock)

    assert "422: Validation Failed; Hook already exists on this repository" in (
        endpoint.service.status.error or ""
    )


async def test_the_quota_of_an_hour_is_waited_for_until_its_reset() -> None:
    clock = VirtualClock()
    async with github.provider() as server:
        reset = str(int(clock.now().timestamp()) + 900)
        quota = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
        server.fail(403, provider.RATE_LIMITED, quota)
        async with github.registering(server, clock):
            await until(lambda: clock.monotonic() > 890, clock)
            assert len(server.calls) == 1
            await until(lambda: bool(server.hooks[github.place]), clock)


async def test_a_repository_that_was_renamed_is_followed_but_not_to_another_server() -> None:
    clock = VirtualClock()
    async with github.provider() as server:
        old = [{"owner": "acme", "names": ["old"]}]
        moved = {"Location": f"{server.url}/repos/acme/app/hooks?per_page=100"}
        server.fail(301, {}, moved, applies=lambda call: "old" in call.path, times=1)
        moved = {"Location": "/repos/acme/app/hooks"}
        server.fail(307, {}, moved, applies=lambda call: "old" in call.path, times=2)
        async with github.registering(server, clock, repositories=old):
            await until(lambda: bool(server.hooks[github.place]), clock)
    async with github.provider() as server, github.provider() as thief:
        server.fail(301, {}, {"Location": f"{thief.url}/repos/acme/app/hooks"}, times=100)
        async with github.registering(server, clock) as endpoint:
            await until(lambda: endpoint.service.status.error is not None, clock)

        assert "redirects to" in (endpoint.service.status.error or "")
        assert thief.calls == []


async def test_a_missing_token_is_an_error_until_it_is_there() -> None:
    clock = VirtualClock()
    async with github.provider() as server:
        late = {"name": "github", "key": "late"}
        async with github.registering(server, clock, apiToken=late) as endpoint:
            await until(lambda: endpoint.service.status.error is not None, clock)
            assert "github/late" in (endpoint.service.status.error or "")
            assert (await endpoint.send(github.request(1))).status == 200


async def test_an_app_signs_a_claim_and_uses_the_token_of_its_installation() -> None:
    clock = VirtualClock()
    async with github.provider() as server:
        pem["github/pem"] = server.private_key
        numbers = {"appID": provider.APP, "installationID": provider.INSTALLATION}
        app = {"apiToken": None, "githubApp": {"privateKey": KEY_REF, **numbers}}
        async with github.registering(server, clock, **app):
            await until(lambda: bool(server.hooks[github.place]), clock)

        claim = server.claims[0]
        created = [call for call in server.calls if call.path == "/repos/acme/app/hooks"]
        now = clock.now().timestamp()
        assert claim["iss"] == str(provider.APP)
        assert claim["iat"] <= now < claim["exp"] <= claim["iat"] + 600
        token = f"token {provider.INSTALLATION_TOKEN}"
        assert {call.headers["Authorization"] for call in created} == {token}


async def test_a_token_wins_over_an_app() -> None:
    async with github.provider() as server:
        app = {"privateKey": KEY_REF, "appID": 1, "installationID": 1}
        async with github.registering(server, VirtualClock(), githubApp=app):
            await until(lambda: bool(server.hooks[github.place]))

        assert server.claims == []


@pytest.mark.parametrize("key", ["no key at all", "-----BEGIN PRIVATE KEY-----\nAA==\n"])
async def test_a_key_that_is_none_is_an_error_that_does_not_show_it(key: str) -> None:
    async with github.provider() as server:
        pem["github/pem"] = key
        app = {"privateKey": KEY_REF, "appID": 1, "installationID": 1}
        options = {"apiToken": None, "githubApp": app}
        async with github.registering(server, VirtualClock(), **options) as endpoint:
            await until(lambda: endpoint.service.status.error is not None)

    assert "is not an RSA key in PEM" in (endpoint.service.status.error or "")
    assert key not in (endpoint.service.status.error or "")


async def test_an_app_without_the_library_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    options = {
        "githubApp": {"privateKey": KEY_REF, "appID": 1, "installationID": 1},
        "githubBaseURL": ELSEWHERE,
        "githubUploadURL": ELSEWHERE,
    }
    with pytest.raises(MissingExtraError, match=r"pip install 'tiphys\[cryptography\]'"):
        async with github.running(options=options, url=ELSEWHERE):
            pass


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"repositories": []}, "`repositories` or `organizations` is missing"),
        ({"organizations": ["acme"]}, "only one of"),
        ({"repositories": [], "owner": "acme"}, "`repositories` or `organizations` is missing"),
        ({"apiToken": REF, "events": []}, "`events` is missing"),
        ({"githubBaseURL": "https://github.example.com/api/v3"}, "must come together"),
    ],
)
def test_what_argo_events_refuses_is_refused(options: dict[str, Any], text: str) -> None:
    block = github.full_block(12000, url="https://example.com") | options
    (problem,) = make_source("github", block).check()

    assert text in problem


def test_a_content_type_that_github_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match=r"contentType"):
        make_source("github", github.full_block(12000) | {"contentType": "xml"})
