"""The gitlab source, and a server that answers as GitLab's API does."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.integration.sources._hooks import ELSEWHERE, HookContract, until
from tests.integration.sources._providers import gitlab as provider
from tests.integration.sources._providers._server import Provider
from tiphys.testing.clock import VirtualClock
from tiphys.testing.push_sources import ENDPOINT, Sent
from tiphys.testing.sources import data_of, make_source

SECRET = "a-token-that-gitlab-sends"
ACCESS = {"name": "gitlab", "key": "access"}
SECRET_REF = {"name": "gitlab", "key": "secret"}
UUID = "13792a34-cac6-4fda-95a8-c58e00a3954e"
PUSH = b"""{
  "object_kind": "push", "event_name": "push", "ref": "refs/heads/master",
  "before": "95790bf891e76fee5e1747ab589903a6a1f80f22",
  "after": "da1560886d4f094c3e6c9ef40349f7d38b5d27d7", "project_id": 15,
  "project": {"id": 15, "path_with_namespace": "mike/diaspora"}, "total_commits_count": 4.50
}"""


def sent(body: bytes = PUSH, **headers: str) -> Sent:
    """A delivery with its token."""
    known = {
        "Content-Type": "application/json",
        "X-Gitlab-Event": "Push Hook",
        "X-Gitlab-Event-UUID": UUID,
        "X-Gitlab-Token": SECRET,
    }
    return Sent(body, known | {name.replace("_", "-"): value for name, value in headers.items()})


class TestGitLab(HookContract):
    key = "gitlab"
    place = "projects/acme%2Fapp"

    def block(self) -> dict[str, Any]:
        return {
            "projects": ["acme/app"],
            "events": ["PushEvents", "MergeRequestsEvents"],
            "gitlabBaseURL": "https://gitlab.example.com",
            "accessToken": ACCESS,
            "secretToken": SECRET_REF,
        }

    def request(self, n: int) -> Sent:
        return sent(b'{"n": %d}' % n)

    def number(self, data: dict[str, Any]) -> int:
        return int(data["body"]["n"])

    def secrets(self) -> dict[str, str]:
        return {"gitlab/access": provider.TOKEN, "gitlab/secret": SECRET, "gitlab/empty": ""}

    def provider(self) -> provider.GitLab:
        return provider.GitLab()

    def managed(self, provider: Provider) -> dict[str, Any]:
        return {"gitlabBaseURL": provider.url}

    def add_others(self, provider: Provider, count: int) -> None:
        assert isinstance(provider, type(self.provider()))
        for n in range(count):
            provider.add(self.place, f"https://example.com/{n}")


gitlab = TestGitLab()


async def test_headers_without_the_token_and_the_text_of_the_body_are_the_payload() -> None:
    async with gitlab.running(options={"metadata": {"team": "a"}}) as endpoint:
        answer = await endpoint.send(sent())

    (event,) = endpoint.bus.published
    data = data_of(event)
    assert (answer.status, answer.body) == (200, "success")
    assert list(data) == ["headers", "body", "metadata"]
    assert data["headers"]["X-Gitlab-Event"] == ["Push Hook"]
    assert data["headers"]["X-Gitlab-Event-Uuid"] == [UUID]
    assert data["body"]["project"] == {"id": 15, "path_with_namespace": "mike/diaspora"}
    assert data["headers"]["X-Gitlab-Token"] == ["*** Masked Auth Secret ***"]
    assert b'"total_commits_count":4.50}' in (event.data or b"")
    assert SECRET.encode() not in (event.data or b"")
    assert data["metadata"] == {"team": "a"}


async def test_an_event_uuid_that_several_deliveries_share_loses_none_of_them() -> None:
    async with gitlab.running() as endpoint:
        push = await endpoint.send(sent(b'{"object_kind": "push"}'))
        again = await endpoint.send(sent(b'{"object_kind": "push"}'))
        pipeline = await endpoint.send(sent(b'{"object_kind": "pipeline"}'))

    id = push.headers["X-Event-Id"]
    assert id.startswith(f"es:ev:{UUID}:")
    assert again.headers["X-Event-Id"] == id != pipeline.headers["X-Event-Id"]


async def test_the_idempotency_key_is_the_identity_where_there_is_one() -> None:
    async with gitlab.running() as endpoint:
        answer = await endpoint.send(sent(Idempotency_Key="f5e57ec3"))
        without = await endpoint.send(sent(X_Gitlab_Event_UUID=""))

    assert answer.headers["X-Event-Id"] == "es:ev:f5e57ec3"
    assert len(without.headers["X-Event-Id"]) == 32


@pytest.mark.parametrize("url", [ELSEWHERE, ""])
@pytest.mark.parametrize("token", ["wrong", "", SECRET + "x", SECRET[:-1], "gehe\u00efm"])
async def test_the_token_is_demanded_whether_or_not_hooks_are_registered(
    url: str, token: str
) -> None:
    with capture_logs() as lines:
        async with gitlab.running(url=url, options={"gitlabBaseURL": ELSEWHERE}) as endpoint:
            answer = await endpoint.send(sent(X_Gitlab_Token=token))

    assert (answer.status, answer.body) == (400, "token mismatch")
    assert endpoint.bus.published == []
    assert endpoint.value("events_processing_failed_total") == 0
    assert endpoint.value("http_requests_refused_total", reason="token") == 1
    assert [line["reason"] for line in lines if line["event"] == "A request was refused"] == [
        "token"
    ]
    assert SECRET not in repr(lines)


async def test_an_empty_token_lets_nobody_in() -> None:
    empty = {"secretToken": {"name": "gitlab", "key": "empty"}}
    async with gitlab.running(options=empty, ready=False) as endpoint:
        answer = await endpoint.send(sent(X_Gitlab_Token=""))

    assert (answer.status, endpoint.bus.published) == (500, [])


async def test_without_a_secret_token_none_is_demanded() -> None:
    async with gitlab.running(options={"secretToken": None}) as endpoint:
        assert (await endpoint.send(sent(X_Gitlab_Token="any"))).status == 200


@pytest.mark.parametrize("body", [b"", b"{", b"{} {}", b"push"])
async def test_a_body_that_is_not_json_is_refused_and_a_failure(body: bytes) -> None:
    async with gitlab.running() as endpoint:
        answer = await endpoint.send(sent(body))

    assert (answer.status, answer.body) == (400, "invalid event")
    assert endpoint.value("events_processing_failed_total") == 1


async def test_a_project_hook_is_made_as_the_manifest_says() -> None:
    events = ["TagPushEvents", "WikiPageEvents", "ReleasesEvents"]
    async with gitlab.provider() as server:
        options: dict[str, Any] = {"events": events, "enableSSLVerification": True}
        async with gitlab.registering(server, url=ELSEWHERE, **options):
            await until(lambda: bool(server.hooks[gitlab.place]))

        (call,) = [call for call in server.calls if call.method == "POST"]
        assert call.path == "/api/v4/projects/acme%2Fapp/hooks"
        assert call.headers["PRIVATE-TOKEN"] == provider.TOKEN
        assert call.body == {
            "url": ELSEWHERE + ENDPOINT,
            "enable_ssl_verification": True,
            "token": SECRET,
            "push_events": False,
            "tag_push_events": True,
            "issues_events": False,
            "confidential_issues_events": False,
            "merge_requests_events": False,
            "note_events": False,
            "confidential_note_events": False,
            "job_events": False,
            "pipeline_events": False,
            "wiki_page_events": True,
            "emoji_events": False,
            "releases_events": True,
        }


async def test_a_group_hook_has_only_the_flags_that_groups_have() -> None:
    async with gitlab.provider() as server:
        options: dict[str, Any] = {
            "projects": [],
            "groups": ["acme"],
            "events": ["PushEvents", "ReleasesEvents"],
            "secretToken": None,
            "gitlabBaseURL": server.url + "/api/v4/",
        }
        async with gitlab.registering(server, **options):
            await until(lambda: bool(server.hooks["groups/acme"]))

        (call,) = [call for call in server.calls if call.method == "POST"]
        assert call.path == "/api/v4/groups/acme/hooks"
        assert call.body["push_events"] is True
        assert not {"releases_events", "token"} & call.body.keys()
        assert len(call.body) == 13


async def test_groups_come_before_projects_and_each_has_its_hook() -> None:
    clock = VirtualClock()
    async with gitlab.provider() as server:
        options: dict[str, Any] = {"groups": ["acme"], "projects": ["acme/app", "12"]}
        async with gitlab.registering(server, clock, **options):
            await until(lambda: all(server.hooks.values()), clock)

        paths = [call.path.split("/")[3] for call in server.calls if call.method == "POST"]
        assert paths == ["groups", "projects", "projects"]


async def test_the_deprecated_project_counts_when_there_are_no_others() -> None:
    async with gitlab.provider() as server:
        async with gitlab.registering(server, projects=[], projectID="12"):
            await until(lambda: any(server.hooks.values()))

        assert [place for place, hooks in server.hooks.items() if hooks] == ["projects/12"]


async def test_a_hook_with_our_address_is_not_changed_but_what_it_lacks_is_told() -> None:
    async with gitlab.provider() as server:
        server.add(gitlab.place, ELSEWHERE + ENDPOINT, push_events=False)
        before = [dict(hook) for hook in server.hooks[gitlab.place]]
        with capture_logs() as lines:
            async with gitlab.registering(server, url=ELSEWHERE):
                await until(lambda: "does not deliver" in repr(lines))

        assert server.hooks[gitlab.place] == before
        assert server.count("POST") == server.count("PUT") == 0
    told = [line for line in lines if "does not deliver" in line["event"]]
    assert told[0]["event"].endswith("push_events, merge_requests_events")
    assert told[0]["log_level"] == "warning"


async def test_without_projects_and_groups_nothing_is_registered_and_the_token_counts() -> None:
    async with gitlab.provider() as server:
        async with gitlab.registering(server, projects=[]) as endpoint:
            answer = await endpoint.send(sent(X_Gitlab_Token="wrong"))

        assert (answer.status, server.calls) == (400, [])


async def test_an_address_that_gitlab_does_not_accept_is_an_error_with_its_words() -> None:
    async with (
        gitlab.provider() as server,
        gitlab.registering(server, VirtualClock(), url="ftp://example.com") as endpoint,
    ):
        await until(lambda: endpoint.service.status.error is not None)

    assert "422: is blocked: Only allowed schemes are http" in (endpoint.service.status.error or "")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"events": None}, "`events` is missing"),
        ({"gitlabBaseURL": ""}, "`gitlabBaseURL` is missing"),
        ({"accessToken": None}, "`accessToken` is missing"),
        ({"events": ["push_events"]}, "GitLab has no 'push_events'; there are PushEvents, Tag"),
        ({"events": ["PushEventsBranchFilter"]}, "GitLab has no 'PushEventsBranchFilter'"),
    ],
)
def test_what_argo_events_refuses_or_breaks_on_is_refused(
    options: dict[str, Any], text: str
) -> None:
    (problem,) = make_source("gitlab", gitlab.full_block(12000) | options).check()

    assert text in problem


def test_a_server_that_cannot_be_asked_is_pointed_out_and_not_refused() -> None:
    block = {**gitlab.full_block(12000, url=ELSEWHERE), "gitlabBaseURL": "gitlab.com"}
    managed = make_source("gitlab", {**block, "projects": ["a/b"]})
    listening = make_source("gitlab", {**block, "webhook": gitlab.full_block(1)["webhook"]})
    text = "`gitlabBaseURL` must be a URL with its scheme, such as https://example.com"

    assert managed.check() == listening.check() == []
    assert (managed.config.flaws(), managed.config.doubts()) == ([f"{text}, not 'gitlab.com'"], [])
    assert (listening.config.flaws(), listening.config.doubts()) == (
        [],
        [f"{text}, not 'gitlab.com'"],
    )


def test_an_empty_list_of_events_is_accepted() -> None:
    assert make_source("gitlab", gitlab.full_block(12000) | {"events": []}).check() == []
