"""The github source: its hooks, and how it acts as a GitHub App."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.integration.sources._github import KEY_REF, SECRET, GitHubSource
from tests.integration.sources._hooks import ELSEWHERE, until
from tests.integration.sources._providers import github as provider
from tiphys.errors import MissingExtraError
from tiphys.testing.clock import VirtualClock
from tiphys.testing.push_sources import ENDPOINT
from tiphys.testing.sources import data_of

github = GitHubSource()


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
        options: dict[str, Any] = {"contentType": "", "active": False, "webhookSecret": None}
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
        pair: dict[str, Any] = {"repositories": [], "owner": "acme", "repository": "lib"}
        async with github.registering(server, VirtualClock(), **pair):
            await until(lambda: any(server.hooks.values()))

        assert [place for place, hooks in server.hooks.items() if hooks] == ["repos/acme/lib"]


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


async def test_a_hook_that_github_does_not_allow_beside_another_is_an_error_with_its_words() -> (
    None
):
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
        async with github.registering(server, clock) as endpoint:
            await until(lambda: endpoint.service.status.error is not None)
            await until(lambda: clock.monotonic() > 880, clock, 10)
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
        source = GitHubSource()
        source.private_key = server.private_key
        numbers = {"appID": provider.APP, "installationID": provider.INSTALLATION}
        app: dict[str, Any] = {"apiToken": None, "githubApp": {"privateKey": KEY_REF, **numbers}}
        async with source.registering(server, clock, **app):
            await until(lambda: bool(server.hooks[source.place]), clock)

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
        source = GitHubSource()
        source.private_key = key
        app = {"privateKey": KEY_REF, "appID": 1, "installationID": 1}
        options: dict[str, Any] = {"apiToken": None, "githubApp": app}
        async with source.registering(server, VirtualClock(), **options) as endpoint:
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


async def test_an_owner_without_repositories_is_in_the_status_of_an_endpoint_that_answers() -> None:
    async with github.provider() as server:
        options: dict[str, Any] = {"repositories": [{"owner": "acme"}]}
        async with github.registering(server, VirtualClock(), **options) as endpoint:
            await until(lambda: endpoint.service.status.error is not None)
            assert endpoint.service.status.ready
            assert (await endpoint.send(github.request(1))).status == 200

    assert endpoint.service.status.error == "`repositories` has no `names`, so no hook is made"
