"""The gerrit source, and a server that answers as Gerrit's webhooks plugin does."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.integration.sources._hooks import ELSEWHERE, HookContract, until
from tests.integration.sources._providers import gerrit as provider
from tests.integration.sources._providers._server import Provider
from tiphys.testing.clock import VirtualClock
from tiphys.testing.push_sources import ENDPOINT, Sent
from tiphys.testing.sources import data_of, make_source

AUTH = {
    "username": {"name": "gerrit", "key": "user"},
    "password": {"name": "gerrit", "key": "password"},
}
JSON = {"Content-Type": "application/json"}
LIB = "config/server/webhooks~projects/team%2Flib"
EVENT = {
    "type": "patchset-created",
    "change": {"project": "app", "branch": "master", "number": 7},
    "patchSet": {"number": 1, "revision": "5b3e0ba"},
    "uploader": {"name": "Ann"},
    "eventCreatedOn": 1606374000,
}


class TestGerrit(HookContract):
    key = "gerrit"
    place = "config/server/webhooks~projects/app"
    creates = "PUT"

    def block(self) -> dict[str, Any]:
        return {
            "hookName": "argo",
            "projects": ["app"],
            "events": ["patchset-created", "ref-updated"],
            "auth": AUTH,
            "gerritBaseURL": "https://gerrit.example.com",
        }

    def request(self, n: int) -> Sent:
        return Sent(b'{"n": %d}' % n, JSON)

    def number(self, data: dict[str, Any]) -> int:
        return int(data["body"]["n"])

    def secrets(self) -> dict[str, str]:
        return {"gerrit/user": provider.USER, "gerrit/password": provider.PASSWORD}

    def provider(self) -> provider.Gerrit:
        return provider.Gerrit()

    def managed(self, provider: Provider) -> dict[str, Any]:
        return {"gerritBaseURL": f"{provider.url}/"}

    def add_others(self, provider: Provider, count: int) -> None:
        assert isinstance(provider, type(self.provider()))
        for n in range(count):
            provider.add(self.place, f"other-{n}", f"https://example.com/{n}")


gerrit = TestGerrit()


async def test_headers_and_body_are_the_payload_and_the_id_is_that_of_the_body() -> None:
    other = {**EVENT, "patchSet": {"number": 2, "revision": "77c1a9e"}}
    async with gerrit.running(options={"metadata": {"team": "a"}}) as endpoint:
        bodies = [json.dumps(each).encode() for each in (EVENT, EVENT, other)]
        answers = [await endpoint.send(Sent(body, JSON)) for body in bodies]

    data = data_of(endpoint.bus.published[0])
    ids = [answer.headers["X-Event-Id"] for answer in answers]
    assert list(data) == ["headers", "body", "metadata"]
    assert data["body"] == EVENT
    assert data["headers"]["Content-Type"] == ["application/json"]
    assert ids[0] == ids[1] != ids[2]
    assert all(id.startswith("es:ev:1606374000:") for id in ids)


@pytest.mark.parametrize("body", [b'{"eventCreatedOn": "x"}', b"[]", b'{"a": 1e999}'])
async def test_a_body_without_a_moment_has_an_id_all_the_same(body: bytes) -> None:
    async with gerrit.running() as endpoint:
        answers = [await endpoint.send(Sent(body, JSON)) for _ in range(2)]

    assert {answer.status for answer in answers} == {200}
    assert len({answer.headers["X-Event-Id"] for answer in answers}) == 1


async def test_a_body_that_is_not_json_is_refused_and_a_failure() -> None:
    async with gerrit.running() as endpoint:
        answer = await endpoint.send(Sent(b"{", JSON))

    assert (answer.status, answer.body) == (400, "invalid event")
    assert endpoint.value("events_processing_failed_total") == 1


async def test_a_remote_is_made_as_argo_events_makes_it() -> None:
    async with gerrit.provider() as server:
        async with gerrit.registering(server, url=ELSEWHERE):
            await until(lambda: bool(server.hooks[gerrit.place]))

        (call,) = [call for call in server.calls if call.method == "PUT"]
        pair = base64.b64encode(f"{provider.USER}:{provider.PASSWORD}".encode()).decode()
        assert call.path == "/a/config/server/webhooks~projects/app/remotes/argo/"
        assert call.headers["Authorization"] == f"Basic {pair}"
        assert call.body == {
            "url": ELSEWHERE + ENDPOINT,
            "events": ["patchset-created", "ref-updated"],
        }


async def test_options_and_names_with_a_slash_reach_gerrit() -> None:
    options: dict[str, Any] = {
        "maxTries": 5,
        "sslVerify": True,
        "projects": ["team/lib"],
        "hookName": "a/b c",
    }
    async with gerrit.provider() as server:
        async with gerrit.registering(server, **options):
            await until(lambda: bool(server.hooks[LIB]))

        (call,) = [call for call in server.calls if call.method == "PUT"]
        assert call.path == f"/a/{LIB}/remotes/a%2Fb%20c/"
        assert (call.body["maxTries"], call.body["sslVerify"]) == (5, True)


@pytest.mark.parametrize(
    "settings",
    [
        {"url": "https://example.com/old", "events": ["patchset-created", "ref-updated"]},
        {"url": ELSEWHERE + ENDPOINT, "events": ["ref-updated"]},
        {"url": ELSEWHERE + ENDPOINT},
    ],
)
async def test_a_remote_of_our_name_with_other_settings_is_written_over(
    settings: dict[str, Any],
) -> None:
    clock = VirtualClock()
    async with gerrit.provider() as server:
        server.add(gerrit.place, "argo", **settings)
        async with gerrit.registering(server, clock, url=ELSEWHERE):
            await until(lambda: server.count("GET") > 2, clock)

        assert server.count("PUT") == 1
        (remote,) = server.hooks[gerrit.place]
        assert remote["url"] == ELSEWHERE + ENDPOINT
        assert remote["events"] == ["patchset-created", "ref-updated"]


async def test_a_remote_of_another_name_is_left_alone() -> None:
    async with gerrit.provider() as server:
        server.add(gerrit.place, "theirs", ELSEWHERE + ENDPOINT, events=["ref-updated"])
        async with gerrit.registering(server, url=ELSEWHERE):
            await until(lambda: len(server.hooks[gerrit.place]) == 2)

        assert server.hooks[gerrit.place][0]["events"] == ["ref-updated"]


async def test_a_user_without_a_password_is_an_error_beside_an_endpoint_that_answers() -> None:
    async with gerrit.provider() as server:
        options: dict[str, Any] = {"auth": {"username": AUTH["username"]}}
        async with gerrit.registering(server, VirtualClock(), **options) as endpoint:
            await until(lambda: endpoint.service.status.error is not None)
            assert (await endpoint.send(gerrit.request(1))).status == 200

    assert endpoint.service.status.error == "`auth` must have `username` and `password`"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"projects": []}, "`projects` is missing"),
        ({"events": None}, "`events` is missing"),
        ({"gerritBaseURL": ""}, "`gerritBaseURL` is missing"),
        ({"auth": None}, "`auth` is missing"),
        ({"hookName": ""}, "`hookName` is missing"),
    ],
)
def test_what_argo_events_refuses_is_refused(options: dict[str, Any], text: str) -> None:
    block = gerrit.full_block(12000, url=ELSEWHERE) | options
    (problem,) = make_source("gerrit", block).check()

    assert text in problem


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"gerritBaseURL": "gerrit:8080"}, "`gerritBaseURL` must be a URL with its scheme"),
        ({"auth": {"username": AUTH["username"]}}, "`auth.password` is missing"),
    ],
)
def test_a_server_that_cannot_be_asked_is_pointed_out_and_not_refused(
    options: dict[str, Any], text: str
) -> None:
    managed = make_source("gerrit", gerrit.full_block(12000, url=ELSEWHERE) | options)
    listening = make_source("gerrit", gerrit.full_block(12000) | options)

    assert managed.check() == listening.check() == []
    assert managed.config.doubts() == listening.config.flaws() == []
    (flaw,), (doubt,) = managed.config.flaws(), listening.config.doubts()
    assert flaw == doubt
    assert flaw.startswith(text)


def test_without_registration_a_remote_needs_no_name() -> None:
    assert make_source("gerrit", gerrit.full_block(12000) | {"hookName": ""}).check() == []
