"""The bitbucketserver source, and a server that answers as Bitbucket Data Center's API does."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.integration.sources._hooks import ELSEWHERE, HookContract, until
from tests.integration.sources._providers import bitbucketserver as provider
from tests.integration.sources._providers._server import Provider
from tiphys.testing.clock import VirtualClock
from tiphys.testing.push_sources import ENDPOINT, PushSourceContract, Sent
from tiphys.testing.sources import data_of, make_source

SECRET = "a-key-that-bitbucket-signs-with"
ACCESS = {"name": "bitbucket", "key": "access"}
SECRET_REF = {"name": "bitbucket", "key": "secret"}
ID = "b1c0e6fd-4f4b-43a2-9d6b-6a4a1ad1b4d8"
HASH = "ecddabb624f6f5ba43816f5926e580a5f680a93"
PUSH = "repo:refs_changed"


def sent(body: bytes, event: str = PUSH, id: str = ID, signature: str | None = None) -> Sent:
    """A delivery with its signature."""
    if signature is None:
        signature = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "X-Event-Key": event,
        "X-Request-Id": id,
        "X-Hub-Signature": signature,
    }
    return Sent(body, headers)


def change(name: str, number: int, kind: str = "BRANCH", type: str = "UPDATE") -> dict[str, Any]:
    ref = f"refs/{'heads' if kind == 'BRANCH' else 'tags'}/{name}"
    return {
        "ref": {"id": ref, "displayId": name, "type": kind},
        "refId": ref,
        "fromHash": f"{HASH}0",
        "toHash": f"{HASH}{number}",
        "type": type,
    }


def push(*changes: dict[str, Any]) -> dict[str, Any]:
    """A push as the documentation shows it, with a member that Argo Events does not know."""
    project = {"key": "ACME", "id": 84, "name": "Acme", "public": False, "type": "NORMAL"}
    return {
        "eventKey": PUSH,
        "date": "2017-09-19T09:58:11+1000",
        "actor": {"name": "admin", "emailAddress": "a@example.com", "id": 1, "type": "NORMAL"},
        "repository": {"slug": "app", "id": 84, "name": "app", "scmId": "git", "project": project},
        "changes": list(changes),
        "toCommit": {"id": HASH},
    }


def signed(document: Any) -> Sent:
    return sent(json.dumps(document).encode())


class TestBitbucketServer(HookContract):
    key = "bitbucketserver"
    place = provider.BitbucketServer.place("app")

    def block(self) -> dict[str, Any]:
        return {
            "bitbucketserverBaseURL": "https://bitbucket.example.com/rest",
            "repositories": [{"projectKey": "ACME", "repositorySlug": "app"}],
            "events": [PUSH, "pr:opened"],
            "accessToken": ACCESS,
            "webhookSecret": SECRET_REF,
        }

    def request(self, n: int) -> Sent:
        return sent(b'{"n": %d}' % n, "pr:opened", f"{ID}{n}")

    def number(self, data: dict[str, Any]) -> int:
        return int(data["body"]["n"])

    def secrets(self) -> dict[str, str]:
        return {"bitbucket/access": provider.TOKEN, "bitbucket/secret": SECRET}

    def provider(self) -> provider.BitbucketServer:
        return provider.BitbucketServer()

    def managed(self, provider: Provider) -> dict[str, Any]:
        return {"bitbucketserverBaseURL": f"{provider.url}/rest"}

    def add_others(self, provider: Provider, count: int) -> None:
        assert isinstance(provider, type(self.provider()))
        for n in range(count):
            provider.add(self.place, f"https://example.com/{n}")


server_source = TestBitbucketServer()


class TestSplitPush(PushSourceContract):
    """Every request is a push of two refs, and each of them an event."""

    key = "bitbucketserver"

    def block(self) -> dict[str, Any]:
        return {**server_source.block(), "oneEventPerChange": True}

    def request(self, n: int) -> Sent:
        body = json.dumps(push(change(f"b{n}", 1), change(f"b{n}", 2, "TAG"))).encode()
        return Sent(body, sent(body, id=f"{ID}{n}").headers, events=2)

    def number(self, data: dict[str, Any]) -> int:
        return int(data["body"]["changes"][0]["ref"]["displayId"][1:])

    def secrets(self) -> dict[str, str]:
        return server_source.secrets()


async def events_of(delivery: Sent, **options: Any) -> list[dict[str, Any]]:
    """The payloads of the events that come of a delivery that is accepted."""
    async with server_source.running(options=options) as endpoint:
        answer = await endpoint.send(delivery)
        assert (answer.status, answer.body) == (200, "success")
    return [data_of(event) for event in endpoint.bus.published]


async def test_another_event_than_a_push_is_forwarded_as_it_came() -> None:
    test = sent(b'{ "test": true, "x": 1.50 }', "diagnostics:ping")
    (data,) = await events_of(test, metadata={"team": "a"}, oneEventPerChange=True)

    assert list(data) == ["headers", "body", "metadata"]
    assert data["body"] == {"test": True, "x": 1.5}
    assert data["headers"]["X-Event-Key"] == ["diagnostics:ping"]


async def test_a_push_is_one_event_with_all_its_members() -> None:
    document = push(change("main", 1), change("v1", 2, "TAG", "ADD"))
    (data,) = await events_of(signed(document))

    assert data["body"] == document


async def test_a_push_that_is_split_has_an_event_for_each_ref_in_the_known_form() -> None:
    document = push(change("main", 1), change("v1", 2, "TAG", "ADD"))
    events = await events_of(signed(document), oneEventPerChange=True)

    expected: dict[str, Any] = {
        "eventKey": PUSH,
        "date": "2017-09-19T09:58:11+1000",
        "actor": {
            "name": "admin",
            "emailAddress": "a@example.com",
            "id": 1,
            "displayName": "",
            "active": False,
            "slug": "",
            "type": "NORMAL",
            "links": {"self": None},
        },
        "repository": {
            "slug": "app",
            "id": 84,
            "name": "app",
            "hierarchyId": "",
            "scmId": "git",
            "state": "",
            "statusMessage": "",
            "forkable": False,
            "project": {
                "key": "ACME",
                "id": 84,
                "name": "Acme",
                "public": False,
                "type": "NORMAL",
                "links": {"self": None},
            },
            "public": False,
            "links": {"clone": None, "self": None},
        },
        "changes": [change("main", 1)],
    }
    assert [event["body"] for event in events] == [
        expected,
        {**expected, "changes": [change("v1", 2, "TAG", "ADD")]},
    ]
    assert list(events[0]["body"]) == list(expected)


async def test_links_survive_the_known_form() -> None:
    document = push(change("main", 1))
    links = {"clone": [{"href": "ssh://git@host/app.git", "name": "ssh"}], "self": [{"href": "h"}]}
    document["repository"]["links"] = links
    document["actor"]["links"] = {"self": [{"href": "u"}]}
    (event,) = await events_of(signed(document), oneEventPerChange=True)

    assert event["body"]["repository"]["links"] == links
    assert event["body"]["actor"]["links"] == {"self": [{"href": "u"}]}


async def test_each_change_has_an_id_of_its_own_that_lasts() -> None:
    async with server_source.running(options={"oneEventPerChange": True}) as endpoint:
        delivery = signed(push(change("a", 1), change("b", 2)))
        answers = [await endpoint.send(delivery) for _ in range(2)]

    assert {answer.headers["X-Event-Id"] for answer in answers} == {f"es:ev:{ID}:0,es:ev:{ID}:1"}


async def test_a_push_of_which_one_event_is_not_stored_fails_with_one_answer() -> None:
    async with server_source.running(options={"oneEventPerChange": True}) as endpoint:
        endpoint.bus.refuse = 1
        answer = await endpoint.send(signed(push(change("a", 1), change("b", 2))))

    assert (answer.status, answer.body) == (500, "failed to record event")
    assert len(endpoint.bus.published) == 1


async def test_a_push_may_have_half_a_character() -> None:
    body = json.dumps(push(change("main", 1))).encode().replace(b"Acme", rb"Acme \ud83d")

    for one_event in (False, True):
        (data,) = await events_of(sent(body), oneEventPerChange=one_event)
        assert data["body"]["repository"]["project"]["name"] == "Acme \ufffd"


@pytest.mark.parametrize(
    ("digit", "text"), [("9", "invalid event"), ("8", "payload signature check failed")]
)
async def test_the_signature_is_that_of_the_vector_that_atlassian_publishes(
    digit: str, text: str
) -> None:
    """Of "Manage webhooks" in the manual of Bitbucket; its payload is signed and is no JSON."""
    signature = "a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c" + digit
    delivery = sent(b"Hello World!", signature=f"sha256={signature}")
    async with server_source.running() as endpoint:
        endpoint.secrets["bitbucket/secret"] = "It's a Secret to Everybody"
        answer = await endpoint.send(delivery)

    assert (answer.status, answer.body) == (400, text)


@pytest.mark.parametrize(
    "body", [b"[]", b"{", b"", b'{"changes": 1}', b'{"actor": {"id": "1"}}', b'"x"']
)
async def test_a_push_of_another_form_is_refused(body: bytes) -> None:
    async with server_source.running() as endpoint:
        answer = await endpoint.send(sent(body))

    assert (answer.status, answer.body, endpoint.bus.published) == (400, "invalid event", [])


NO_SCHEME = {"bitbucketserverBaseURL": "host/rest"}
NO_URL = (
    "`bitbucketserverBaseURL` must be a URL with its scheme, such as https://example.com, not "
    "'host/rest'"
)
SKIP = {"skipBranchRefsChangedOnOpenPR": True}


async def test_branches_with_an_open_pull_request_are_dropped_and_nothing_else() -> None:
    changes = [
        change("open", 1),
        change("merged", 2),
        change("later", 3),
        change("v1", 4, "TAG"),
        change("gone", 5, type="DELETE"),
    ]
    async with server_source.provider() as server:
        server.pull_requests = {
            f"{HASH}1": ["OPEN"],
            f"{HASH}2": ["MERGED", "DECLINED"],
            f"{HASH}3": ["MERGED", "DECLINED", "MERGED", "open"],
        }
        options = {**SKIP, "oneEventPerChange": True, **server_source.managed(server)}
        events = await events_of(signed(push(*changes)), **options)

    names = [event["body"]["changes"][0]["ref"]["displayId"] for event in events]
    assert names == ["merged", "v1", "gone"]
    assert {call.headers["Authorization"] for call in server.calls} == {f"Bearer {provider.TOKEN}"}
    assert {call.path.split("/")[-2][-1] for call in server.calls} == {"1", "2", "3"}


async def test_a_push_that_is_not_split_still_lists_the_changes_that_were_dropped() -> None:
    async with server_source.provider() as server:
        server.pull_requests = {f"{HASH}1": ["OPEN"], f"{HASH}2": []}
        document = push(change("open", 1), change("free", 2))
        (data,) = await events_of(signed(document), **SKIP, **server_source.managed(server))

    assert data["body"] == document


async def test_a_push_of_which_no_change_is_left_is_no_event() -> None:
    async with server_source.provider() as server:
        server.pull_requests = {f"{HASH}1": ["OPEN"]}
        document = push(change("open", 1))

        assert await events_of(signed(document), **SKIP, **server_source.managed(server)) == []


async def test_a_lookup_that_fails_refuses_the_delivery_and_says_why() -> None:
    async with server_source.provider() as server:
        options = {**SKIP, **server_source.managed(server)}
        with capture_logs() as lines:
            async with server_source.running(options=options) as endpoint:
                answer = await endpoint.send(signed(push(change("new", 9))))

    assert (answer.status, answer.body) == (400, "pull requests could not be looked up")
    assert endpoint.value("http_requests_refused_total", reason="lookup") == 1
    assert any("does not exist" in line.get("error", "") for line in lines)


@pytest.mark.parametrize("url", [ELSEWHERE, ""])
@pytest.mark.parametrize(
    ("signature", "text"),
    [
        ("", "missing signature"),
        ("sha256", "not of the form"),
        ("x", "not of the form"),
        ("sha1=00", "must be made with sha256"),
        ("sha256=00", "payload signature check failed"),
        ("sha256=zz", "not hexadecimal"),
    ],
)
async def test_the_signature_is_demanded_whether_or_not_hooks_are_registered(
    signature: str, text: str, url: str
) -> None:
    options = {"bitbucketserverBaseURL": ELSEWHERE}
    async with server_source.running(url=url, options=options) as endpoint:
        answer = await endpoint.send(sent(b"{}", signature=signature))

    assert answer.status == 400
    assert text in answer.body
    assert endpoint.bus.published == []
    assert endpoint.value("http_requests_refused_total", reason="signature") == 1


async def test_without_a_secret_no_signature_is_demanded() -> None:
    test = sent(b"{}", "diagnostics:ping", signature="")

    assert len(await events_of(test, webhookSecret=None)) == 1


@pytest.mark.parametrize("secret", [SECRET_REF, None])
async def test_a_hook_is_made_as_argo_events_makes_it(secret: dict[str, str] | None) -> None:
    async with server_source.provider() as server:
        async with server_source.registering(server, url=ELSEWHERE, webhookSecret=secret):
            await until(lambda: bool(server.hooks[server_source.place]))

        (call,) = [call for call in server.calls if call.method == "POST"]
        assert call.path == "/rest/api/1.0/projects/ACME/repos/app/webhooks"
        assert call.headers["X-Atlassian-Token"] == "no-check"
        assert call.headers["X-Requested-With"] == "XMLHttpRequest"
        configuration = {"configuration": {"secret": SECRET}} if secret else {}
        assert call.body == {
            "id": 0,
            "name": "Argo Events",
            "url": ELSEWHERE + ENDPOINT,
            "active": True,
            "events": [PUSH, "pr:opened"],
            **configuration,
        }


@pytest.mark.parametrize(
    "settings", [{"configuration": {"secret": SECRET}}, {"events": ["pr:opened", PUSH]}]
)
async def test_a_hook_with_another_secret_or_other_events_is_brought_up_to_date(
    settings: dict[str, Any],
) -> None:
    clock = VirtualClock()
    async with server_source.provider() as server:
        hook = server.add(server_source.place, ELSEWHERE + ENDPOINT, **settings)
        async with server_source.registering(server, clock, url=ELSEWHERE):
            await until(lambda: server.count("GET") > 2, clock)

        assert (server.count("PUT"), server.count("POST")) == (1, 0)
        assert server.hooks[server_source.place] == [hook]
        assert hook["configuration"] == {"secret": SECRET}
        assert hook["events"] == [PUSH, "pr:opened"]


async def test_every_repository_of_a_project_has_its_hook_also_those_that_come_later() -> None:
    clock = VirtualClock()
    async with server_source.provider() as server:
        options: dict[str, Any] = {"projects": ["ACME"], "checkInterval": "10m"}
        async with server_source.registering(server, clock, **options):
            await until(lambda: all(server.hooks.values()), clock)
            server.hooks[server.place("new")] = []
            await until(lambda: bool(server.hooks[server.place("new")]), clock, 5)

        assert clock.monotonic() > 600
        assert server.count("POST") == 3


async def test_a_project_that_is_not_there_is_an_error() -> None:
    async with server_source.provider() as server:
        options: dict[str, Any] = {"repositories": [], "projects": ["GONE"]}
        async with server_source.registering(server, VirtualClock(), **options) as endpoint:
            await until(lambda: endpoint.service.status.error is not None)

    assert "404: Project GONE does not exist." in (endpoint.service.status.error or "")


@pytest.mark.parametrize("key", ["gone", "empty"])
async def test_a_secret_that_is_missing_or_empty_lets_nobody_in(key: str) -> None:
    secrets = {**server_source.secrets(), "bitbucket/empty": ""}
    reference = {"webhookSecret": {"name": "bitbucket", "key": key}}
    async with server_source.running(secrets=secrets, options=reference, ready=False) as endpoint:
        answer = await endpoint.send(server_source.request(1))

    assert (answer.status, answer.body) == (500, "Error loading webhook secret")
    assert endpoint.bus.published == []
    assert (endpoint.service.status.error or "").startswith("`webhookSecret`: ")


async def test_the_deprecated_pair_is_a_repository() -> None:
    async with server_source.provider() as server:
        pair: dict[str, Any] = {"repositories": [], "projectKey": "ACME", "repositorySlug": "lib"}
        async with server_source.registering(server, **pair):
            await until(lambda: any(server.hooks.values()))

        assert [place for place, hooks in server.hooks.items() if hooks] == [server.place("lib")]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"bitbucketserverBaseURL": ""}, "`bitbucketserverBaseURL` is missing"),
        ({"events": []}, "`events` is missing"),
        ({**SKIP, "accessToken": None}, "needs `accessToken`"),
        ({"checkInterval": "-1s"}, "must be positive"),
        ({"tls": {"clientCertSecret": SECRET_REF}}, "must come together"),
        ({"tls": {}}, "`tls` says nothing"),
    ],
)
def test_what_argo_events_refuses_or_breaks_on_is_refused(
    options: dict[str, Any], text: str
) -> None:
    block = server_source.full_block(12000, url=ELSEWHERE) | options
    (problem,) = make_source("bitbucketserver", block).check()

    assert text in problem


@pytest.mark.parametrize(
    ("options", "flaws", "doubts"),
    [
        (NO_SCHEME, [NO_URL], []),
        ({**NO_SCHEME, **SKIP, "repositories": []}, [NO_URL], []),
        ({**NO_SCHEME, "accessToken": None}, [], [NO_URL]),
        (
            {"tls": {}, "accessToken": None},
            [],
            ["`tls` says nothing; `enabled: true` trusts the roots of the system"],
        ),
        (
            {"tls": {"enabled": True, "clientKeySecret": SECRET_REF}},
            [],
            ["`tls`: `clientCertSecret` and `clientKeySecret` must come together"],
        ),
        (
            {"repositories": [{"projectKey": "ACME"}]},
            ["`repositories`: each needs `projectKey` and `repositorySlug`"],
            [],
        ),
        ({}, [], []),
    ],
)
def test_what_keeps_the_server_from_being_asked_is_pointed_out_and_not_refused(
    options: dict[str, Any], flaws: list[str], doubts: list[str]
) -> None:
    block = server_source.full_block(12000, url=ELSEWHERE) | options
    source = make_source("bitbucketserver", block)

    assert source.check() == []
    assert (source.config.flaws(), source.config.doubts()) == (flaws, doubts)


def test_an_interval_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="checkInterval"):
        make_source("bitbucketserver", server_source.full_block(12000) | {"checkInterval": "soon"})
