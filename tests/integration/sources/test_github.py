"""The github source: what becomes of GitHub's deliveries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from structlog.testing import capture_logs

from tests.integration.sources._github import (
    DELIVERY,
    FORM,
    JSON,
    REF,
    SECRET,
    GitHubSource,
    sent,
    signature,
)
from tiphys.testing.push_sources import Answer, Sent
from tiphys.testing.sources import data_of, make_source

DATA = Path(__file__).parents[2] / "data/github"
DELIVERIES = {path.stem: path.read_bytes() for path in sorted(DATA.glob("*.json"))}


class TestGitHub(GitHubSource):
    pass


github = TestGitHub()


async def payload(delivery: Sent, **options: Any) -> dict[str, Any]:
    """The payload of the event that comes of a delivery."""
    async with github.running(options=options) as endpoint:
        answer = await endpoint.send(delivery)
        assert (answer.status, answer.body) == (200, "success")
    (event,) = endpoint.bus.published
    return data_of(event)


async def refusal(
    delivery: Sent, *, ready: bool = True, **options: Any
) -> tuple[Answer, float, list[Any]]:
    """Answer, refusals counted, and log lines of a delivery that is no event."""
    with capture_logs() as lines:
        async with github.running(options=options, ready=ready) as endpoint:
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
        ("757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17", "not JSON"),
        ("757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e18", "signature check"),
    ],
)
async def test_the_published_example_passes_and_a_forged_one_does_not(
    given: str, text: str
) -> None:
    delivery = sent(b"Hello, World!", X_Hub_Signature_256=f"sha256={given}")
    answer, _, _ = await refusal(delivery)

    assert answer.status == 400
    assert text in answer.body


@pytest.mark.parametrize("name", DELIVERIES)
async def test_a_real_delivery_becomes_an_event_member_for_member(name: str) -> None:
    event = name.rpartition("-")[0]
    body = DELIVERIES[name]
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


@pytest.mark.parametrize("name", DELIVERIES)
async def test_a_form_delivery_is_the_same_event(name: str) -> None:
    text = DELIVERIES[name]
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
    body = b"{}"
    delivery = sent(body, X_Hub_Signature_256=signature(body, secret=""))
    reference = {"name": "github", "key": key}
    answer, counted, (line,) = await refusal(delivery, ready=False, webhookSecret=reference)

    assert (answer.status, answer.body, counted) == (500, "Error loading webhook secret", 1)
    assert f"github/{key}" in line["error"]


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


NO_URL = (
    "`githubBaseURL` must be a URL with its scheme, such as https://example.com, not 'host/api'"
)
HOST = {"githubBaseURL": "host/api", "githubUploadURL": "host/api"}


@pytest.mark.parametrize(
    ("options", "flaws", "doubts"),
    [
        ({"apiToken": REF}, [], []),
        ({"apiToken": REF, **HOST}, [NO_URL], []),
        (HOST, [], [NO_URL]),
        (
            {"apiToken": REF, "repositories": [{"owner": "acme"}]},
            ["`repositories`: 'acme' has no `names`, so no hook is made there"],
            [],
        ),
        (
            {"apiToken": REF, "repositories": [{"names": ["app"]}]},
            ["`repositories`: each needs `owner`, and names that are not empty"],
            [],
        ),
        ({"repositories": [{"owner": "acme"}]}, [], []),
        (
            {"githubApp": {"privateKey": REF}},
            ["`githubApp` needs `appID` and `installationID`"],
            [],
        ),
        ({"githubApp": {"privateKey": REF, "appID": 1, "installationID": 2}}, [], []),
    ],
)
def test_hooks_that_cannot_be_made_are_pointed_out_and_not_refused(
    options: dict[str, Any], flaws: list[str], doubts: list[str]
) -> None:
    source = make_source("github", github.full_block(12000, url="https://example.com") | options)

    assert source.check() == []
    assert (source.config.flaws(), source.config.doubts()) == (flaws, doubts)


def test_a_content_type_that_github_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match=r"contentType"):
        make_source("github", github.full_block(12000) | {"contentType": "xml"})
