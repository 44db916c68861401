"""Manifests from files, ConfigMaps, web servers and buckets."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.integration._certificates import Pair
from tiphys.aio import SystemClock
from tiphys.errors import TriggerError
from tiphys.testing.sources import FixedSecrets
from tiphys.triggers import Egress, TriggerContext
from tiphys.triggers.artifacts import ArtifactLocation, _limits, location_problems, read_manifest

MANIFEST = "kind: ConfigMap\nmetadata:\n  name: cm\ndata: {'on': yes, count: 9007199254740993}\n"
OBJECT = {
    "kind": "ConfigMap",
    "metadata": {"name": "cm"},
    "data": {"on": True, "count": 9007199254740993},
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Impatient(SystemClock):
    """Does not sleep, and counts how often it should have."""

    def __init__(self) -> None:
        self.sleeps: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)


@pytest.fixture
def secrets() -> FixedSecrets:
    return FixedSecrets()


@pytest.fixture
async def ctx(secrets: FixedSecrets) -> AsyncIterator[TriggerContext]:
    async with AsyncExitStack() as stack:
        yield TriggerContext(
            namespace="ns",
            sensor="sn",
            trigger="tr",
            secret=secrets.secret,
            config_map=secrets.config_map,
            tls=secrets.tls,
            stack=stack,
            clock=Impatient(),
        )


def pauses(ctx: TriggerContext) -> int:
    assert isinstance(ctx.clock, Impatient)
    return len(ctx.clock.sleeps)


@contextlib.asynccontextmanager
async def serving(handler: Handler, ssl_context: Any = None) -> AsyncIterator[str]:
    """A server that answers with *handler*; its host and port."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=ssl_context).start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def answering(*answers: tuple[int, str]) -> tuple[Handler, list[web.Request]]:
    """Gives one answer after the other, the last one for ever."""
    requests: list[web.Request] = []

    async def handle(request: web.Request) -> web.Response:
        requests.append(request)
        status, text = answers[min(len(requests), len(answers)) - 1]
        return web.Response(status=status, text=text)

    return handle, requests


async def read(ctx: TriggerContext, **location: Any) -> Any:
    """The manifest at a location."""
    return json.loads(await read_manifest(ArtifactLocation.model_validate(location), ctx))


async def test_the_manifest_is_in_the_sensor(ctx: TriggerContext) -> None:
    assert await read(ctx, resource=OBJECT) == OBJECT
    assert await read(ctx, inline=MANIFEST) == OBJECT
    assert await read(ctx, inline=json.dumps(OBJECT)) == OBJECT


async def test_the_first_kind_of_place_in_the_given_order_counts(ctx: TriggerContext) -> None:
    assert await read(ctx, resource={"kind": "Other"}, inline=MANIFEST) == OBJECT


async def test_the_first_document_of_several_counts(ctx: TriggerContext) -> None:
    assert await read(ctx, inline=f"---\n{MANIFEST}---\nkind: Other\n") == OBJECT


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n- b\n", "the manifest of source.inline is not a mapping"),
        ("# nothing\n", "the manifest of source.inline is not a mapping"),
        ("kind: x\n  a: b\n", r"the manifest of source.inline, line 2: "),
        ("kind: a\nkind: b\n", "line 2: duplicate key `kind`"),
    ],
)
async def test_what_is_no_manifest_is_an_error(
    ctx: TriggerContext, text: str, message: str
) -> None:
    with pytest.raises(TriggerError, match=message) as caught:
        await read(ctx, inline=text)

    assert not caught.value.retryable


async def test_a_file_is_read_each_time(ctx: TriggerContext, tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text("kind: Old")
    before = await read(ctx, file={"path": str(path)})
    path.write_text(MANIFEST)

    assert (before, await read(ctx, file={"path": str(path)})) == ({"kind": "Old"}, OBJECT)


async def test_a_file_that_is_missing_or_too_large_is_an_error(
    ctx: TriggerContext, tmp_path: Path
) -> None:
    large = tmp_path / "large"
    large.write_bytes(b"#" * (_limits.MAX_BYTES + 1))

    with pytest.raises(TriggerError, match="No such file"):
        await read(ctx, file={"path": str(tmp_path / "missing")})
    with pytest.raises(TriggerError, match=f"has more than {_limits.MAX_BYTES} bytes"):
        await read(ctx, file={"path": str(large)})


async def test_a_config_map_holds_the_manifest(ctx: TriggerContext, secrets: FixedSecrets) -> None:
    secrets.values["manifests/job"] = MANIFEST

    assert await read(ctx, configmap={"name": "manifests", "key": "job"}) == OBJECT
    with pytest.raises(TriggerError, match="failed to retrieve the manifest"):
        await read(ctx, configmap={"name": "manifests", "key": "other"})


async def test_an_address_is_read_and_redirects_are_followed(ctx: TriggerContext) -> None:
    async def handle(request: web.Request) -> web.Response:
        if request.path == "/old":
            raise web.HTTPFound("/new")
        return web.Response(text=MANIFEST)

    async with serving(handle) as host:
        assert await read(ctx, url={"path": f"http://{host}/old"}) == OBJECT


async def test_a_server_that_fails_is_asked_up_to_five_times(ctx: TriggerContext) -> None:
    flaky, _ = answering((503, ""), (503, ""), (200, MANIFEST))
    broken, requests = answering((500, "no"))

    async with serving(flaky) as host:
        assert await read(ctx, url={"path": f"http://{host}/"}) == OBJECT
    async with serving(broken) as host:
        with pytest.raises(TriggerError, match="answers with status 500"):
            await read(ctx, url={"path": f"http://{host}/"})

    assert (len(requests), pauses(ctx)) == (5, 2 + 4)


async def test_a_refusal_is_not_asked_for_again_and_the_password_not_shown(
    ctx: TriggerContext,
) -> None:
    handler, requests = answering((404, ""))

    async with serving(handler) as host:
        with pytest.raises(TriggerError, match="answers with status 404") as caught:
            await read(ctx, url={"path": f"http://user:s3cret@{host}/x?token=s3cret"})

    assert len(requests) == 1
    assert not caught.value.retryable
    assert "s3cret" not in str(caught.value)


async def test_a_body_without_end_is_not_read_to_it(ctx: TriggerContext) -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(b"#" * 65536)
        return response

    async with serving(handle) as host:
        with pytest.raises(TriggerError, match=f"has more than {_limits.MAX_BYTES} bytes"):
            await read(ctx, url={"path": f"http://{host}/"})


@pytest.mark.parametrize(
    "address", ["ftp://host/x", "no address", "http://[::1", "file:///etc/passwd"]
)
async def test_what_is_no_web_address_is_refused(ctx: TriggerContext, address: str) -> None:
    with pytest.raises(TriggerError, match="is no address"):
        await read(ctx, url={"path": address})


async def test_a_certificate_must_be_trusted_unless_the_manifest_says_otherwise(
    ctx: TriggerContext, server_certificate: Pair
) -> None:
    import ssl

    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*server_certificate)
    handler, _ = answering((200, MANIFEST))
    async with serving(handler, tls) as host:
        with pytest.raises(TriggerError, match="certificate verify failed"):
            await read(ctx, url={"path": f"https://{host}/"})

        assert await read(ctx, url={"path": f"https://{host}/", "verifyCert": False}) == OBJECT


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_no_network_is_reached_that_actions_may_not_reach(
    ctx: TriggerContext, secrets: FixedSecrets, host: str
) -> None:
    secrets.values |= {"s3/access": "AKID", "s3/secret": "x"}
    ctx.egress = Egress.parse([], ["private"])
    handler, requests = answering((200, MANIFEST))
    async with serving(handler) as address:
        place = address.replace("127.0.0.1", host)
        repository = {"url": f"http://{place}/x.git", "filePath": "f"}
        for location in (
            {"url": {"path": f"http://{place}/"}}, {"s3": bucket(place)}, {"git": repository},
        ):  # fmt: skip
            with pytest.raises(TriggerError, match="that actions may not reach"):
                await read(ctx, **location)

    assert requests == []


async def test_a_redirect_does_not_lead_where_actions_may_not_reach(ctx: TriggerContext) -> None:
    handler, requests = answering((200, MANIFEST))
    async with serving(handler) as inner:

        async def redirect(_request: web.Request) -> web.Response:
            raise web.HTTPFound(f"http://{inner.replace('127.0.0.1', '127.0.0.2')}/")

        async with serving(redirect) as outer:
            ctx.egress = Egress.parse(["127.0.0.1"], ["private"])
            with pytest.raises(
                TriggerError, match=r"127\.0\.0\.2 is an address that actions may not"
            ):
                await read(ctx, url={"path": f"http://{outer}/"})

    assert requests == []


async def test_redirects_in_a_circle_end(ctx: TriggerContext) -> None:
    async def redirect(_request: web.Request) -> web.Response:
        raise web.HTTPFound("/again")

    async with serving(redirect) as host:
        with pytest.raises(TriggerError, match="redirects too often"):
            await read(ctx, url={"path": f"http://{host}/"})


class Bucket:
    """A service that checks signatures with the vendor's own code; it serves any key."""

    def __init__(self, region: str, content: str = MANIFEST) -> None:
        self.region = region
        self.content = content
        self.paths: list[str] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.paths.append(request.raw_path)
        headers = {"x-amz-bucket-region": self.region}
        given = request.headers["Authorization"]
        if f"/{self.region}/s3/" not in given:
            return web.Response(status=400, text="AuthorizationHeaderMalformed", headers=headers)
        if given != self._signed(request):
            return web.Response(status=403, text="SignatureDoesNotMatch", headers=headers)
        return web.Response(text=self.content)

    def _signed(self, request: web.Request) -> str:
        names = ("x-amz-date", "x-amz-content-sha256")
        signed = AWSRequest(
            "GET",
            f"{request.scheme}://{request.host}{request.raw_path}",
            headers={name: request.headers[name] for name in names},
        )
        signed.context["timestamp"] = request.headers["x-amz-date"]
        auth = S3SigV4Auth(Credentials("AKID", "s3cret/key"), "s3", self.region)
        text = auth.string_to_sign(signed, auth.canonical_request(signed))
        scope = f"AKID/{request.headers['x-amz-date'][:8]}/{self.region}/s3/aws4_request"
        return (
            f"AWS4-HMAC-SHA256 Credential={scope}, "
            f"SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
            f"Signature={auth.signature(text, signed)}"
        )


def bucket(host: str, key: str = "ci/job.yaml", **more: Any) -> dict[str, Any]:
    return {
        "endpoint": host,
        "bucket": {"name": "manifests", "key": key},
        "insecure": True,
        "accessKey": {"name": "s3", "key": "access"},
        "secretKey": {"name": "s3", "key": "secret"},
        **more,
    }


@pytest.fixture
def keys(secrets: FixedSecrets) -> None:
    secrets.values |= {"s3/access": " AKID\n", "s3/secret": "s3cret/key "}


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("key", ["ci/job.yaml", "/a b/ü+&=?#%/c~d*e(1)'.yaml"])
async def test_an_object_is_read_with_a_signed_request(ctx: TriggerContext, key: str) -> None:
    service = Bucket("eu-central-1")
    async with serving(service.handle) as host:
        found = await read(ctx, s3=bucket(host, key, region="eu-central-1"))

    assert found == OBJECT
    assert len(service.paths) == 1


@pytest.mark.usefixtures("keys")
async def test_the_server_tells_the_region(ctx: TriggerContext) -> None:
    service = Bucket("eu-west-3")
    async with serving(service.handle) as host:
        found = await read(ctx, s3=bucket(host))

    assert found == OBJECT
    assert service.paths == ["/manifests/ci/job.yaml"] * 2


async def test_wrong_keys_are_refused_once_and_not_shown(
    ctx: TriggerContext, secrets: FixedSecrets
) -> None:
    secrets.values |= {"s3/access": "AKID", "s3/secret": "wrong-key"}
    service = Bucket("us-east-1")
    async with serving(service.handle) as host:
        with pytest.raises(TriggerError, match="status 403: SignatureDoesNotMatch") as caught:
            await read(ctx, s3=bucket(host))

    assert len(service.paths) == 1
    assert "wrong-key" not in str(caught.value)


@pytest.mark.usefixtures("keys")
async def test_an_object_that_is_too_large_is_an_error(ctx: TriggerContext) -> None:
    service = Bucket("us-east-1", "#" * (_limits.MAX_BYTES + 1))
    async with serving(service.handle) as host:
        with pytest.raises(TriggerError, match="has more than"):
            await read(ctx, s3=bucket(host))


@pytest.mark.usefixtures("keys")
async def test_a_bucket_is_read_over_tls_with_the_roots_of_the_manifest(
    ctx: TriggerContext, secrets: FixedSecrets, server_certificate: Pair
) -> None:
    import ssl

    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*server_certificate)
    secrets.values["s3/ca"] = server_certificate[0].read_text()
    service = Bucket("us-east-1")
    async with serving(service.handle, tls) as host:
        with pytest.raises(TriggerError, match="certificate verify failed"):
            await read(ctx, s3=bucket(host, insecure=False))
        ca = {"name": "s3", "key": "ca"}

        assert await read(ctx, s3=bucket(host, insecure=False, caCertificate=ca)) == OBJECT


async def test_nothing_is_read_over_the_network_where_nothing_may_be(ctx: TriggerContext) -> None:
    location = ArtifactLocation.model_validate({"url": {"path": "http://127.0.0.1:1/"}})

    with pytest.raises(TriggerError, match="nothing is read over the network here"):
        await read_manifest(location, ctx, remote=False)


@pytest.mark.parametrize(
    ("location", "problems"),
    [
        ({}, ["unknown artifact location: source must have one of s3, inline, file, url, git, "
              "configmap, resource"]),
        ({"file": {}}, ["source.file.path is missing"]),
        ({"url": {}}, ["source.url.path is missing"]),
        ({"s3": {"endpoint": "x", "bucket": {"name": "b", "key": "k"}}},
         ["source.s3.accessKey is missing", "source.s3.secretKey is missing"]),
        ({"git": {"url": "x"}}, ["source.git.filePath is missing"]),
        ({"git": {"url": "x", "filePath": "/abc/../opt"}}, ['".." is not allowed in the filePath']),
        ({"git": {"url": "x", "filePath": "f", "cloneDirectory": "abc/efg/../../../root"}},
         ['".." is not allowed in the cloneDirectory']),
        ({"git": {"url": "git://host/x", "filePath": "f"}},
         ["source.git: git:// is not supported; one of https, http, ssh, file is"]),
        ({"inline": "kind: x"}, []),
    ],
)  # fmt: skip
def test_what_is_missing_is_found_beforehand(location: dict[str, Any], problems: list[str]) -> None:
    assert location_problems(ArtifactLocation.model_validate(location)) == problems
